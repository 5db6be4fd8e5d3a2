// The first place at which two requests differ, for people.

import { isPlainObject, type Json } from "../../domain/json.ts";

/** Where a request differs from a recorded one. `undefined`: it has nothing there. */
export interface RequestDifference {
  /** Such as `messages[2].blocks[0].text`. */
  readonly path: string;
  readonly recorded: Json | undefined;
  readonly asked: Json | undefined;
}

/** @returns undefined where they are equal. */
export function firstDifference(recorded: Json | undefined, asked: Json | undefined, path = ""): RequestDifference | undefined {
  if (Object.is(recorded, asked)) return undefined;
  if (Array.isArray(recorded) && Array.isArray(asked)) {
    const [left, right]: readonly (readonly Json[])[] = [recorded, asked];
    for (let index = 0; index < Math.max(left?.length ?? 0, right?.length ?? 0); index++) {
      const found = firstDifference(left?.[index], right?.[index], `${path}[${index}]`);
      if (found) return found;
    }
    return undefined;
  }
  if (isPlainObject(recorded) && isPlainObject(asked)) {
    for (const key of Object.keys({ ...recorded, ...asked }).sort()) {
      const found = firstDifference(recorded[key] as Json | undefined, asked[key] as Json | undefined, path === "" ? key : `${path}.${key}`);
      if (found) return found;
    }
    return undefined;
  }
  return { path, recorded, asked };
}

/** Units of a text that are shown. */
const SHOWN = 120;
/** Of them, how many stand before the difference. */
const BEFORE = 30;

/** `at messages[0].blocks[0].text: recorded "…", asked "…"`; long texts from where they differ. */
export function tellDifference({ path, recorded, asked }: RequestDifference): string {
  const [left, right] = [shown(recorded), shown(asked)];
  let same = 0;
  while (same < left.length && left[same] === right[same]) same++;
  const from = Math.max(0, Math.min(same - BEFORE, Math.max(left.length, right.length) - SHOWN));
  return `at ${path || "the request"}: recorded ${cut(left, from)}, asked ${cut(right, from)}`;
}

const shown = (value: Json | undefined): string => (value === undefined ? "nothing" : JSON.stringify(value));

const cut = (text: string, from: number): string => `${from > 0 ? "…" : ""}${text.slice(from, from + SHOWN)}${text.length > from + SHOWN ? "…" : ""}`;
