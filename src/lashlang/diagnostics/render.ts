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
  const lines = linesBefore(source, offset);
  return { line: lines.length, column: Array.from(lines.at(-1) as string).length + 1 };
}

/** The lines up to `offset`, the last one cut there. */
function linesBefore(source: string, offset: number): readonly string[] {
  return source.slice(0, Math.max(offset, 0)).split("\n");
}

export function renderDiagnostic(source: string, { message, span, hint }: Diagnostic): string {
  const { line, column } = positionAt(source, span.start);
  const before = Array.from(linesBefore(source, span.start).at(-1) as string);
  const rest = source.slice(Math.max(span.start, 0));
  const [inside = ""] = rest.slice(0, Math.max(span.end - span.start, 0)).split("\n");
  const [after = ""] = rest.slice(inside.length).split(/\r?\n/);
  const shownBefore = before.length > MAX_EXCERPT ? before.slice(-MAX_EXCERPT / 2) : before;
  const shownInside = Array.from(inside).slice(0, MAX_EXCERPT);
  const width = shownBefore.length + shownInside.length;
  const shownAfter = Array.from(after).slice(0, Math.max(0, MAX_EXCERPT - width));
  const lines = [
    message,
    `--> line ${line}, column ${column}`,
    [...shownBefore, ...shownInside, ...shownAfter].join(""),
    // A tab stays a tab under its own line, so that the caret lines up whatever the tab width is.
    `${shownBefore.join("").replace(/[^\t]/gu, " ")}^`.padEnd(width, "~"),
  ];
  if (hint !== null) lines.push(`hint: ${hint}`);
  return lines.join("\n");
}
