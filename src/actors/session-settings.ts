// Settings of a session: what its host states, what is recorded, and what a turn lays over both for itself (design 7.5, PP-27).

import * as z from "zod/mini";
import { isPlainObject, type Json, jsonEqual } from "../domain/json.ts";
import type { PromptLayer } from "../domain/prompt.ts";
import { promptLayer } from "../domain/prompt-input.ts";
import type { ModelSpec, SessionPolicy } from "../domain/session.ts";
import { storeError } from "../domain/errors.ts";
import { NO_PROMPT, settingsIn, type SessionSettings } from "../domain/turn-config.ts";
import type { Provider } from "../providers/contract.ts";
import type { ComponentBody, SessionCommit, TurnRecord } from "../stores/contract.ts";
import { policyRow } from "../stores/persistence/policy-row.ts";
import type { SessionPlugins } from "./plugin-port.ts";
import type { SessionWiring } from "./ports.ts";
import type { Resident } from "./resident.ts";
import type { ToolChange } from "./session-tools.ts";
import type { ModelMedia } from "./taken-media.ts";

/** A change of settings, as `configure` and a turn's overlay bring it; what it leaves out stays. */
export interface SettingsChange {
  readonly provider?: Provider;
  readonly model?: ModelSpec;
  /** What that model takes, where the host says so. */
  readonly media?: ModelMedia;
  readonly maxTurns?: number | null;
  readonly prompt?: PromptLayer;
}

/**
 * What the next commit records: what the host stated wins, what it left out keeps its recorded value (design 7.5).
 *
 * @param turn - the turn that commits: what its session was set to at its acceptance, or while it ran, counts as recorded, unless
 *   somebody has committed since.
 */
export function settingsOf({ policy, prompt, stated, tools: { unrecorded: tools } }: SessionWiring, { head, headRevision, prompt: recordedPrompt }: Resident, turn?: TurnRecord): SessionSettings {
  const accepted = turn && turn.madeFrom === headRevision ? (journaledIn(turn) ?? settingsIn(turn.config)) : undefined;
  const recorded = accepted ?? (headRevision > 0 ? { policy: head.policy, prompt: recordedPrompt } : { policy, prompt });
  return {
    policy: {
      providerId: stated.provider ? policy.providerId : recorded.policy.providerId,
      model: stated.model ? policy.model : recorded.policy.model,
      maxTurns: stated.maxTurns ? policy.maxTurns : recorded.policy.maxTurns,
    },
    prompt: stated.prompt ? prompt : recorded.prompt,
    ...(tools && { tools }),
  };
}

/** Settings that a session was given while its turn ran, as an outcome carries them. */
const journaledSettings = z.strictObject({ policy: policyRow, prompt: promptLayer });

/** Of a turn that was found: the last ones, made by whoever drove it. One that was just accepted has no journal. */
function journaledIn({ journal }: TurnRecord): SessionSettings | undefined {
  const found = journal.map(({ outcome }) => ("ok" in outcome && isPlainObject(outcome.ok) ? outcome.ok["settings"] : undefined)).findLast((each) => each !== undefined);
  const parsed = z.safeParse(journaledSettings, found);
  return parsed.success ? (parsed.data as SessionSettings) : undefined;
}

/** The policy of one turn. */
export function overlaid(policy: SessionPolicy, { provider, model, maxTurns }: SettingsChange): SessionPolicy {
  return { providerId: provider?.id ?? policy.providerId, model: model ?? policy.model, maxTurns: maxTurns === undefined ? policy.maxTurns : maxTurns };
}

/** The wiring after a change: its settings are stated from then on. */
function configured(wiring: SessionWiring, change: SettingsChange): SessionWiring {
  const { provider, model, media, maxTurns, prompt } = change;
  const { stated } = wiring;
  return {
    ...wiring,
    ...(provider && { provider }),
    ...(media && { media: [media, ...wiring.media] }),
    policy: overlaid(wiring.policy, change),
    prompt: prompt ?? wiring.prompt,
    stated: {
      provider: stated.provider || provider !== undefined,
      model: stated.model || model !== undefined,
      maxTurns: stated.maxTurns || maxTurns !== undefined,
      prompt: stated.prompt || prompt !== undefined,
    },
  };
}

interface StagedChange {
  readonly change: SettingsChange;
  isMade: boolean;
}

/** What the host states: at open, and by what it configured since. */
export class StatedSettings {
  #wiring: SessionWiring;
  /** Hold already, in the order in which they were asked for; one that `isMade` stays, the others hang on a commit. */
  #staged: readonly StagedChange[] = [];
  /** Made while a turn runs, and in no journal yet. */
  #isUnjournaled = false;

  constructor(wiring: SessionWiring) {
    this.#wiring = wiring;
  }

  /** The session's plugins, once they are built: their tools are the session's. */
  equip(plugins: SessionPlugins): void {
    this.#wiring.tools.addPluginTools(plugins.tools);
    this.#wiring = { ...this.#wiring, plugins };
  }

  get wiring(): SessionWiring {
    return this.#staged.reduce((wiring, { change }) => configured(wiring, change), this.#wiring);
  }

  /** Without waiting for a commit: whatever commits next records it. */
  state(change: SettingsChange): void {
    this.#staged = [...this.#staged, { change, isMade: true }];
    this.#isUnjournaled = true;
    this.#fold();
  }

  /** Whether something was stated that no journal has; asked once, because whoever asks journals it. */
  takeUnjournaled(): boolean {
    const taken = this.#isUnjournaled;
    this.#isUnjournaled = false;
    return taken;
  }

  /** @param record - makes the change durable; where it fails, nothing was stated. */
  async change(change: SettingsChange, record: () => Promise<void>): Promise<void> {
    const staged = { change, isMade: false };
    this.#staged = [...this.#staged, staged];
    try {
      await record();
      staged.isMade = true;
    } finally {
      if (!staged.isMade) this.#staged = this.#staged.filter((each) => each !== staged);
      this.#fold();
    }
  }

  /** Only from the front: what was asked for later wins, whichever of them was recorded first. */
  #fold(): void {
    for (let [first] = this.#staged; first?.isMade; [first] = this.#staged) {
      this.#wiring = configured(this.#wiring, first.change);
      this.#staged = this.#staged.slice(1);
    }
  }
}

/** A type: it goes into JSON. */
export type JournaledChanges = { readonly toolChange?: ToolChange; readonly settings?: Pick<SessionSettings, "policy" | "prompt"> };

/** For the journal, beside an outcome of the turn: changes of settings and of tools that are in no journal yet. */
export function takeChanges(stated: StatedSettings, resident: Resident, turn: TurnRecord): JournaledChanges {
  const toolChange = stated.wiring.tools.takeChange();
  if (!stated.takeUnjournaled()) return toolChange ? { toolChange } : {};
  const { policy, prompt } = settingsOf(stated.wiring, resident, turn);
  return { ...(toolChange && { toolChange }), settings: { policy, prompt } };
}

/** Whether a commit of these settings would say nothing new. */
export const areRecorded = ({ policy, prompt }: SessionSettings, { headRevision, head, prompt: recorded }: Resident): boolean =>
  headRevision > 0 && jsonEqual(policy, head.policy) && jsonEqual(prompt, recorded);

/**
 * The part of a commit that records settings; prompt and tools only where they have changed, because they may be long.
 *
 * @param pluginSnapshot - state of plugins, where that has changed.
 */
export function recording(
  { policy, prompt, tools }: SessionSettings,
  resident: Resident,
  pluginSnapshot: Json | undefined,
): { readonly policy: SessionPolicy } & Pick<SessionCommit, "components"> {
  const components = {
    ...(!jsonEqual(prompt, resident.prompt) && { prompt: jsonEqual(prompt, NO_PROMPT) ? null : (prompt as ComponentBody) }),
    ...(tools && { toolState: tools }),
    ...(pluginSnapshot !== undefined && { pluginSnapshot }),
  };
  return Object.keys(components).length > 0 ? { policy, components } : { policy };
}

/** @throws LashError `stored_row_invalid` - what is stored is no layer of a prompt. */
export function storedPrompt(body: ComponentBody | undefined): PromptLayer {
  if (body === undefined) return NO_PROMPT;
  const parsed = z.safeParse(promptLayer, body);
  if (parsed.success) return parsed.data as PromptLayer;
  throw storeError("stored_row_invalid", "what is stored as the session's prompt is none");
}
