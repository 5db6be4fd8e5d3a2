// Session opener: what a session is given when it is opened - by its host, by recovery, by its parent - and who opens it.

import type { SessionWiring } from "./actors/ports.ts";
import type { SessionRuntime } from "./actors/session-runtime.ts";
import { SessionTools } from "./actors/session-tools.ts";
import { layerOf } from "./domain/prompt-input.ts";
import { recordedLimit, type SessionPolicy, type SessionRelation } from "./domain/session.ts";
import { NO_PROMPT } from "./domain/turn-config.ts";
import { checkPlugins, checkSession, limitsOf, modelOf, visibleTools, type LashOptions, type SessionOptions } from "./lash-options.ts";
import type { ProviderLadders } from "./providers/provider-ladders.ts";
import type { LashPorts } from "./runtime-ports.ts";
import { assembleSession, type SessionAssembly } from "./session-assembly.ts";
import type { LeaseOwner } from "./stores/contract.ts";
import type { MakeToolRegistry } from "./tools/registry/contract.ts";

export interface OpenerOptions {
  readonly options: LashOptions;
  readonly ports: LashPorts;
  readonly ladders: ProviderLadders;
}

export class SessionOpener {
  readonly #lash: OpenerOptions;

  constructor(lash: OpenerOptions) {
    this.#lash = lash;
  }

  /** @param isResumed - it was parked before. @throws as `openSession`. */
  async open(id: string, options: SessionOptions, isResumed = false): Promise<SessionRuntime> {
    const { ports, options: shared } = this.#lash;
    checkSession(id, options);
    const { pluginOptions = {} } = options;
    const plugins = [...(shared.plugins ?? []), ...(options.plugins ?? [])];
    checkPlugins(plugins, pluginOptions, ports.limits);
    // An id that was deleted is refused here, before anything is built for it.
    const relation = (await ports.persistence.sessions.open(id))?.relation;
    return this.assemble({ wiring: await this.#wiringOf(id, options, relation), plugins, pluginOptions, isRootSession: relation?.kind !== "child", isResumed });
  }

  /** To finish a turn in flight: its plugins are given the options that it was accepted with (OP-7). */
  async openFor(sessionId: string, turnId: string): Promise<SessionRuntime> {
    const { options: { plugins = [] }, ports } = this.#lash;
    const [first] = plugins;
    return this.open(sessionId, first ? { pluginOptions: first.kit.recordedOptions(plugins, await ports.persistence.turns.load(sessionId, turnId)) } : {});
  }

  async ownerOf(sessionId: string): Promise<LeaseOwner> {
    const { ports } = this.#lash;
    return { ownerId: `${ports.scopeId}:${sessionId}`, incarnationId: ports.newId(), liveness: await ports.liveness.self() };
  }

  /** With a wiring that is made already. */
  async assemble(assembly: Omit<SessionAssembly, "ports">): Promise<SessionRuntime> {
    const { ports } = this.#lash;
    const runtime = await assembleSession({ ports, ...assembly });
    ports.trace?.sessionStarted({ sessionId: runtime.wiring.sessionId, headRevision: runtime.resident.headRevision, policy: runtime.settings.policy });
    return runtime;
  }

  /** A child keeps the model and the limit that it was made with, unless it is opened with others; some tools are hidden from it. */
  async #wiringOf(sessionId: string, options: SessionOptions, relation?: SessionRelation): Promise<SessionWiring> {
    const { options: lash, ladders } = this.#lash;
    const assignment = relation?.kind === "child" ? relation.assignment : undefined;
    const stating = assignment ? {} : lash;
    const provider = options.provider ?? lash.provider;
    const model = modelOf(options.model ?? lash.model, provider);
    const maxTurns = options.maxTurns === undefined ? lash.maxTurns : options.maxTurns;
    const policy: SessionPolicy = { providerId: provider?.id ?? "", model, maxTurns: maxTurns === undefined ? null : recordedLimit(maxTurns) };
    return {
      sessionId,
      provider: provider && ladders.ownOf(provider),
      lashProvider: lash.provider && ladders.ownOf(lash.provider),
      policy,
      prompt: options.prompt === undefined ? NO_PROMPT : layerOf(options.prompt, "session"),
      stated: {
        provider: false,
        prompt: options.prompt !== undefined,
        model: options.model !== undefined || stating.model !== undefined,
        maxTurns: options.maxTurns !== undefined || stating.maxTurns !== undefined,
      },
      limits: limitsOf(options, limitsOf(lash)),
      core: layerOf(lash.prompt ?? "", "core"),
      tools: new SessionTools([...visibleTools(lash.tools ?? [], assignment), ...(options.tools ?? [])], loadToolRegistry, lash.toJsonSchema),
      plugins: undefined,
      owner: await this.ownerOf(sessionId),
    };
  }
}

const loadToolRegistry = async (): Promise<MakeToolRegistry> => (await import("./tools/registry/registry.ts")).toolRegistry;
