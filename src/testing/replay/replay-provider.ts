import type { Json, JsonObject } from "../../domain/json.ts";
import { type RedactRules, redactorOf } from "../../domain/redactor.ts";
import type { LlmRequest, LlmResponse, Provider, ProviderCall, ProviderOptions } from "../../providers/contract.ts";
import { deliver } from "../../providers/deliver.ts";
import { cancelledFailure, ProviderError, providerFailure } from "../../providers/failure.ts";
import { type Cassette, type CassetteCall, comparableOf, hashOf, PROVIDER_FACTS, type RecordedEvent, unpacked } from "./cassette.ts";
import { firstDifference, type RequestDifference, tellDifference } from "./difference.ts";

export interface ReplayOptions {
  /**
   * What happens with a request that was not recorded. `error` (default): the call fails with a `ReplayMismatch`, which is not retried.
   * A provider: it is asked instead, for instance about a tool that a crash interrupted.
   */
  readonly onMismatch?: "error" | Provider;
  /** The rules that `recordProvider` was given. */
  readonly redact?: RedactRules;
  /** In place of the recorded ones. */
  readonly options?: ProviderOptions;
  /** As the recorded provider has it; a function cannot be recorded. */
  readonly sameOrigin?: NonNullable<Provider["sameOrigin"]>;
}

/** A model that says what it said before. */
export interface ReplayProvider extends Provider {
  /** Recorded calls that nobody asked for yet, by their place in the cassette. Empty after a test that did everything that was recorded. */
  readonly unused: readonly number[];
  /** Requests that were not recorded, in the order in which they came. */
  readonly mismatches: readonly ReplayMismatch[];
}

/** Code of the failure of a request that was not recorded. */
const MISMATCH = "replay_mismatch";

/** A request that was not recorded. As a failure of the model call its code is `replay_mismatch`. */
export class ReplayMismatch extends ProviderError {
  /** Place in the cassette of the call that it is compared with: the first one that nobody asked for yet. Absent: there is none. */
  readonly comparedWith?: number;
  /** Where it first differs from that call. */
  readonly difference?: RequestDifference;

  constructor(message: string, where?: { readonly comparedWith: number; readonly difference: RequestDifference }) {
    super(providerFailure("validation", message, { code: MISMATCH }));
    if (where) {
      this.comparedWith = where.comparedWith;
      this.difference = where.difference;
    }
  }
}

/**
 * Answers from a recording. A request gets the answer to the request that said the same; of several, the first asker gets the first
 * one, and so on, and the last one serves all beyond: a process that was killed asks again. Streams and failures come as they were
 * recorded, without the time that they took.
 *
 * @param cassette - what `recordProvider(...).toJSON()` gave.
 * @throws TypeError - it is no cassette of a version that this one reads.
 */
export function replayProvider(cassette: Cassette, options: ReplayOptions = {}): ReplayProvider {
  checkCassette(cassette);
  const { calls, provider } = cassette;
  const { onMismatch = "error", sameOrigin } = options;
  const redactor = redactorOf(options.redact);
  const asked = new Map<string, number>();
  const used = new Set<number>();
  const mismatches: ReplayMismatch[] = [];
  const unused = (): readonly number[] => calls.flatMap((_, index) => (used.has(index) ? [] : [index]));

  const recorded = (hash: string): CassetteCall | undefined => {
    const places = calls.flatMap((call, index) => (call.hash === hash ? [index] : []));
    const nth = asked.get(hash) ?? 0;
    const place = places[Math.min(nth, places.length - 1)];
    if (place === undefined) return undefined;
    asked.set(hash, nth + 1);
    used.add(place);
    return calls[place];
  };
  const mismatch = (request: JsonObject): ReplayMismatch => {
    const [comparedWith = calls.length - 1] = unused();
    const difference = firstDifference(calls[comparedWith]?.request, request);
    if (!difference || calls.length === 0) return new ReplayMismatch("the recording has no calls; record it again");
    return new ReplayMismatch(`this request was not recorded. It differs from recorded call ${comparedWith + 1} of ${calls.length} ${tellDifference(difference)}. Record again, or give \`onMismatch\` a provider that answers it`, { comparedWith, difference });
  };

  return {
    ...describedBy(provider),
    ...(options.options && { options: options.options }),
    ...(sameOrigin && { sameOrigin }),
    get unused() {
      return unused();
    },
    mismatches,
    async complete(request: LlmRequest, call: ProviderCall) {
      const comparable = comparableOf(request, redactor);
      const found = recorded(hashOf(comparable));
      if (found) return play(found, call);
      const error = mismatch(comparable);
      mismatches.push(error);
      if (onMismatch === "error") throw error;
      return onMismatch.complete(request, call);
    },
  };
}

async function play({ events, response, failure, files = [] }: CassetteCall, call: ProviderCall): Promise<LlmResponse> {
  const mustGoOn = (): void => {
    if (call.signal.aborted) throw new ProviderError(cancelledFailure());
  };
  mustGoOn();
  for (const each of events) {
    const event = unpacked<RecordedEvent>(each, files);
    if (event.type === "progress") call.onProgress?.(event.chars);
    else await deliver(call, event);
    mustGoOn();
  }
  if (failure) throw new ProviderError(failure);
  return unpacked<LlmResponse>(response ?? {}, files);
}

function describedBy(facts: Cassette["provider"]): Pick<Provider, (typeof PROVIDER_FACTS)[number] | "classify"> {
  const known = Object.fromEntries(PROVIDER_FACTS.flatMap((fact): [string, Json][] => (facts[fact] === undefined ? [] : [[fact, facts[fact]]])));
  // Recorded failures are classified already.
  return { ...(known as unknown as Pick<Provider, "id">), ...(facts["classifies"] === true && { classify: (failure) => failure }) };
}

function checkCassette(cassette: Cassette): void {
  const { version, provider, calls }: { version?: unknown; provider?: { id?: unknown }; calls?: unknown } = { ...cassette };
  if (version !== 1) throw new TypeError(`no cassette of version 1, which \`recordProvider(...).toJSON()\` makes, but ${version === undefined ? "something without a version" : `version ${String(version)}`}; record it again`);
  if (typeof provider?.id !== "string" || !Array.isArray(calls)) throw new TypeError("the cassette has no provider or no calls; record it again");
}
