// Colour where somebody looks at it: on a terminal, and not when NO_COLOR is set. Meaning never hangs on colour alone.

import { styleText } from "node:util";

type Style = Parameters<typeof styleText>[0];

const paint = (style: Style) => (text: string): string => styleText(style, text, { stream: process.stdout });

export const dim = paint("dim");
export const bold = paint("bold");
export const red = paint("red");
export const green = paint("green");
export const yellow = paint("yellow");
export const cyan = paint("cyan");

const KILOBYTE = 1000;

/** Sizes in the two units that occur here. */
export const bytes = (count: number): string => (count < 10 * KILOBYTE ? `${count} B` : `${Math.round(count / KILOBYTE)} kB`);

/** Arguments as short as they can be: `Bergen`, or `2, "a"` for more than one. */
export function shortArgs(args: unknown): string {
  const values = typeof args === "object" && args !== null ? Object.values(args) : [args];
  return values.map((value) => (typeof value === "string" ? value : JSON.stringify(value))).join(", ");
}

/** Breaks text into lines of at most `width` characters, between words. */
export function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
