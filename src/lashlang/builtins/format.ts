// `format(template, ...args)` (`LL-47`). Templates are read first, so that one in a program is read only once.
import { admitText } from "../values/arithmetic.ts";
import type { Meter } from "../values/bounds.ts";
import { display } from "../values/display.ts";
import { typeError, valueError } from "../values/errors.ts";
import { type Value, typeName } from "../values/value.ts";

const DIGITS = /^\d*$/;

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

/** A doubled brace, a slot, or a brace that is neither. */
const BRACES = /([{}])\1|\{([^}]*)\}|[{}]/g;

/** @throws ProgramError ValueError for what is no template. */
export function parseTemplate(template: string): Template {
  const slots: { argument: number; after: string }[] = [];
  let start = "";
  let from = 0;
  const literal = (text: string): void => {
    const last = slots.at(-1);
    if (last === undefined) start += text;
    else last.after += text;
  };
  let numbered: boolean | null = null;
  for (const { 0: found, 1: brace, 2: digits, index } of template.matchAll(BRACES)) {
    literal(template.slice(from, index) + (brace ?? ""));
    from = index + found.length;
    if (brace !== undefined) continue;
    if (digits === undefined) throw valueError(`unmatched \`${found}\` in format string`);
    if (!DIGITS.test(digits)) throw valueError("invalid format placeholder");
    if ((numbered ??= digits !== "") !== (digits !== "")) throw valueError("can't mix `{}` and indexed format placeholders");
    const argument = numbered ? Number(digits) : slots.length;
    if (!Number.isSafeInteger(argument)) throw valueError(`bad format slot \`${digits.slice(0, 40)}\``);
    slots.push({ argument, after: "" });
  }
  literal(template.slice(from));
  return { start, slots };
}
