// `format(template, ...args)` (`LL-47`). Templates are read first, so that one in a program is read only once.
import { admitText } from "../values/arithmetic.ts";
import type { Meter } from "../values/bounds.ts";
import { display } from "../values/display.ts";
import { typeError, valueError } from "../values/errors.ts";
import { type Value, typeName } from "../values/value.ts";

const DIGITS = /^\d+$/;

/** Literal text, then each slot with the literal text after it. */
export interface Template {
  readonly start: string;
  readonly slots: readonly { readonly argument: number; readonly after: string }[];
}

/** `args[0]` is the template. */
export function format(args: readonly Value[], meter: Meter): string {
  const template = args[0];
  if (template === undefined) throw typeError("`format` requires at least a template string");
  if (typeof template !== "string") {
    throw typeError(`\`format\` template must be a string, got ${typeName(template)}`);
  }
  meter.charge(template.length >> 4);
  return fillTemplate(parseTemplate(template), args, meter);
}

/** Puts `args[1]` and on into the slots; every one of them has to be used. */
export function fillTemplate({ start, slots }: Template, args: readonly Value[], meter: Meter): string {
  let text = start;
  for (const { argument, after } of slots) {
    const value = args[argument + 1];
    if (value === undefined) throw valueError(`format slot \`${argument}\` is out of range`);
    const part = typeof value === "string" ? value : display(value, meter);
    admitText(text.length + part.length + after.length, meter);
    text += part + after;
  }
  for (let i = 0; i < args.length - 1; i += 1) {
    if (slots[i]?.argument !== i && !slots.some((slot) => slot.argument === i)) {
      throw valueError(`format argument \`${i}\` is unused`);
    }
  }
  return text;
}

/** @throws ProgramError ValueError for what is no template. */
export function parseTemplate(template: string): Template {
  const slots: { argument: number; after: string }[] = [];
  let start = "";
  let mode: "sequential" | "indexed" | null = null;
  const literal = (text: string): void => {
    const last = slots.at(-1);
    if (last === undefined) start += text;
    else last.after += text;
  };
  for (let from = 0; from < template.length; ) {
    const at = nextBrace(template, from);
    literal(template.slice(from, at));
    if (at === template.length) break;
    const brace = template[at] as string;
    if (template[at + 1] === brace) {
      literal(brace);
      from = at + 2;
      continue;
    }
    if (brace === "}") throw valueError("unmatched `}` in format string");
    const close = template.indexOf("}", at);
    if (close < 0) throw valueError("unmatched `{` in format string");
    const digits = template.slice(at + 1, close);
    if (digits !== "" && !DIGITS.test(digits)) throw valueError("invalid format placeholder");
    const kind = digits === "" ? "sequential" : "indexed";
    if (mode !== null && mode !== kind) throw valueError("can't mix `{}` and indexed format placeholders");
    mode = kind;
    const argument = kind === "sequential" ? slots.length : Number(digits);
    if (!Number.isSafeInteger(argument)) throw valueError(`bad format slot \`${digits.slice(0, 40)}\``);
    slots.push({ argument, after: "" });
    from = close + 1;
  }
  return { start, slots };
}

function nextBrace(template: string, from: number): number {
  const open = template.indexOf("{", from);
  const close = template.indexOf("}", from);
  if (open < 0 || close < 0) return Math.max(open, close) < 0 ? template.length : Math.max(open, close);
  return Math.min(open, close);
}
