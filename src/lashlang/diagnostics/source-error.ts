// Everything that can be wrong with a program before it runs: lexing, parsing and linking raise this one class.
import type { Span } from "../syntax/span.ts";
import { renderDiagnostic } from "./render.ts";

export type ParseErrorCode =
  | "UnterminatedString"
  | "InvalidNumber"
  | "UnexpectedCharacter"
  | "Expected"
  | "Unexpected"
  | "LoopControlOutsideLoop"
  | "SessionProcessAdminOutsideBlock"
  | "ForegroundControlInsideProcess"
  | "MissingFinishValue"
  | "SubmitRemoved"
  | "DeclarativeTriggerRemoved"
  | "InvalidLabelAnnotation"
  | "InvalidLabelTarget"
  | "NestingTooDeep";

export type LinkErrorCode =
  | "AbilityDisabled"
  | "DuplicateName"
  | "UnknownName"
  | "UnknownType"
  | "UnknownProcess"
  | "UnknownBuiltin"
  | "BareToolCall"
  | "UnknownOperation"
  | "NotAModule"
  | "ArgumentMismatch"
  | "TypeMismatch"
  | "AuthorityMismatch"
  | "OpaqueDescriptor"
  | "OutsideProcess"
  | "InvalidSignalName"
  | "InvalidTrigger";

export type SourceErrorCode = ParseErrorCode | LinkErrorCode;

export interface SourceErrorPlace {
  readonly phase: "parse" | "link";
  readonly code: SourceErrorCode;
  readonly span: Span;
  readonly source: string;
  readonly hint?: string | null;
  readonly declaration?: Span | null;
}

const brand = Symbol.for("lash-runtime.SourceError");

/**
 * A program that cannot run. Match `phase` and `code`; `message` is for people and models, and `render()` adds the
 * source line with a caret.
 */
export class SourceError extends Error {
  override readonly name = "SourceError";
  readonly [brand] = true; // instanceof fails across two installed copies
  declare readonly phase: "parse" | "link";
  declare readonly code: SourceErrorCode;
  declare readonly span: Span;
  /** What to try instead; null where nothing better than the message is known. */
  declare readonly hint: string | null;
  declare readonly source: string;
  /** Of the process whose body is wrong; null outside process bodies. */
  declare readonly declaration: Span | null;

  constructor(place: SourceErrorPlace, message: string) {
    super(message);
    Object.assign(this, { hint: null, declaration: null, ...place });
  }

  static is(error: unknown): error is SourceError {
    return typeof error === "object" && error !== null && brand in error;
  }

  /** Message, position, source line with a caret, hint: several lines, no newline at the end. */
  render(): string {
    return renderDiagnostic(this.source, this);
  }
}
