import { canonicalJson } from "../domain/json.ts";
import { sha256Hex } from "../domain/sha256.ts";
import type { TurnConfig } from "../domain/turn-config.ts";
import { shownText } from "./content.ts";
import type { PromptBuilt } from "./records.ts";

type Built = Omit<PromptBuilt, "type">;

/** A session's turns share their configuration, and hashing all tools costs as much as a turn. */
const known = new WeakMap<TurnConfig, Built>();

/** What the model is given beside the history, by hash: enough to see why a provider's prompt cache was missed. */
export function promptBuilt(config: TurnConfig): Built {
  let built = known.get(config);
  if (!built) {
    const { system, tools } = config;
    const hash = sha256Hex(system);
    built = {
      prompt_hash: hash,
      prompt_chars: system.length,
      components: [
        { id: "system", kind: "system_prompt", hash, chars: system.length },
        ...tools.map((tool) => {
          const text = canonicalJson({ ...tool });
          return { id: shownText(tool.name, 200), kind: "tool" as const, hash: sha256Hex(text), chars: text.length };
        }),
      ],
    };
    known.set(config, built);
  }
  return { ...built, components: built.components.map((component) => ({ ...component })) };
}
