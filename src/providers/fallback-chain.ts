// Providers that stand in for each other: where the ladder of one gives up with a failure that may pass, the next is asked.
//
//   FC1. What the one before had shown is withdrawn before the next says anything.
//   FC2. An answer has the origin of whoever gave it; what is bound to one is not sent to another (ME-3).
//   FC3. All attempts of all of them are told and counted (OP-21).

import type { LlmAttempt, LlmRequest, LlmResponse, LlmStreamEvent, Provider, ProviderCall, ProviderFailure } from "./contract.ts";
import { deliver } from "./deliver.ts";
import { ProviderError } from "./failure.ts";

/** One of them, and the model that it is asked for. */
export interface ChainMember {
  readonly provider: Provider;
  /** Undefined: what the request names, which only the first one is asked for; the others have their own. */
  readonly model: string | undefined;
  readonly variant: string | undefined;
}

const chains = new WeakMap<Provider, readonly ChainMember[]>();

/** @param chain - the members behind `provider`, which is asked by asking them. */
export const remember = (provider: Provider, chain: readonly ChainMember[]): void => void chains.set(provider, chain);

/** Undefined for any other provider, also for one that a host has wrapped. */
export const chainOf = (provider: Provider): readonly ChainMember[] | undefined => chains.get(provider);

/** @param ladderOf - a member's provider with its ladder of attempts. */
export function withChain(provider: Provider, chain: readonly ChainMember[], ladderOf: (provider: Provider) => Provider): Provider {
  const members = chain.map((member) => ({ ...member, provider: ladderOf(member.provider) }));
  const { id, modelId, variants, streams } = provider;
  return {
    id,
    ...(modelId !== undefined && { modelId }),
    ...(variants && { variants }),
    ...(streams !== undefined && { streams }),
    get options() {
      return provider.options ?? {};
    },
    get wire() {
      return provider.wire ?? {};
    },
    complete: (request, call) => askInTurn(members, modelId, request, call),
    close: async () => {
      for (const member of members) await member.provider.close?.();
    },
  };
}

async function askInTurn(members: readonly ChainMember[], ownModel: string | undefined, request: LlmRequest, call: ProviderCall): Promise<LlmResponse> {
  const attempts: LlmAttempt[] = [];
  for (const [index, member] of members.entries()) {
    const next = members[index + 1];
    const shown = new ShownItems();
    const own = requestTo(member, index === 0, ownModel, request);
    try {
      const response = await member.provider.complete(own, next ? shown.watching(call) : call);
      const origin = response.origin ?? { provider: member.provider.id, model: own.model || (member.provider.modelId ?? "") };
      return { ...response, origin, ...(attempts.length > 0 && { attempts: numbered([...attempts, ...(response.attempts ?? [])]) }) };
    } catch (error) {
      if (!ProviderError.is(error)) throw error;
      const { failure, cause, partial } = error;
      attempts.push(...error.attempts);
      if (!next || !failure.retryable || call.signal.aborted) throw new ProviderError(failure, { cause, attempts: numbered(attempts), partial });
      await deliver(call, goingOn(failure, member, next));
      await deliver(call, shown.reset());
    }
  }
  throw new TypeError("fallback() has no providers");
}

/** Names and settings of a model mean nothing to another provider. */
function requestTo({ model, variant }: ChainMember, isFirst: boolean, ownModel: string | undefined, request: LlmRequest): LlmRequest {
  const { model: asked, modelVariant, media, ...rest } = request;
  const isNamed = isFirst && asked !== "" && asked !== ownModel;
  const chosen = isFirst ? (modelVariant ?? variant) : variant;
  return { ...rest, model: isNamed ? asked : (model ?? ""), ...(chosen !== undefined && { modelVariant: chosen }), ...(isFirst && media && { media }) };
}

const goingOn = ({ message }: ProviderFailure, { provider: before }: ChainMember, { provider: next }: ChainMember): LlmStreamEvent => ({
  type: "retryStatus",
  waitSeconds: 0,
  attempt: 1,
  maxAttempts: next.options?.reliability?.retry?.maxAttempts ?? 1,
  reason: `${before.id}: ${message.slice(0, 400)}; ${next.id} is asked instead`,
});

const numbered = (attempts: readonly LlmAttempt[]): readonly LlmAttempt[] => attempts.map((attempt, index) => ({ ...attempt, attempt: index + 1 }));

/** Items that were shown live since the last reset. */
class ShownItems {
  #prose = new Set<string>();
  #reasoning = new Set<string>();
  /** Nearly every delta continues the item before it. */
  #last = "";

  watching(call: ProviderCall): ProviderCall {
    if (!call.onStreamEvent) return call;
    return {
      ...call,
      onStreamEvent: (event) => {
        this.#take(event);
        return call.onStreamEvent?.(event);
      },
    };
  }

  reset(): LlmStreamEvent {
    return { type: "modelAttemptReset", proseItemIds: [...this.#prose], reasoningItemIds: [...this.#reasoning] };
  }

  #take(event: LlmStreamEvent): void {
    if (event.type === "modelAttemptReset") {
      this.#prose = new Set();
      this.#reasoning = new Set();
      this.#last = "";
    } else if (event.type === "textDelta" || event.type === "reasoningDelta") {
      if (this.#last === event.itemId) return;
      this.#last = event.itemId;
      (event.type === "textDelta" ? this.#prose : this.#reasoning).add(event.itemId);
    }
  }
}
