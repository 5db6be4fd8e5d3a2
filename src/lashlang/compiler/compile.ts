// Compiler: turns one entry of a linked program into instructions.
// Owns: the order of evaluation. Expressions, loops and effects are in their own files and meet only in `Context`.
//   K1. An instruction is a closure that does a bounded amount of work and leaves everything in the frame.
//   K2. Code depends on the linked entry and COMPILER_VERSION alone, so that a snapshot's `at` means the same tomorrow.
import type { LinkedEntry, LinkedExpr, LinkedProcess, LinkedProgram } from "../linker/linked-program.ts";
import type { Span } from "../syntax/span.ts";
import type { Eval, Instruction } from "../vm/frame.ts";
import type { Context, EntryMode } from "./context.ts";
import { isBorrowed, isCompound, isConstant } from "./analysis.ts";
import { compound } from "./compound.ts";
import { statement } from "./statements.ts";
import { awaitHandles, batch } from "./await.ts";
import { effect } from "./effects.ts";
import { closure } from "./expressions.ts";
import { shared, takeTemp } from "./read.ts";
import { Assembler, type LoopRange, type StepRange } from "./assembler.ts";
import { storeTemp } from "./store.ts";

/** Changes whenever the same entry would give other code: snapshots of running programs name it. */
export const COMPILER_VERSION = 1;

/** An entry ready to run. Shared by every VM that runs it. */
export interface CompiledEntry {
  readonly program: LinkedProgram;
  readonly entry: LinkedEntry;
  readonly mode: EntryMode;
  readonly code: readonly Instruction[];
  /** Slots: `entry.variables`, then temporaries. */
  readonly slots: number;
  /** Per instruction, the span of its top-level statement. */
  readonly spans: readonly (Span | undefined)[];
  readonly loops: readonly LoopRange[];
  readonly steps: readonly StepRange[];
}

/** Compiles the main block of a cell. */
export const compileCell = (program: LinkedProgram): CompiledEntry => compileEntry(program, program.main, "cell");

/**
 * Compiles the body of a process.
 * @throws RangeError when the program declares no such process.
 */
export function compileProcess(program: LinkedProgram, name: string): CompiledEntry {
  return compileEntry(program, processOf(program, name).entry, "process");
}

function processOf(program: LinkedProgram, name: string): LinkedProcess {
  const process = program.processes.find((candidate) => candidate.name === name);
  if (process === undefined) throw new RangeError(`the program declares no process \`${name}\``);
  return process;
}

function compileEntry(program: LinkedProgram, entry: LinkedEntry, mode: EntryMode): CompiledEntry {
  const code = new Assembler(entry.variables.length);
  const c = context(program, entry, mode, code);
  const { body } = entry;
  for (const top of body.kind === "Block" ? body.statements : [body]) {
    code.span = top.span;
    c.statement(top);
  }
  // Falling off the end: a cell continues, a process finishes with null (LL-44).
  code.emit(() => (_, f) => f.end(mode === "cell" ? { kind: "continued" } : { kind: "finished", value: null }));
  const { loops, steps, spans } = code;
  return { program, entry, mode, code: code.finish(), slots: code.slots, spans, loops, steps };
}

function context(program: LinkedProgram, entry: LinkedEntry, mode: EntryMode, code: Assembler): Context {
  const c: Context = {
    program,
    entry,
    mode,
    code,
    loops: [],
    openSteps: [],
    process: (name) => processOf(program, name),
    expr: (expr) => expression(c, expr),
    owned: (expr) => (isBorrowed(expr) ? shared(expression(c, expr)) : expression(c, expr)),
    operands: (exprs, owned = false) => operands(c, exprs, owned),
    statement(expr) {
      if (statement(c, expr)) return;
      const value = expression(c, expr);
      code.emit((next) => (s, f) => {
        value(s, f);
        return next;
      });
    },
  };
  return c;
}

function expression(c: Context, expr: LinkedExpr): Eval {
  const value = closure(c, expr) ?? compound(c, expr) ?? effect(c, expr);
  if (value !== undefined) return value;
  if (expr.kind === "Batch") return batch(c, expr);
  if (expr.kind === "Await") return awaitHandles(c, expr);
  // A statement where a value is wanted gives null (LL-42).
  c.statement(expr);
  return () => null;
}

/** What comes before a compound operand has to be kept somewhere while that one runs: in a temporary. */
function operands(c: Context, exprs: readonly LinkedExpr[], owned: boolean): Eval[] {
  const lastCompound = exprs.findLastIndex(isCompound);
  return exprs.map((expr, i) => {
    const kept = i < lastCompound && !isConstant(expr);
    const value = owned || kept ? c.owned(expr) : c.expr(expr);
    if (!kept) return value;
    const temp = c.code.temp();
    storeTemp(c, temp, value);
    return takeTemp(temp);
  });
}
