// A conversation as text for whoever sums it up, in slices that fit.
//
//   SS1. A call is never parted from its result.
//   SS2. A slice ends before something the user says or behind a complete batch, wherever one of the two is within it.
//   SS3. What does not fit on its own is cut in the middle, and says so.

import { isOwnCall, isOwnResult, type Message } from "./domain/messages.ts";
import { isSaidByUser } from "./domain/token-estimate.ts";
import { cutMiddle } from "./domain/truncate.ts";

/** What cannot be parted: one message, or an answer with calls and the results of them. */
export interface Piece {
  /** One per message. */
  readonly texts: readonly string[];
  /** A slice may well end behind it. */
  readonly isEnd: boolean;
}

export function piecesOf(messages: readonly Message[], textOf: (message: Message) => string): readonly Piece[] {
  const pieces: Piece[] = [];
  for (let at = 0; at < messages.length; ) {
    const end = pieceEnd(messages, at);
    const texts = messages.slice(at, end).map(textOf);
    at = end;
    const next = messages[end];
    pieces.push({ texts, isEnd: texts.length > 1 || next === undefined || isSaidByUser(next) });
  }
  return pieces;
}

/** Behind the piece that begins there. */
function pieceEnd(messages: readonly Message[], begin: number): number {
  let end = begin + 1;
  if (messages[begin]?.parts.some(isOwnCall) === true) while (messages[end]?.parts.some(isOwnResult) === true) end += 1;
  return end;
}

export interface Slice {
  readonly text: string;
  /** The piece that the next one begins with. */
  readonly next: number;
}

const BETWEEN = "\n\n";

/** @param most - characters. */
export function sliceOf(pieces: readonly Piece[], from: number, most: number): Slice {
  let size = 0;
  let next = from;
  let end = from;
  for (const piece of pieces.slice(from)) {
    const length = sizeOf(piece);
    if (size + length > most) {
      // One that has to be cut anyway is cut here, where enough of it is left.
      if (length > most && size <= most / 2) return { text: [...textsOf(pieces, from, next), ...cutTexts(piece.texts, most - size)].join(BETWEEN), next: next + 1 };
      break;
    }
    size += length;
    next += 1;
    if (piece.isEnd) end = next;
  }
  if (next === pieces.length || end === from) end = next;
  return { text: textsOf(pieces, from, end).join(BETWEEN), next: end };
}

const sizeOf = ({ texts }: Piece): number => texts.reduce((sum, text) => sum + text.length + BETWEEN.length, 0);

const textsOf = (pieces: readonly Piece[], from: number, to: number): readonly string[] => pieces.slice(from, to).flatMap(({ texts }) => texts);

/** The longest ones are cut to one length, the others are left as they are. */
function cutTexts(texts: readonly string[], most: number): readonly string[] {
  let left = most - BETWEEN.length * texts.length;
  let share = 0;
  for (const [index, { length }] of texts.toSorted((a, b) => a.length - b.length).entries()) {
    share = Math.max(0, Math.floor(left / (texts.length - index)));
    left -= Math.min(length, share);
  }
  return texts.map((text) => cutMiddle(text, share));
}
