// Children of sessions: makes them, opens them, lists them.
//
//   K1. A child's first state and its registration are one write (S-68); what fails before it leaves nothing.
//   K2. A child is a session like any other from then on: its lease says who drives it (S-69).

import type { SessionRuntime } from "../actors/session-runtime.ts";
import type { RuntimePorts, SessionWiring } from "../actors/ports.ts";
import type { RunWrite } from "../actors/durable/contract.ts";
import type { CallingTool } from "../actors/turn/tools/calling-tool.ts";
import { runtimeError } from "../domain/errors.ts";
import { invalidArgument } from "../domain/invalid-argument.ts";
import { jsonEqual, type Json } from "../domain/json.ts";
import type { ChildAssignment, SessionPolicy } from "../domain/session.ts";
import { NO_PROMPT } from "../domain/turn-config.ts";
import { visibleTools } from "../lash-options.ts";
import type { Plugin } from "../plugins/contract.ts";
import type { InFlight, SessionMeta } from "../stores/contract.ts";
import { createChild, listChildren } from "../stores/persistence/children.ts";
import { byGeneration, callerOf, isOfCall } from "./caller.ts";
import { CallChildSessions } from "./call-children.ts";
import { assignmentOf, checkLive, checkRequest, givenId } from "./child-request.ts";
import { startOf } from "./child-start.ts";
import type { CallChildren, ChildHost, ChildLiveParts, ChildPort, ChildRequest, ChildSummary, ParentSession } from "./contract.ts";

export interface OpenedChild {
  readonly runtime: SessionRuntime;
  readonly usageSource: string;
}

export class Children implements ChildPort {
  readonly #host: ChildHost;

  constructor(host: ChildHost) {
    this.#host = host;
  }

  get ports(): RuntimePorts {
    return this.#host.ports();
  }

  /** Of a runtime that nobody has a handle on: it ends with the lash. @returns what takes it back. */
  keep(runtime: SessionRuntime): () => void {
    return this.#host.keep(runtime);
  }

  async create(parent: ParentSession, request: ChildRequest): Promise<SessionRuntime> {
    const id = givenId(request) ?? this.ports.newId();
    if (this.#host.isOpen(id)) throw alreadyExists(id);
    return (await this.open(parent, await this.make(id, parent, request), request)).runtime;
  }

  async list(parentSessionId: string): Promise<readonly ChildSummary[]> {
    const children = await listChildren(this.#host.store, parentSessionId);
    return children.flatMap((meta) => summaryOf(meta) ?? []);
  }

  generations(inFlight: readonly InFlight[]): Promise<readonly (readonly InFlight[])[]> {
    return byGeneration(inFlight, (sessionId) => this.#metaOf(sessionId));
  }

  async callerOf(sessionId: string, turnId: string): Promise<InFlight | undefined> {
    // Most turns are no tool's, and their sessions are not read for this.
    const caller = isOfCall(turnId) ? callerOf(turnId, await this.#metaOf(sessionId)) : undefined;
    return caller === undefined ? undefined : (await this.ports.persistence.turns.inFlight(caller))[0];
  }

  /** Where nothing can be said of a session, its turn is finished like any other, and says why it cannot be. */
  #metaOf(sessionId: string): Promise<SessionMeta | undefined> {
    return this.ports.persistence.sessions.loadMeta(sessionId).catch(() => undefined);
  }

  ofCall(calling: CallingTool): CallChildren {
    return new CallChildSessions(this, calling);
  }

  async cancelLeft(calling: CallingTool): Promise<void> {
    const children = new CallChildSessions(this, calling);
    await children.cancelLeft().finally(() => children.end());
  }

  /**
   * Makes a child, or finds the one that the same cause made before: a call that is run again.
   *
   * @param write - makes the write of whoever may be refused it.
   * @throws LashError `session_already_exists` - it has another cause, or none.
   */
  async make(id: string, parent: ParentSession, request: ChildRequest, causedBy?: Json, write: RunWrite = (make) => make()): Promise<SessionMeta> {
    const { ports } = this;
    const { store } = this.#host;
    const { sessions } = ports.persistence;
    checkRequest(request, ports.limits);
    const parentSessionId = parent.wiring.sessionId;
    if (id === parentSessionId) throw alreadyExists(id);
    const known = await sessions.open(id);
    if (known) return madeBy(known, parentSessionId, causedBy);
    const assignment = assignmentOf(request, (await sessions.open(parentSessionId))?.relation);
    // Names that clash are found before anything is made.
    this.#toolsOf(parent, assignment, request);
    const start = await startOf(id, request, parent, ports);
    const created = await write(() => createChild(store, { ...start, sessionId: id, parentSessionId, assignment, ...(causedBy !== undefined && { causedBy }) }));
    if (created.kind === "exists") return madeBy(created.meta, parentSessionId, causedBy);
    const meta = await sessions.open(id);
    if (!meta) throw runtimeError("session_id_retired", `session ${id} was deleted while it was being opened`, { details: { sessionId: id } });
    return meta;
  }

  /** Opens a child that the session has. @throws LashError `invalid_argument` - it has none of this id. */
  async reopen(parent: ParentSession, id: string, live: ChildLiveParts): Promise<OpenedChild> {
    checkLive(live);
    const meta = await this.ports.persistence.sessions.open(id);
    if (!meta || assignmentIn(meta, parent.wiring.sessionId) === undefined) throw invalidArgument("id", `the id of a child of session ${parent.wiring.sessionId}`);
    return this.open(parent, meta, live);
  }

  async open(parent: ParentSession, { sessionId, relation }: SessionMeta, live: ChildLiveParts): Promise<OpenedChild> {
    const { ports } = this;
    const { wiring, settings } = parent;
    const assignment = relation.kind === "child" ? relation.assignment : undefined;
    const own: SessionWiring = {
      sessionId,
      provider: live.provider ? ports.retrying(live.provider) : wiring.provider,
      lashProvider: wiring.lashProvider,
      // What is recorded holds: a child has recorded something before anybody opens it.
      policy: settings.policy satisfies SessionPolicy,
      prompt: NO_PROMPT,
      stated: { provider: false, model: false, maxTurns: false, prompt: false },
      limits: wiring.limits,
      // What a parent is asked for is no business of its children: they answer to it.
      asks: { ask: {}, ...(wiring.asks.headers && { headers: wiring.asks.headers }) },
      media: wiring.media,
      compaction: wiring.compaction,
      core: wiring.core,
      tools: this.#toolsOf(parent, assignment, live),
      plugins: undefined,
      owner: await this.#host.ownerOf(sessionId),
    };
    const { plugins } = this.#host;
    const runtime = await this.#host.assemble({ wiring: own, plugins, pluginOptions: optionsOf(plugins, wiring), isRootSession: false, isResumed: false });
    return { runtime, usageSource: assignment?.usageSource ?? "child" };
  }

  #toolsOf({ wiring }: ParentSession, assignment: ChildAssignment | undefined, { tools = [] }: ChildLiveParts): SessionWiring["tools"] {
    return wiring.tools.handDown((callable) => [...visibleTools(callable, assignment), ...tools]);
  }
}

/** A child has the lash's plugins, with the options that its parent was opened with (PT-28). */
function optionsOf(plugins: readonly Plugin[], { plugins: parent }: SessionWiring): Readonly<Record<string, Json>> {
  const given = (parent?.recorded ?? []).flatMap(({ id, options }) => (options === undefined || !plugins.some((plugin) => plugin.id === id) ? [] : [[id, options] as const]));
  return Object.fromEntries(given);
}

const alreadyExists = (id: string): Error => runtimeError("session_already_exists", `session ${id} already exists`, { details: { sessionId: id } });

function madeBy(meta: SessionMeta, parentSessionId: string, causedBy: Json | undefined): SessionMeta {
  const { relation, sessionId } = meta;
  const isSame = assignmentIn(meta, parentSessionId) !== undefined && relation.kind === "child" && causedBy !== undefined && jsonEqual(relation.causedBy ?? null, causedBy);
  if (!isSame) throw alreadyExists(sessionId);
  return meta;
}

const assignmentIn = ({ relation }: SessionMeta, parentSessionId: string): ChildAssignment | undefined =>
  relation.kind === "child" && relation.parentSessionId === parentSessionId ? relation.assignment : undefined;

function summaryOf({ sessionId, createdAt, relation }: SessionMeta): ChildSummary | undefined {
  if (relation.kind !== "child" || !relation.assignment) return undefined;
  const { usageSource, depth, maxDepth, capability, hiddenTools = [] } = relation.assignment;
  return {
    sessionId,
    createdAt,
    usageSource,
    depth,
    maxDepth,
    hiddenTools,
    ...(capability !== undefined && { capability }),
    ...(relation.causedBy !== undefined && { causedBy: relation.causedBy }),
  };
}
