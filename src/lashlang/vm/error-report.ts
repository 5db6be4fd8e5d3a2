// Runtime errors as text with position and hint (`LL-103`, `LL-104`).
import { renderDiagnostic } from "../diagnostics/render.ts";
import type { RuntimeError } from "./vm.ts";

const HINTS: readonly (readonly [pattern: string, hint: string])[] = [
  ["`?` unwrapped failed", "leave out `?` and look at `.ok` and `.error` to handle a failure"],
  ["is a read-only projected binding", "copy it into a new variable first, then change the copy"],
  ["`validate` requires a Type literal", "pass `Type { field: type, ... }` as the second argument"],
];

const hintFor = (message: string): string | null =>
  HINTS.find(([pattern]) => message.includes(pattern))?.[1] ?? null;

/** Message, position and source line with a caret; the bare message when the program carries no positions. */
export function renderRuntimeError(source: string, error: RuntimeError): string {
  const hint = hintFor(error.message);
  if (error.span !== undefined) return renderDiagnostic(source, { message: error.message, span: error.span, hint });
  return hint === null ? error.message : `${error.message}\nhint: ${hint}`;
}
