// Session opener: what a session is given when it is opened - by its host, by recovery, by its parent - and who opens it.

import { asksOf } from "./ask-options.ts";
import type { SessionWiring } from "./actors/ports.ts";
import type { SessionRuntime } from "./actors/session-runtime.ts";
import { SessionTools } from "./actors/session-tools.ts";
import type { AutoCompaction } from "./domain/compaction.ts";
import { layerOf } from "./domain/prompt-input.ts";
import { errorText } from "./domain/error-mapping.ts";
import { runtimeError } from "./domain/errors.ts";
import { recordedLimit, STANDARD_PROTOCOL, type SessionPolicy, type SessionRelation } from "./domain/session.ts";
import { NO_PROMPT } from "./domain/turn-config.ts";
import { protocolPinned } from "./domain/turn-means.ts";
import { checkCompaction, checkPlugins, checkSession, checkSessionOptions, type CompactionOptions, limitsOf, modelMediaOf, modelOf, visibleTools, type LashOptions, type SessionOptions } from "./lash-options.ts";
import type { Plugin } from "./plugins/contract.ts";
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
  async open(id: string, explicit: SessionOptions, isResumed = false): Promise<SessionRuntime> {
    checkSession(id, explicit);
    return this.#open(id, explicit, isResumed, () => ({}));
  }

  /** To finish a turn in flight: its plugins are given the options that it was accepted with. */
  async openFor(sessionId: string, turnId: string): Promise<SessionRuntime> {
    const { ports } = this.#lash;
    return this.#open(sessionId, {}, false, async (plugins) => {
      const [first] = plugins;
      return first ? { pluginOptions: first.kit.recordedOptions(plugins, await ports.persistence.turns.load(sessionId, turnId)) } : {};
    });
  }

  /** To end a turn in flight: nothing that a turn needs is there, and nothing has to be. */
  async openToEnd(sessionId: string): Promise<SessionRuntime> {
    const wiring: SessionWiring = {
      sessionId,
      provider: undefined,
      lashProvider: undefined,
      policy: { providerId: "", model: modelOf(undefined, undefined), maxTurns: null },
      prompt: NO_PROMPT,
      stated: { provider: false, prompt: false, model: false, maxTurns: false },
      limits: {},
      asks: { ask: {} },
      media: [],
      compaction: undefined,
      core: NO_PROMPT,
      tools: new SessionTools([], loadToolRegistry),
      plugins: undefined,
      owner: await this.ownerOf(sessionId),
    };
    return this.assemble({ wiring, plugins: [], pluginOptions: {}, isRootSession: true, isResumed: true });
  }

  /** @param recorded - options that win over all others. */
  async #open(id: string, explicit: SessionOptions, isResumed: boolean, recorded: (plugins: readonly Plugin[]) => SessionOptions | Promise<SessionOptions>): Promise<SessionRuntime> {
    const { ports, options: shared } = this.#lash;
    // An id that was deleted is refused here, before anything is built for it.
    const meta = await ports.persistence.sessions.open(id);
    const expected = meta?.protocol ?? STANDARD_PROTOCOL;
    if (meta && expected !== ports.protocol.id) throw protocolPinned(id, { expected, actual: ports.protocol.id });
    const stated = over(await this.#baseOf(id, meta?.relation), explicit);
    const plugins = [...(shared.plugins ?? []), ...(stated.plugins ?? [])];
    checkPlugins(plugins, stated.pluginOptions, ports.limits);
    const options = over(stated, await recorded(plugins));
    const isRootSession = meta?.relation.kind !== "child";
    return this.assemble({ wiring: await this.#wiringOf(id, options, meta?.relation), plugins, pluginOptions: options.pluginOptions ?? {}, isRootSession, isResumed });
  }

  /** What the host says of the session by its id; a child has what its parent has of what lives in memory only, where it says nothing. */
  async #baseOf(id: string, relation: SessionRelation | undefined, children: readonly string[] = []): Promise<SessionOptions> {
    const { options: { sessionOptions }, ports } = this.#lash;
    if (!sessionOptions) return {};
    const own = await askedOf(sessionOptions, id);
    const assignment = relation?.kind === "child" ? relation.assignment : undefined;
    // Damaged relations may form a ring.
    if (relation?.kind !== "child" || !assignment || children.includes(id)) return own;
    const parent = await ports.persistence.sessions.loadMeta(relation.parentSessionId);
    const { provider, tools, retiredTools } = await this.#baseOf(relation.parentSessionId, parent?.relation, [...children, id]);
    return over({ ...(provider && { provider }), ...(tools && { tools: visibleTools(tools, assignment) }), ...(retiredTools && { retiredTools }) }, own);
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
    const wanted = options.compaction ?? lash.compaction;
    checkCompaction(wanted, model.limits?.contextWindowTokens);
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
      asks: asksOf(options, lash.toJsonSchema, asksOf(lash, lash.toJsonSchema)),
      media: [...modelMediaOf(options.model, provider), ...modelMediaOf(lash.model, lash.provider)],
      compaction: await autoCompaction(wanted),
      core: layerOf(lash.prompt ?? "", "core"),
      tools: new SessionTools([...visibleTools(lash.tools ?? [], assignment), ...(options.tools ?? [])], loadToolRegistry, {
        retired: [...(lash.retiredTools ?? []), ...(options.retiredTools ?? [])],
        toJsonSchema: lash.toJsonSchema,
      }),
      plugins: undefined,
      owner: await this.ownerOf(sessionId),
    };
  }
}

/** Field by field. */
const over = (base: SessionOptions, given: SessionOptions): SessionOptions => ({ ...base, ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) });

/** @throws LashError `session_options_failed` */
async function askedOf(sessionOptions: NonNullable<LashOptions["sessionOptions"]>, id: string): Promise<SessionOptions> {
  try {
    const options = await sessionOptions(id);
    checkSessionOptions(options, "options that `sessionOptions` gave");
    return options;
  } catch (error) {
    throw runtimeError("session_options_failed", `\`sessionOptions\` failed for session ${id}: ${errorText(error)}. Nothing was changed; a turn of it that is in flight stays there`, {
      details: { sessionId: id },
      cause: error,
    });
  }
}

/** Loaded before a turn is accepted that may need it. */
async function autoCompaction(options: CompactionOptions | undefined): Promise<AutoCompaction | undefined> {
  const { at, onOverflow = false, with: compactor } = options ?? {};
  if (at === undefined && !onOverflow) return undefined;
  const { summarize } = await import("./compaction.ts");
  return { ...(at !== undefined && { at }), onOverflow, ...(compactor && { compactor }), fallback: summarize() };
}

const loadToolRegistry = async (): Promise<MakeToolRegistry> => (await import("./tools/registry/registry.ts")).toolRegistry;
