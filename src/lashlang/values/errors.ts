// What a running program can fail with. Thrown inside the VM, never past it: the VM turns it into an outcome.

/** The runtime error kinds of section 8, and `BoundExhausted` for a program that used up one of its bounds (`LL-101`). */
export type ProgramErrorKind =
  | "UndefinedVariable"
  | "NonListIteration"
  | "SessionProcessAdminOutsideProcess"
  | "ForegroundControlInsideProcess"
  | "UnknownBuiltin"
  | "TypeError"
  | "ValueError"
  | "BoundExhausted";

/** The program did something that ends it. `message` is the reference's text, without position. */
export class ProgramError extends Error {
  override readonly name = "ProgramError";
  readonly kind: ProgramErrorKind;
  constructor(kind: ProgramErrorKind, message: string) {
    super(message);
    this.kind = kind;
  }
}

export const typeError = (message: string): ProgramError => new ProgramError("TypeError", message);
export const valueError = (message: string): ProgramError => new ProgramError("ValueError", message);
export const unknownName = (name: string): ProgramError =>
  new ProgramError("UndefinedVariable", `unknown name \`${name}\``);
