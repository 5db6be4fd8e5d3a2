// What a running program can fail with. Thrown inside the VM, never past it: the VM turns it into an outcome.

/** The runtime error kinds of section 8, and `BoundExhausted` for a program that used up one of its bounds. */
export type ProgramErrorKind =
  | "UndefinedVariable"
  | "NonListIteration"
  | "SessionProcessAdminOutsideProcess"
  | "ForegroundControlInsideProcess"
  | "UnknownBuiltin"
  | "TypeError"
  | "ValueError"
  | "BoundExhausted";

/** UTF-16 offsets, `end` exclusive. */
export interface ErrorSpan {
  readonly start: number;
  readonly end: number;
}

/** The program did something that ends it. `message` is the reference's text, without position. */
export class ProgramError extends Error {
  override readonly name = "ProgramError";
  readonly kind: ProgramErrorKind;
  /** Where in the source, when that is narrower than the statement: a failing operation call. */
  readonly span: ErrorSpan | undefined;
  constructor(kind: ProgramErrorKind, message: string, span?: ErrorSpan) {
    super(message);
    this.kind = kind;
    this.span = span;
  }
}

export const typeError = (message: string): ProgramError => new ProgramError("TypeError", message);
export const valueError = (message: string, span?: ErrorSpan): ProgramError =>
  new ProgramError("ValueError", message, span);
export const unknownName = (name: string): ProgramError =>
  new ProgramError("UndefinedVariable", `unknown name \`${name}\``);
