// StreamAccumulator: what one attempt has streamed so far, and how that completes its response (T-43, T-44).
//   A1. Parts stand in order of first appearance, which is the order the model produced them (PP-7).
//   A2. Merging never shows the same text twice, and never loses text that only the stream carried.
//   A3. What really came twice stays twice: an id alone does not make two parts one (ME-1).
//   A4. Usage that goes on from here is whole numbers of tokens: others can be neither stored nor summed (PP-5).

import { canonicalJson, type Json } from "../domain/json.ts";
import { countedUsage, isZeroUsage, miscountedIn, type TokenUsage } from "../domain/usage.ts";
import type {
  LlmOutputPart,
  LlmReasoningPart,
  LlmResponse,
  LlmStreamEvent,
  LlmTextPart,
  LlmToolCallPart,
} from "./contract.ts";

interface Block {
  readonly type: "text" | "reasoning";
  /** Null when the stream named none. */
  readonly itemId: string | null;
  text: string;
  /** Metadata of the reconciling part, once it came. */
  part: LlmTextPart | LlmReasoningPart | null;
}

type SpokenPart = LlmTextPart | LlmReasoningPart;
type OtherPart = Exclude<LlmOutputPart, SpokenPart>;

/** A part that comes in one piece. */
interface Whole {
  readonly type: "whole";
  part: OtherPart;
}

type Entry = Block | Whole;

const isSpoken = (part: LlmOutputPart): part is SpokenPart => part.type === "text" || part.type === "reasoning";

/** What a part that comes in one piece is known by; undefined where it has nothing of its own. */
function idOf(part: OtherPart): string | undefined {
  switch (part.type) {
    case "toolCall":
    case "toolResult":
      return part.callId;
    case "approvalRequest":
      return part.approvalId;
    default:
      return undefined;
  }
}

export class StreamAccumulator {
  private entries: Entry[] = [];
  /** Entries by kind and id, so that a stream of very many blocks stays linear. */
  private index = new Map<string, Entry>();
  /** The block that the last delta went to: nearly every delta continues it. */
  private current: Block | null = null;
  private streamedUsage: TokenUsage | null = null;
  private sawText = false;
  /** Buckets of the usage that were reported with what is no number of tokens. */
  private miscounted = new Set<string>();

  /** The last usage the stream reported, null when none. */
  get usage(): TokenUsage | null {
    return this.streamedUsage;
  }

  /** Some visible text was streamed in this attempt. */
  get hasText(): boolean {
    return this.sawText;
  }

  push(event: LlmStreamEvent): void {
    switch (event.type) {
      case "textDelta":
        this.sawText = true;
        this.append("text", event.itemId, event.text);
        return;
      case "reasoningDelta":
        this.append("reasoning", event.itemId, event.text);
        return;
      case "part":
        this.reconcile(event.part);
        return;
      case "usage":
        this.streamedUsage = this.counted(event.usage);
        return;
      case "modelAttemptReset":
        this.reset();
        return;
      case "retryStatus":
      // The call itself comes whole, as a part.
      case "toolInputStart":
      case "toolInputDelta":
      case "toolInputEnd":
    }
  }

  /** Forgets the attempt: a new one starts from nothing. */
  reset(): void {
    this.entries = [];
    this.index = new Map();
    this.current = null;
    this.streamedUsage = null;
    this.sawText = false;
    this.miscounted = new Set();
  }

  /** Ids under which something was shown live, to withdraw it. */
  streamedItemIds(type: "text" | "reasoning"): string[] {
    const ids: string[] = [];
    for (const entry of this.entries) {
      if (entry.type === type && entry.itemId !== null && entry.text !== "") ids.push(entry.itemId);
    }
    return ids;
  }

  /** Everything streamed so far as parts, also of an answer that never finished. */
  parts(): LlmOutputPart[] {
    const parts: LlmOutputPart[] = [];
    for (const entry of this.entries) {
      if (entry.type === "whole") parts.push(entry.part);
      else if (entry.part !== null || entry.text !== "") parts.push(partOf(entry));
    }
    return parts;
  }

  /** Completes a response with what only the stream carried: parts, usage, text. */
  complete(response: LlmResponse): LlmResponse {
    const parts = mergeParts(response.parts, this.parts());
    const counted = this.counted(response.usage);
    const usage = isZeroUsage(counted) && this.streamedUsage !== null ? this.streamedUsage : counted;
    const fullText = joinText(parts);
    const warnings = this.miscounted.size > 0 && { warnings: [...(response.warnings ?? []), miscountWarning(this.miscounted)] };
    return { ...response, parts, usage, fullText: fullText === "" ? response.fullText : fullText, ...warnings };
  }

  private counted(reported: TokenUsage): TokenUsage {
    for (const bucket of miscountedIn(reported)) this.miscounted.add(bucket);
    return countedUsage(reported);
  }

  private append(type: Block["type"], itemId: string, text: string): void {
    let block = this.current;
    if (block === null || block.itemId !== itemId || block.type !== type) {
      block = this.blockOf(type, itemId);
      this.current = block;
    }
    block.text += text;
  }

  private blockOf(type: Block["type"], itemId: string): Block {
    const known = this.index.get(`${type}:${itemId}`);
    if (known !== undefined && known.type !== "whole") return known;
    const block: Block = { type, itemId, text: "", part: null };
    this.entries.push(block);
    this.index.set(`${type}:${itemId}`, block);
    return block;
  }

  private reconcile(part: LlmOutputPart): void {
    if (!isSpoken(part)) {
      this.reconcileWhole(part);
      return;
    }
    const block =
      part.itemId === undefined ? this.blockWithText(part.type, part.text) : this.blockOf(part.type, part.itemId);
    block.part = { ...block.part, ...part };
  }

  private reconcileWhole(part: OtherPart): void {
    const id = idOf(part);
    const key = `${part.type}:${id}`;
    const known = id === undefined ? undefined : this.index.get(key);
    if (known?.type === "whole" && isRepeated(known.part, part)) {
      known.part = part;
      return;
    }
    const entry: Entry = { type: "whole", part };
    this.entries.push(entry);
    if (id !== undefined) this.index.set(key, entry);
    // A call under an id that is used again: its result is another one, too.
    if (part.type === "toolCall" && known !== undefined) this.index.delete(`toolResult:${id}`);
  }

  /** A part without an id belongs to the block whose text it repeats or extends, else it opens one. */
  private blockWithText(type: Block["type"], text: string): Block {
    for (const entry of this.entries) {
      if (entry.type !== type || entry.text === "" || !contains(text, entry.text)) continue;
      if (entry.part === null || entry.part.text === text) return entry;
    }
    const block: Block = { type, itemId: null, text: "", part: null };
    this.entries.push(block);
    return block;
  }
}

/** As the model interface words its own. */
const miscountWarning = (miscounted: ReadonlySet<string>): Json => ({
  type: "other",
  message: `what the provider reported as ${[...miscounted].join(", ")} is no number of tokens, and counts as not reported`,
});

/** Whether a part that came again under its id is the same one, further on, and not another one that has its id. */
function isRepeated(before: OtherPart, now: OtherPart): boolean {
  return before.type !== "toolCall" || now.type !== "toolCall" || (before.toolName === now.toolName && now.inputJson.startsWith(before.inputJson));
}

function partOf({ type, itemId, text, part }: Block): LlmOutputPart {
  const id = part?.itemId ?? itemId;
  return { ...part, type, text: settledText(part?.text ?? "", text), ...(id === null ? {} : { itemId: id }) };
}

/**
 * Joins the parts of a response with those of its stream. A part known to both keeps the response's place and
 * fields, gains what it lacked, and has the longer text; a part known to the stream only goes after the part it
 * followed there.
 */
export function mergeParts(response: readonly LlmOutputPart[], streamed: readonly LlmOutputPart[]): LlmOutputPart[] {
  if (response.length === 0) return [...streamed];
  const merged = [...response];
  const own = new Set(response);
  const taken = new Set<LlmOutputPart>();
  const known = wordsOf(response, streamed);
  let place = 0;
  for (const part of streamed) {
    const at = placeOf(part, merged, taken, own, place);
    const same = merged[at];
    if (same !== undefined) {
      const joined = joinParts(same, part);
      merged[at] = joined;
      taken.add(joined);
      place = at + 1;
    } else if (!repeatsText(part, known)) {
      merged.splice(place, 0, part);
      taken.add(part);
      place += 1;
    }
  }
  return merged;
}

/** Looks where it is expected first: streams rarely differ from responses in order. */
function placeOf(part: LlmOutputPart, among: readonly LlmOutputPart[], taken: ReadonlySet<LlmOutputPart>, own: ReadonlySet<LlmOutputPart>, hint: number): number {
  if (among[hint] === part) return hint;
  if (own.has(part) && !taken.has(part)) return among.indexOf(part);
  const matches = (candidate: LlmOutputPart | undefined): boolean =>
    candidate !== undefined && !taken.has(candidate) && isSamePart(candidate, part);
  return matches(among[hint]) ? hint : among.findIndex(matches);
}

/** Visible text of parts, in order. */
export function joinText(parts: readonly LlmOutputPart[]): string {
  let text = "";
  for (const part of parts) if (part.type === "text") text += part.text;
  return text;
}

function isSamePart(a: LlmOutputPart, b: LlmOutputPart): boolean {
  if (a.type === "toolCall") {
    return b.type === "toolCall" && ((a.callId === b.callId && isSameCall(a, b)) || isSameId(a.replay?.itemId, b.replay?.itemId));
  }
  if (!isSpoken(a) || !isSpoken(b)) return !isSpoken(a) && a.type === b.type && contentOf(a) === contentOf(b);
  if (a.type !== b.type) return false;
  if (a.itemId !== undefined && b.itemId !== undefined) return a.itemId === b.itemId;
  if (a.type === "reasoning" && b.type === "reasoning") {
    const [left, right] = [a.replay, b.replay];
    if (isSameId(left?.itemId, right?.itemId) || isSameId(left?.encryptedContent, right?.encryptedContent)) return true;
    if (left?.encryptedContent !== undefined && right?.encryptedContent !== undefined) return false;
  }
  return contains(a.text, b.text);
}

const isSameCall = (a: LlmToolCallPart, b: LlmToolCallPart): boolean =>
  a.toolName === b.toolName && (a.inputJson.startsWith(b.inputJson) || b.inputJson.startsWith(a.inputJson));

/** Bytes are told apart by their number: a part that is one and the same object has been found before. */
function contentOf(part: LlmOutputPart): string {
  if (part.type !== "file" && part.type !== "reasoningFile") return canonicalJson(part);
  const { data, ...rest } = part;
  return canonicalJson({ ...rest, bytes: data?.byteLength ?? 0 });
}

interface Words {
  readonly text: string;
  readonly reasoning: string;
  /** Stream and response name their texts alike: one whose id the response does not have is not in it. */
  readonly sharesIds: boolean;
}

function wordsOf(response: readonly LlmOutputPart[], streamed: readonly LlmOutputPart[]): Words {
  const spoken = response.filter(isSpoken);
  const ids = new Set(spoken.flatMap(({ type, itemId }) => (itemId === undefined ? [] : [`${type}:${itemId}`])));
  const joined = (type: SpokenPart["type"]): string => spoken.map((part) => (part.type === type ? part.text : "")).join("");
  const sharesIds = ids.size > 0 && streamed.some((part) => isSpoken(part) && part.itemId !== undefined && ids.has(`${part.type}:${part.itemId}`));
  return { text: joined("text"), reasoning: joined("reasoning"), sharesIds };
}

/** The stream may cut one text into blocks that the response gives as a whole. */
function repeatsText(part: LlmOutputPart, known: Words): boolean {
  if (!isSpoken(part) || part.text === "" || (known.sharesIds && part.itemId !== undefined)) return false;
  if (part.type === "reasoning" && part.replay !== undefined) return false;
  return known[part.type].includes(part.text);
}

function joinParts(response: LlmOutputPart, streamed: LlmOutputPart): LlmOutputPart {
  if (!isSpoken(response) || !isSpoken(streamed)) {
    return { ...streamed, ...response } as LlmOutputPart;
  }
  return { ...streamed, ...response, text: settledText(response.text, streamed.text) } as LlmOutputPart;
}

const isSameId = (a: string | undefined, b: string | undefined): boolean => a !== undefined && a === b;

const contains = (a: string, b: string): boolean => a === b || (a !== "" && b !== "" && (a.includes(b) || b.includes(a)));

/** The settled text rules, unless the stream has all of it and more. */
const settledText = (settled: string, streamed: string): string => (streamed.includes(settled) ? streamed : settled);
