// Assembler: collects instructions with their jump targets, source spans and loop ranges.
// Instructions are closures over slot numbers and target indexes; one is made per call of `emit`, after labels are known.
import type { Span } from "../syntax/span.ts";
import type { Instruction } from "../vm/frame.ts";

/** A place in the code that may be jumped to before it is known. */
export interface Label {
  at: number;
}

/** Where an instruction stands and where the code continues after it. */
export type Emitted = (next: number) => Instruction;

/** A loop whose binding has to be restored when the program ends inside `from` to `to`. */
export interface LoopRange {
  readonly from: number;
  readonly to: number;
  readonly slot: number;
  readonly saved: number;
}

/** A labeled statement: its call site while the program counter is inside. */
export interface StepRange {
  readonly from: number;
  readonly to: number;
  readonly site: number;
}

export class Assembler {
  /** Innermost ranges first. */
  readonly loops: LoopRange[] = [];
  readonly steps: StepRange[] = [];
  /** Span of the enclosing top-level statement, per instruction. */
  readonly spans: (Span | undefined)[] = [];
  /** The span that instructions emitted from now on belong to. */
  span: Span | undefined;
  readonly #emitted: Emitted[] = [];
  readonly #firstTemp: number;
  #temps = 0;

  constructor(variables: number) {
    this.#firstTemp = variables;
  }

  /** Index of the next instruction. */
  get here(): number {
    return this.#emitted.length;
  }

  get slots(): number {
    return this.#firstTemp + this.#temps;
  }

  /** A slot of its own: numbers are not reused, so that what a snapshot holds can be told apart. */
  temp(): number {
    this.#temps += 1;
    return this.#firstTemp + this.#temps - 1;
  }

  label(): Label {
    return { at: -1 };
  }

  place(label: Label): void {
    label.at = this.here;
  }

  emit(make: Emitted): void {
    this.#emitted.push(make);
    this.spans.push(this.span);
  }

  jump(label: Label): void {
    this.emit(() => {
      const target = label.at;
      return () => target;
    });
  }

  finish(): Instruction[] {
    return this.#emitted.map((make, at) => make(at + 1));
  }
}
