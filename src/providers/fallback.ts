// fallback(): providers that stand in for each other, as one provider.

import type { Provider } from "./contract.ts";
import { type ChainMember, remember, withChain } from "./fallback-chain.ts";
import { withRetry } from "./retry.ts";

/** A provider that stands in, with the model that it is asked for. */
export interface FallbackMember {
  readonly provider: Provider;
  /** Default: the provider's own model. */
  readonly model?: string;
  /** A named variant of that model. */
  readonly variant?: string;
}

export interface FallbackOptions {
  /**
   * Recorded with sessions: they are reopened with a provider of this id. Default: `fallback:` and the ids of the providers, with commas
   * between. Give the id of the first one to reopen sessions that were recorded with it alone.
   */
  readonly id?: string;
}

/**
 * Several providers as one: each call is made to the first, and where all its attempts have failed with a failure that may pass
 * (`retryable`), to the next. What the first had shown is taken back (`model_attempt_reset`), and the usage of all attempts counts.
 * A refusal that would come again (authentication, an invalid request) is nobody else's to answer and ends the call.
 *
 * The next call begins with the first again. Each provider keeps its own options, rate limits and wire, and is closed with this one.
 * Answers keep whose they are: what is bound to one provider is not sent to another.
 *
 * @param providers - in the order in which they are asked. A model that a session or turn names is asked of the first; the others are
 *   asked for their own, or for the one that is given here.
 * @example
 * createLash({ provider: fallback([aiSdk(openai("gpt-5")), aiSdk(anthropic("claude-sonnet-4-5"))]) });
 * @throws TypeError when there is no provider, or something among them is none.
 */
export function fallback(providers: readonly (Provider | FallbackMember)[], options: FallbackOptions = {}): Provider {
  const chain = chainFrom(providers);
  const [first] = chain;
  if (!first) throw new TypeError("fallback() needs at least one provider");
  const unknown = Object.keys(options).find((field) => field !== "id");
  if (unknown !== undefined) throw new TypeError(`${unknown} is no option of fallback(); known is id`);
  const { id = `fallback:${chain.map(({ provider }) => provider.id).join(",")}` } = options;
  if (typeof id !== "string" || id === "") throw new TypeError("id must be a text that is not blank");
  const { provider: leading, model } = first;
  const modelId = model ?? leading.modelId;
  let alone: Provider | undefined;
  const provider: Provider = {
    id,
    ...(modelId !== undefined && { modelId }),
    ...(leading.variants && { variants: leading.variants }),
    streams: chain.some((member) => member.provider.streams !== false),
    get options() {
      return leading.options ?? {};
    },
    get wire() {
      return leading.wire ?? {};
    },
    // Where a host wraps it: then it is asked as it stands.
    complete: (request, call) => (alone ??= withChain(provider, chain, (each) => withRetry(each))).complete(request, call),
    close: async () => {
      for (const member of chain) await member.provider.close?.();
    },
  };
  remember(provider, chain);
  return provider;
}

function chainFrom(providers: readonly (Provider | FallbackMember)[]): readonly ChainMember[] {
  if (!Array.isArray(providers)) throw new TypeError("fallback() takes an array of providers");
  return providers.map((given: Provider | FallbackMember, index) => {
    const { provider, model, variant }: FallbackMember = typeof given === "object" && given !== null && "provider" in given ? given : { provider: given };
    if (typeof provider?.complete !== "function" || typeof provider.id !== "string") throw new TypeError(`fallback(): providers[${index}] is no provider`);
    return { provider, model, variant };
  });
}
