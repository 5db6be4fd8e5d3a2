// The operations of one session's plugins, and how they are run (PT-32 to PT-34).
//
//   O1. A command or task is one commit: events, state and queued turns together, under the lease that it ran under.
//   O2. What did not commit has not happened: state in memory is what it was before.
//   O3. A query waits for nobody and writes nothing.

import type { OperationRequest } from "../../actors/plugin-port.ts";
import { assertJson } from "../../domain/bounded-json.ts";
import { copyJson } from "../../domain/copy-json.ts";
import { errorText } from "../../domain/error-mapping.ts";
import { LashError, pluginError } from "../../domain/errors.ts";
import { invalidArgument, refuseUnknown } from "../../domain/invalid-argument.ts";
import type { Json } from "../../domain/json.ts";
import type { StandardSchema } from "../../tools/contract.ts";
import { type Installed, refused } from "../installed.ts";
import type { SessionSeed } from "../kit.ts";
import type { PluginStates } from "../plugin-state.ts";
import type { Operation, OperationReceipt, QueryContext } from "./contract.ts";
import { readOutcome } from "./outcome.ts";
import { type Held, type Made, Writing } from "./writing.ts";

interface Owned extends Operation {
  readonly pluginId: string;
}

export class Operations {
  readonly #byName: ReadonlyMap<string, Owned>;
  readonly #seed: SessionSeed;
  readonly #states: PluginStates;

  /** @throws LashError `plugin_registration` - something that is none, or a name that another one has, naming both plugins. */
  constructor(plugins: readonly Installed[], seed: SessionSeed, states: PluginStates) {
    this.#seed = seed;
    this.#states = states;
    const byName = new Map<string, Owned>();
    for (const { id, parts } of plugins) {
      for (const operation of parts.operations ?? []) {
        const name = operation?.definition?.name;
        if (typeof operation?.run !== "function" || typeof name !== "string") throw refused(id, "`operations` has to be an array of what `handle` of a definition gives");
        const owner = byName.get(name);
        if (owner) throw refused(id, `the operation "${name}" is plugin ${owner.pluginId}'s; rename one of them`);
        byName.set(name, { definition: operation.definition, run: (args, context) => operation.run(args, context), pluginId: id });
      }
    }
    this.#byName = byName;
  }

  async run({ kind, operation: asked, args = {}, options = {} }: OperationRequest, closed: AbortSignal): Promise<unknown> {
    const operation = this.#find(kind, asked);
    refuseUnknown(options, ["signal"], "task options");
    const { signal } = options;
    if (signal !== undefined && typeof signal?.addEventListener !== "function") throw invalidArgument("signal", "an AbortSignal");
    const given = await this.#argsOf(operation, args);
    if (kind === "query") return this.#query(operation, given);
    return this.#write(operation, given, signal ? AbortSignal.any([signal, closed]) : closed);
  }

  #find(kind: OperationRequest["kind"], asked: OperationRequest["operation"]): Owned {
    const name = typeof asked === "string" ? asked : asked?.name;
    if (typeof name !== "string") throw invalidArgument("operation", "a name, or what defineQuery, defineCommand or defineTask made");
    const found = this.#byName.get(name);
    if (found?.definition.kind === kind) return found;
    const why = found ? `"${name}" is a ${found.definition.kind}` : `no plugin of session ${this.#seed.sessionId} has one named "${name}"`;
    throw pluginError("plugin_operation_unknown", `there is no such ${kind}: ${why}`, { details: { operation: name } });
  }

  async #argsOf({ definition }: Owned, args: unknown): Promise<unknown> {
    assertJson(args, { field: "args", limit: "toolArgumentsBytes", limits: this.#seed.runtime.ports.limits });
    const checked = await this.#checked(definition.input, copyJson(args));
    if ("problem" in checked) throw invalidArgument("args", `what "${definition.name}" wants: ${checked.problem}`);
    return checked.value;
  }

  async #query(operation: Owned, args: unknown): Promise<Json> {
    try {
      // One type for all handlers: that of a query is declared without the rest.
      const context = Object.assign(this.#context(), { signal: new AbortController().signal, scopeId: "" });
      return await this.#outputOf(operation, await operation.run(args, context));
    } catch (error) {
      throw failed(operation, error);
    }
  }

  async #write(operation: Owned, args: unknown, signal: AbortSignal): Promise<OperationReceipt<Json>> {
    const { kind, name } = operation.definition;
    const { pluginId } = operation;
    const { sessionId, runtime: { ports } } = this.#seed;
    const scopeId = `${sessionId}:plugin_${kind}:${name}:${ports.newId()}`;
    const writer = { pluginId, scopeId, causedBy: { type: "plugin_operation", kind, name, scopeId }, failed: (error: unknown) => failed(operation, error) };
    const body = async ({ signal: own, unlessAborted }: Held): Promise<Made> => {
      try {
        const answer = await unlessAborted(operation.run(args, Object.assign(this.#context(), { signal: own, scopeId })));
        const { output, ...said } = await readOutcome(answer, { pluginId, sessionId, ports });
        return { ...said, output: await this.#outputOf(operation, output) };
      } catch (error) {
        throw failed(operation, error);
      }
    };
    return new Writing(this.#seed, this.#states, writer, signal).run(body);
  }

  async #outputOf({ definition }: Owned, output: unknown): Promise<Json> {
    const checked = await this.#checked(definition.output, output);
    if ("problem" in checked) throw new TypeError(`its output is not what it says: ${checked.problem}`);
    const value = checked.value === undefined ? null : checked.value;
    assertJson(value, { field: "output", limit: "toolResultBytes", limits: this.#seed.runtime.ports.limits });
    return copyJson(value);
  }

  async #checked(schema: StandardSchema, value: unknown): Promise<{ readonly value: unknown } | { readonly problem: string }> {
    const result = await schema["~standard"].validate(value);
    if (!result.issues) return { value: result.value };
    const [{ message, path = [] } = { message: "it is refused" }] = result.issues;
    const at = path.map((step) => String(typeof step === "object" ? step.key : step)).join(".");
    return { problem: at === "" ? message : `${at}: ${message}` };
  }

  #context(): QueryContext {
    const { sessionId, clock, resident, runtime } = this.#seed;
    const { headRevision, history, messageCount } = resident();
    return {
      sessionId,
      clock,
      revision: headRevision,
      get history() {
        return history.slice(messageCount);
      },
      historicNode: (nodeId) => runtime.ports.persistence.sessions.loadNode(sessionId, nodeId),
    };
  }
}

function failed({ pluginId, definition: { name } }: Owned, error: unknown): LashError {
  const causeCode = LashError.is(error) ? { causeCode: error.code } : {};
  return pluginError("plugin_operation_failed", `plugin ${pluginId}: "${name}": ${errorText(error)}`, { details: { pluginId, operation: name, ...causeCode }, cause: error });
}
