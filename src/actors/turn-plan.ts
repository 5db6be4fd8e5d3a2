// Turn plan: what a turn runs with. Its data part is stored with the turn (T-16); provider and tools are bound to it anew by
// every process that runs it, by id and by name (PP-26, OP-7).

import { errorText } from "../domain/error-mapping.ts";
import { LashError, runtimeError, sessionError } from "../domain/errors.ts";
import type { JsonObject } from "../domain/json.ts";
import { asksNothing, askOver, type TurnAsk } from "../domain/turn-ask.ts";
import { canonicalJson, jsonEqual } from "../domain/json.ts";
import { renderPrompt } from "../domain/prompt.ts";
import { sha256Hex } from "../domain/sha256.ts";
import { NO_PROMPT, shownTools, sourceOf, toolIdOf, type SessionSettings, type ToolSpec, type TurnConfig, type TurnLimits } from "../domain/turn-config.ts";
import type { TurnMeans } from "../domain/turn-means.ts";
import type { Provider } from "../providers/contract.ts";
import type { TurnRecord } from "../stores/contract.ts";
import type { StandardSchema, Tool } from "../tools/contract.ts";
import type { History } from "./history.ts";
import type { SessionWiring } from "./ports.ts";
import type { Resident } from "./resident.ts";
import { overlaid, settingsOf, type SettingsChange, type StatedSettings } from "./session-settings.ts";
import type { SessionTools } from "./session-tools.ts";
import type { TakenMedia } from "./taken-media.ts";

/** What a host asks of the model, with the parts of it that cannot be stored. */
export interface HostAsk {
  readonly ask: TurnAsk;
  /** Not recorded: whoever finishes the turn sends the headers of its own lash and session. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly output?: OutputSchema;
}

/** A schema that is at hand, and how it is told to models. */
export interface OutputSchema {
  readonly validator: StandardSchema;
  readonly schema: JsonObject;
}

/** Fixed for the whole turn. */
export interface TurnPlan {
  readonly config: TurnConfig;
  readonly provider: Provider;
  /** Those of the configuration that this process has; calls of the others answer `tool_unavailable`. */
  readonly tools: ReadonlyMap<string, Tool>;
  /** Names what the model is given beside its history; part of the envelope. */
  readonly digest: string;
  /** Shown in place of the session's history; named by the digest, too. */
  readonly view?: History;
  /** Asked by the turn's own model calls, where that is not `provider` itself. */
  readonly asked?: Provider;
  /** Sent with its model calls. */
  readonly headers?: Readonly<Record<string, string>>;
  /** What its model takes, where the host says so. */
  readonly media?: readonly string[];
  /** Checks what the turn ends with; without it, the JSON Schema that was recorded does. */
  readonly validator?: StandardSchema;
}

/** What this process says of a turn and no row does. */
type LiveParts = Pick<TurnPlan, "headers" | "validator" | "media">;

/** For one turn only: on top of the session's settings. */
export interface TurnOverlay extends SettingsChange {
  readonly limits?: TurnLimits;
  readonly asks?: HostAsk;
}

const NO_OVERLAY: TurnOverlay = {};

/** The plans of one session's turns. */
export class TurnPlans {
  readonly #stated: StatedSettings;
  /** By what they were made from. Making one hashes all tools, which costs as much as hashing what the turn says. */
  #latest: { readonly from: readonly unknown[]; readonly plan: TurnPlan } | undefined;

  constructor(stated: StatedSettings) {
    this.#stated = stated;
  }

  /** @throws LashError `provider_unconfigured` */
  requireProvider(overlay = NO_OVERLAY): Provider {
    const { sessionId, provider } = this.#stated.wiring;
    const own = overlay.provider ?? provider;
    if (own) return own;
    throw sessionError("provider_unconfigured", `session ${sessionId} has no provider; pass \`provider\` to createLash or openSession`, { details: { sessionId } });
  }

  /** That the settings name. @throws LashError `provider_unconfigured`, `provider_mismatch`. */
  providerOf({ policy }: SessionSettings): Provider {
    return this.#bind(policy.providerId, "was recorded", [this.requireProvider()]);
  }

  /** Of the turn to be accepted next. @throws LashError `provider_unconfigured`, `provider_mismatch`, `llm_provider` - before anything is accepted. */
  next(resident: Resident, overlay = NO_OVERLAY): TurnPlan {
    const wiring = this.#stated.wiring;
    const settings = settingsOf(wiring, resident);
    const { providerId, model, maxTurns } = settings.policy;
    const from = [wiring.tools.callable, wiring.provider, wiring.plugins, wiring.media, providerId, model, maxTurns, settings.prompt, overlay];
    if (this.#latest?.from.every((part, index) => part === from[index])) return this.#latest.plan;
    const plan = binding(() => {
      const config = configOf(wiring, settings, overlay);
      return planOf(config, this.#bind(config.policy.providerId, "was recorded", [this.requireProvider(overlay)]), wiring.tools, this.#live(config, overlay));
    });
    this.#latest = { from, plan };
    return plan;
  }

  /** What the next turn's model takes. @throws as `next`. */
  taken(resident: Resident, overlay = NO_OVERLAY): TakenMedia {
    const { config: { policy }, provider, media } = this.next(resident, overlay);
    return { provider: policy.providerId, model: policy.model.id, media: media ?? provider.wire?.media ?? ["*/*"] };
  }

  /** Of a turn that was accepted, by this runtime or another one, and for which nothing is missing. @throws LashError `llm_provider`. */
  of({ config, turnId }: TurnRecord, overlay = NO_OVERLAY): TurnPlan {
    if (this.#latest?.plan.config === config) return this.#latest.plan;
    return binding(() => planOf(config, this.#bind(config.policy.providerId, `accepted turn ${turnId}`, this.#candidates(overlay)), this.#stated.wiring.tools, this.#live(config, overlay)));
  }

  /** A schema that is at hand checks only what was asked with it. */
  #live({ ask, policy }: TurnConfig, { asks, media: ofTurn }: TurnOverlay): LiveParts {
    const { asks: own, media: stated } = this.#stated.wiring;
    const media = [...(ofTurn ? [ofTurn] : []), ...stated].find(({ model }) => model === policy.model.id)?.media;
    const headers = { ...own.headers, ...asks?.headers };
    const wanted = ask?.output?.schema;
    const known = wanted && [asks?.output, own.output].find((each) => each !== undefined && jsonEqual(each.schema, wanted));
    return { ...(Object.keys(headers).length > 0 && { headers }), ...(known && { validator: known.validator }), ...(media && { media }) };
  }

  /** What turns that are in flight may be driven on with. */
  means(overlay = NO_OVERLAY): TurnMeans {
    const { tools, plugins } = this.#stated.wiring;
    const ids = (plugins?.recorded ?? []).map(({ id }) => id);
    const { hasSilentSource, ...known } = tools.known;
    return { ...known, providers: this.#candidates(overlay).map(({ id }) => id), plugins: ids, sources: new Set([...ids.map(sourceOf.plugin), ...(hasSilentSource ? [sourceOf.added] : [])]) };
  }

  /** A turn may have been accepted with any of them. */
  #candidates({ provider: own }: TurnOverlay): readonly Provider[] {
    const { provider, lashProvider } = this.#stated.wiring;
    return [own, provider, lashProvider].filter((each) => each !== undefined);
  }

  /** The plan of a turn that goes on, with the tools as they are now; the same one where they are what they were. */
  synced(plan: TurnPlan): TurnPlan {
    const { tools } = this.#stated.wiring;
    const specs = specsOf(this.#stated.wiring);
    return !tools.isManaged || jsonEqual(shownTools(specs), shownTools(plan.config.tools)) ? plan : planOf({ ...plan.config, tools: specs }, plan.provider, tools, plan);
  }

  /** A session never switches providers silently. */
  #bind(expected: string, did: string, candidates: readonly Provider[]): Provider {
    const found = candidates.find(({ id }) => id === expected);
    if (found) return found;
    const { sessionId } = this.#stated.wiring;
    const actual = candidates[0]?.id ?? "";
    throw sessionError("provider_mismatch", `session ${sessionId} ${did} with provider "${expected}", not "${actual}"; open it with that provider`, {
      details: { sessionId, expected, actual },
    });
  }
}

function configOf(wiring: SessionWiring, settings: SessionSettings, overlay: TurnOverlay): TurnConfig {
  const { core, tools: { callable }, plugins, limits: ofSession, asks } = wiring;
  const policy = overlaid(settings.policy, overlay);
  const limits = { ...ofSession, ...overlay.limits };
  const ask = askOver(asks.ask, overlay.asks?.ask ?? {});
  const layers = [core, settings.prompt, ...(overlay.prompt ? [overlay.prompt] : [])];
  const session = {
    ...(!jsonEqual(policy, settings.policy) && { policy: settings.policy }),
    ...(!jsonEqual(settings.prompt, NO_PROMPT) && { prompt: settings.prompt }),
  };
  return {
    policy,
    system: renderPrompt(layers, new Set(callable.keys())),
    tools: specsOf(wiring),
    ...(plugins && { plugins: plugins.recorded }),
    ...(plugins?.addsToPrompt && { layers }),
    ...(Object.keys(limits).length > 0 && { limits }),
    ...(!asksNothing(ask) && { ask }),
    ...(Object.keys(session).length > 0 && { session }),
  };
}

function specsOf({ tools, plugins }: Pick<SessionWiring, "tools" | "plugins">): readonly ToolSpec[] {
  return [...tools.callable.values()].map((tool) => {
    const { id, name, description, inputSchema } = tool;
    const owner = plugins?.toolOwners.get(toolIdOf(tool));
    const source = owner !== undefined ? sourceOf.plugin(owner) : tools.isFromAddedFunction(toolIdOf(tool)) ? sourceOf.added : undefined;
    return { ...(id !== undefined && id !== name && { id }), name, description, inputSchema, ...(source !== undefined && { source }) };
  });
}

function planOf(config: TurnConfig, provider: Provider, registered: SessionTools, { headers, validator, media }: LiveParts): TurnPlan {
  // Not of the session's settings, the turn's limits, or where a tool comes from: they do not reach the model.
  const { session: _, limits: _limits, ...given } = config;
  const digest = sha256Hex(canonicalJson({ ...given, tools: shownTools(config.tools) }));
  return { config, provider, tools: registered.bind(config.tools), digest, ...(headers && { headers }), ...(validator && { validator }), ...(media && { media }) };
}

/** Whatever else goes wrong where a provider is bound has one code. */
export function binding<Bound>(make: () => Bound): Bound {
  try {
    return make();
  } catch (error) {
    if (LashError.is(error)) throw error;
    throw runtimeError("llm_provider", `the provider could not be bound: ${errorText(error)}`, { cause: error });
  }
}
