// `format(template, ...args)` (`LL-47`).
import { admitText } from "../values/arithmetic.ts";
import type { Meter } from "../values/bounds.ts";
import { display } from "../values/display.ts";
import { typeError, valueError } from "../values/errors.ts";
import { type Value, typeName } from "../values/value.ts";

const DIGITS = /^\d+$/;

/** `args[0]` is the template. */
export function format(args: readonly Value[], meter: Meter): string {
  const template = args[0];
  if (template === undefined) throw typeError("`format` requires at least a template string");
  if (typeof template !== "string") {
    throw typeError(`\`format\` template must be a string, got ${typeName(template)}`);
  }
  meter.charge(template.length >> 4);
  const output = new Output(meter);
  const slots = new Slots(args);
  let from = 0;
  while (from < template.length) {
    const at = nextBrace(template, from);
    output.add(template.slice(from, at));
    if (at === template.length) break;
    const brace = template[at] as string;
    if (template[at + 1] === brace) {
      output.add(brace);
      from = at + 2;
      continue;
    }
    if (brace === "}") throw valueError("unmatched `}` in format string");
    const close = template.indexOf("}", at);
    if (close < 0) throw valueError("unmatched `{` in format string");
    output.add(display(slots.take(template.slice(at + 1, close)), meter));
    from = close + 1;
  }
  slots.finish();
  return output.text;
}

function nextBrace(template: string, from: number): number {
  const open = template.indexOf("{", from);
  const close = template.indexOf("}", from);
  if (open < 0 || close < 0) return Math.max(open, close) < 0 ? template.length : Math.max(open, close);
  return Math.min(open, close);
}

class Output {
  text = "";
  private readonly meter: Meter;
  constructor(meter: Meter) {
    this.meter = meter;
  }
  add(part: string): void {
    admitText(this.text.length + part.length, this.meter);
    this.text += part;
  }
}

/** Which argument each placeholder means, and that all are used. */
class Slots {
  private readonly args: readonly Value[];
  private readonly used = new Set<number>();
  private next = 0;
  private mode: "sequential" | "indexed" | null = null;
  constructor(args: readonly Value[]) {
    this.args = args;
  }

  take(placeholder: string): Value {
    const mode = placeholder === "" ? "sequential" : "indexed";
    if (mode === "indexed" && !DIGITS.test(placeholder)) throw valueError("invalid format placeholder");
    if (this.mode !== null && this.mode !== mode) {
      throw valueError("can't mix `{}` and indexed format placeholders");
    }
    this.mode = mode;
    const slot = mode === "sequential" ? this.next : Number(placeholder);
    if (!Number.isSafeInteger(slot)) throw valueError(`bad format slot \`${placeholder.slice(0, 40)}\``);
    this.next += 1;
    const value = this.args[slot + 1];
    if (value === undefined) throw valueError(`format slot \`${slot}\` is out of range`);
    this.used.add(slot);
    return value;
  }

  finish(): void {
    for (let slot = 0; slot < this.args.length - 1; slot += 1) {
      if (!this.used.has(slot)) throw valueError(`format argument \`${slot}\` is unused`);
    }
  }
}
