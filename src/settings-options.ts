// Settings that a session is given while it is open, for one turn or from now on.

import type { SessionSettings } from "./domain/turn-config.ts";
import { recordedLimit } from "./domain/session.ts";
import { layerOf, type Prompt, type PromptParts } from "./domain/prompt-input.ts";
import { binding, type TurnOverlay } from "./actors/turn-plan.ts";
import type { SettingsChange } from "./actors/session-settings.ts";
import { checkShared, limitsOf, modelOf, type ModelOptions, type TokenBudget } from "./lash-options.ts";
import { ASK_OPTIONS, asksOf, type AskOptions } from "./ask-options.ts";
import type { Provider } from "./providers/contract.ts";
import type { ToJsonSchema } from "./tools/contract.ts";
import type { Output } from "./turn-value.ts";

/** For one turn, on top of its session's settings; none of it is recorded as the session's. */
export interface TurnSettings<Wanted extends Output = Output> extends AskOptions<Wanted> {
  /** Another process can finish the turn only with a provider of the same id. The lash does not close it. */
  readonly provider?: Provider;
  /** In place of the session's. Default of its id: the given provider's own, else the session's. */
  readonly model?: ModelOptions;
  /** After the lash's and the session's. */
  readonly prompt?: Prompt;
  /** Most model calls; null lifts the limit. */
  readonly maxTurns?: number | null;
  /** Longest the turn may take from its acceptance, in milliseconds. */
  readonly timeoutMs?: number;
  /** Most tokens that its model calls may use together. */
  readonly budget?: TokenBudget;
}

/** What to change; what is left out stays. */
export interface SessionPatch {
  /** From now on the recorded one. The lash does not close it. */
  readonly provider?: Provider;
  /** In place of the whole model. Default of its id: the given provider's own, else the present one. */
  readonly model?: ModelOptions;
  /** The session's layer of the prompt, or what to make of the present one. An empty text takes it away. */
  readonly prompt?: Prompt | ((present: PromptParts) => Prompt);
  readonly maxTurns?: number | null;
}

export const SETTINGS = ["provider", "model", "prompt", "maxTurns"];

/** Those of one turn. */
export const TURN_SETTINGS = [...SETTINGS, "timeoutMs", "budget", ...ASK_OPTIONS];

/** What settings are made with. */
export interface SettingsPorts {
  readonly retrying: (provider: Provider) => Provider;
  /** Tells the schemas that cannot tell themselves. */
  readonly toJsonSchema?: ToJsonSchema | undefined;
}

/** @throws LashError `invalid_argument`, `missing_model_spec`, `llm_provider`. */
export function overlayOf(settings: TurnSettings, current: SessionSettings, { retrying, toJsonSchema }: SettingsPorts): TurnOverlay | undefined {
  checkShared(settings);
  const { provider, model, prompt, maxTurns } = settings;
  const limits = limitsOf(settings);
  const hasLimits = Object.keys(limits).length > 0;
  const asks = ASK_OPTIONS.some((field) => settings[field] !== undefined) ? asksOf(settings, toJsonSchema) : undefined;
  if (provider === undefined && model === undefined && prompt === undefined && maxTurns === undefined && !hasLimits && !asks) return undefined;
  return {
    ...changeOf(provider, model, prompt === undefined ? undefined : layerOf(prompt, "turn"), maxTurns, current, retrying),
    ...(hasLimits && { limits }),
    ...(asks && { asks }),
  };
}

/** @throws LashError `invalid_argument`, `missing_model_spec`, `llm_provider`. */
export function patchOf({ prompt, ...patch }: SessionPatch, current: SessionSettings, retrying: (provider: Provider) => Provider): SettingsChange {
  const wanted = typeof prompt === "function" ? prompt(current.prompt) : prompt;
  checkShared({ ...patch, ...(wanted !== undefined && { prompt: wanted }) });
  return changeOf(patch.provider, patch.model, wanted === undefined ? undefined : layerOf(wanted, "session"), patch.maxTurns, current, retrying);
}

function changeOf(
  provider: Provider | undefined,
  model: ModelOptions | undefined,
  prompt: SettingsChange["prompt"],
  maxTurns: number | null | undefined,
  current: SessionSettings,
  retrying: (provider: Provider) => Provider,
): SettingsChange {
  return binding(() => ({
    ...(provider && { provider: retrying(provider) }),
    ...settingsOfModel(provider, model, current),
    ...(prompt && { prompt }),
    ...(maxTurns !== undefined && { maxTurns: recordedLimit(maxTurns) }),
  }));
}

function settingsOfModel(provider: Provider | undefined, options: ModelOptions | undefined, { policy }: SessionSettings): Pick<SettingsChange, "model" | "media"> {
  if (!provider && !options) return {};
  const model = modelOf({ ...options, id: options?.id ?? (provider ? provider.modelId : policy.model.id) } as ModelOptions, provider);
  return { model, ...(options?.media && { media: { model: model.id, media: options.media } }) };
}
