import { type RedactRules, redactorOf, type Redactor } from "../../domain/redactor.ts";
import type { JsonObject } from "../../domain/json.ts";
import { copyJson } from "../../domain/copy-json.ts";
import type { LlmStreamEvent, Provider, ProviderCall } from "../../providers/contract.ts";
import { deliver } from "../../providers/deliver.ts";
import { failureOf, withoutSecrets } from "../../providers/failure.ts";
import { providerWith } from "../watched.ts";
import { type Cassette, type CassetteCall, comparableOf, hashOf, packed, PROVIDER_FACTS, type RecordedEvent } from "./cassette.ts";

export interface RecordOptions {
  /** Secrets that only you know of, as in `createLash`: they are taken out as well. Give the same rules to `replayProvider`. */
  readonly redact?: RedactRules;
}

/** A provider that passes everything on, and keeps what was said. */
export interface RecordingProvider extends Provider {
  /** All calls that have ended, in the order in which they began. For `JSON.stringify` and `replayProvider`. */
  toJSON(): Cassette;
}

/**
 * Records what a provider is asked and what it answers: stream, response and failure of every call.
 *
 * Headers and ids of session and turn are not recorded, and what looks like a secret is `[redacted]`: keys and tokens, values that
 * are secret by name (`password`, `signature` ..), and what `redact` names. A replay says `[redacted]` there, too. What users
 * say, what models answer and what tools give is recorded as it is, so look at a cassette before you publish it.
 *
 * A call that is aborted is not recorded, because its provider gave no answer.
 *
 * @throws LashError `invalid_argument` - rules that cannot be.
 */
export function recordProvider(provider: Provider, options: RecordOptions = {}): RecordingProvider {
  const redactor = redactorOf(options.redact);
  const calls: (CassetteCall | undefined)[] = [];
  const recording = providerWith(provider, async (request, call) => {
    const at = calls.push(undefined) - 1;
    // Before the provider is asked: whoever gave the request may go on building it.
    const comparable = comparableOf(request, redactor);
    const heard: RecordedEvent[] = [];
    const keep = (answer: (files: string[]) => Pick<CassetteCall, "response" | "failure">): void => {
      if (call.signal.aborted) return;
      const files: string[] = [];
      const events = withoutSplitSecrets(heard, redactor).map((event) => packed(event, redactor, files));
      calls[at] = { hash: hashOf(comparable), request: comparable, events, ...answer(files), ...(files.length > 0 && { files }) };
    };
    try {
      const response = await provider.complete(request, listening(call, heard));
      keep((files) => ({ response: packed(response, redactor, files) }));
      return response;
    } catch (error) {
      const failure = failureOf(error);
      keep(() => ({ failure: withoutSecrets(provider.classify?.(failure) ?? failure, redactor) }));
      throw error;
    }
  });
  return Object.assign(recording, {
    toJSON: (): Cassette => ({ version: 1, provider: factsOf(provider), calls: calls.filter((call) => call !== undefined) }),
  });
}

function factsOf(provider: Provider): Cassette["provider"] {
  const facts: Record<string, unknown> = { classifies: provider.classify !== undefined };
  for (const fact of PROVIDER_FACTS) if (provider[fact] !== undefined) facts[fact] = provider[fact];
  return copyJson(facts) as JsonObject & { readonly id: string };
}

/** The call, overheard. */
function listening(call: ProviderCall, heard: RecordedEvent[]): ProviderCall {
  const { onProviderTrace } = call;
  return {
    signal: call.signal,
    clock: call.clock,
    onStreamEvent(event) {
      heard.push(event);
      return deliver(call, event);
    },
    onProgress(chars) {
      heard.push({ type: "progress", chars });
      call.onProgress?.(chars);
    },
    ...(onProviderTrace && { onProviderTrace: (raw: unknown) => onProviderTrace.call(call, raw) }),
  };
}

/** A secret may be cut in two by the stream: where it is, all of its text comes with the first delta. */
function withoutSplitSecrets(events: readonly RecordedEvent[], { text: clean }: Redactor): readonly RecordedEvent[] {
  const whole = new Map<string, string>();
  for (const event of events) if (isDelta(event)) whole.set(keyOf(event), (whole.get(keyOf(event)) ?? "") + event.text);
  const told = new Set<string>();
  return events.map((event) => {
    if (!isDelta(event)) return event;
    const key = keyOf(event);
    const text = clean(whole.get(key) ?? "");
    if (text === whole.get(key)) return event;
    const isFirst = !told.has(key);
    told.add(key);
    return { ...event, text: isFirst ? text : "" };
  });
}

type Delta = Extract<LlmStreamEvent, { readonly text: string }>;

const isDelta = (event: RecordedEvent): event is Delta => "text" in event;

const keyOf = (event: Delta): string => JSON.stringify([event.type, "itemId" in event ? event.itemId : event.callId]);
