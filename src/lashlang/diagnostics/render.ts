// Turns a message and a span into the text that models and people read (`LL-103`).
import type { Span } from "../syntax/span.ts";

export interface Diagnostic {
  readonly message: string;
  readonly span: Span;
  readonly hint: string | null;
}

/** 1-based line, and 1-based column counted in characters, not UTF-16 units. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Excerpts of longer lines are cut around the span, so that a minified program cannot flood a prompt. */
const MAX_EXCERPT = 200;

export function positionAt(source: string, offset: number): Position {
  const at = Math.min(Math.max(offset, 0), source.length);
  let line = 1;
  let lineStart = 0;
  for (let next = source.indexOf("\n"); next >= 0 && next < at; next = source.indexOf("\n", lineStart)) {
    line += 1;
    lineStart = next + 1;
  }
  return { line, column: characterCount(source.slice(lineStart, at)) + 1 };
}

export function renderDiagnostic(source: string, { message, span, hint }: Diagnostic): string {
  const { line, column } = positionAt(source, span.start);
  const start = Math.min(Math.max(span.start, 0), source.length);
  const lineStart = start === 0 ? 0 : source.lastIndexOf("\n", start - 1) + 1;
  const lineBreak = source.indexOf("\n", start);
  const lineEnd = lineBreak < 0 ? source.length : lineBreak;
  const end = Math.min(Math.max(span.end, start), lineEnd);

  const before = Array.from(source.slice(lineStart, start));
  const inside = Array.from(source.slice(start, end));
  const after = Array.from(source.slice(end, lineEnd).replace(/\r$/, ""));
  const shownBefore = before.length > MAX_EXCERPT ? before.slice(-MAX_EXCERPT / 2) : before;
  const shownInside = inside.slice(0, MAX_EXCERPT);
  const shownAfter = after.slice(0, Math.max(0, MAX_EXCERPT - shownBefore.length - shownInside.length));

  // A tab stays a tab under its own line, so that the caret lines up whatever the tab width is.
  const indent = shownBefore.map((character) => (character === "\t" ? "\t" : " ")).join("");
  const underline = `^${"~".repeat(Math.max(0, shownInside.length - 1))}`;
  const lines = [
    message,
    `--> line ${line}, column ${column}`,
    [...shownBefore, ...shownInside, ...shownAfter].join(""),
    indent + underline,
  ];
  if (hint !== null) lines.push(`hint: ${hint}`);
  return lines.join("\n");
}

function characterCount(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}
