// What a model is shown of a long tool result: its beginning and its end, and between them how much is missing. A function of the
// part alone, so that it is the same in every request.

import type { Part } from "./messages.ts";
import { utf8Length, utf8Prefix, utf8Suffix } from "./utf8.ts";

/** A part is shown in every call of its turn. */
const known = new WeakMap<Part, string>();

/** @returns the content of a part, cut where its `shownBytes` says so. */
export function shownContent(part: Part): string {
  if (part.shownBytes === undefined) return part.content;
  let shown = known.get(part);
  if (shown === undefined) {
    shown = cut(part, part.shownBytes);
    known.set(part, shown);
  }
  return shown;
}

function cut(part: Part, most: number): string {
  const { content } = part;
  const total = utf8Length(content);
  if (total <= most) return content;
  // The longest marker there can be: what is cut off has no more digits than the whole.
  const room = Math.max(0, most - utf8Length(marker(part, total, total, total)));
  const head = utf8Prefix(content, Math.ceil(room / 2));
  const tail = utf8Suffix(content, Math.floor(room / 2));
  const from = utf8Length(head);
  return `${head}${marker(part, total - from - utf8Length(tail), total, from)}${tail}`;
}

function marker({ id, toolCallId, restTool }: Part, omitted: number, total: number, from: number): string {
  const rest = restTool === undefined ? "" : `; read them with ${restTool} ${JSON.stringify({ result: id, from })}`;
  return `\n\n[${omitted} of ${total} bytes of the result of call ${JSON.stringify(toolCallId ?? "")} are left out here${rest}]\n\n`;
}
