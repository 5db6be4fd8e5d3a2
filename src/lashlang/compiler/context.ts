// What the parts of the compiler see of each other.
import type { LinkedEntry, LinkedExpr, LinkedProcess, LinkedProgram } from "../linker/linked-program.ts";
import type { Eval } from "../vm/frame.ts";
import type { Assembler, Label } from "./assembler.ts";

/** A cell runs in the foreground of a session, a process in the background; some statements need one or the other. */
export type EntryMode = "cell" | "process";

export interface Context {
  readonly program: LinkedProgram;
  readonly entry: LinkedEntry;
  readonly mode: EntryMode;
  readonly code: Assembler;
  /** Break and continue targets of the loops around, innermost last. */
  readonly loops: { readonly exit: Label; readonly next: Label; readonly openSteps: number }[];
  /** Sites of the labeled statements around, innermost last; a loop knows how many there were when it began. */
  readonly openSteps: number[];
  /** Emits what has to run before `expr`; the result has to be evaluated by the very next instruction. */
  expr(expr: LinkedExpr): Eval;
  /** Like `expr`, for a value that is about to be stored: what something else refers to is marked shared (W2). */
  owned(expr: LinkedExpr): Eval;
  /** Several at once, evaluated left to right whatever has to run in between. */
  operands(exprs: readonly LinkedExpr[], owned?: boolean): Eval[];
  statement(expr: LinkedExpr): void;
  /** The process of that name, which linking has made sure of. */
  process(name: string): LinkedProcess;
}
