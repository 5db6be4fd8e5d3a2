// Providers with their ladder of attempts, one and the same for one provider: its rate limits count across sessions (PP-14).

import { builtInRedactor, type Redactor } from "../domain/redactor.ts";
import type { Provider } from "./contract.ts";
import { withRetry } from "./retry.ts";

export class ProviderLadders {
  /** Kept no longer than the host keeps the provider. */
  readonly #ladders = new WeakMap<Provider, Provider>();
  readonly #own = new Set<Provider>();
  readonly #redactor: Redactor;

  constructor(redactor: Redactor = builtInRedactor) {
    this.#redactor = redactor;
  }

  of(provider: Provider): Provider {
    const ladder = this.#ladders.get(provider) ?? withRetry(provider, { redactor: this.#redactor, ladderOf: (each) => this.of(each) });
    this.#ladders.set(provider, ladder);
    return ladder;
  }

  /** As `of`, for a provider that is closed by `close`. */
  ownOf(provider: Provider): Provider {
    const ladder = this.of(provider);
    this.#own.add(ladder);
    return ladder;
  }

  async close(): Promise<void> {
    for (const ladder of this.#own) await ladder.close?.();
  }
}
