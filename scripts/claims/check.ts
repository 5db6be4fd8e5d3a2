// What is wrong with a claim that can be seen without running it: a place that is gone from src, a test that is gone.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Claim } from "./claim.ts";

/** The test's title as its file spells it. */
const stands = (text: string, title: string): boolean => [title, title.replaceAll('"', '\\"'), title.replaceAll("`", "\\`")].some((form) => text.includes(form));

/** @returns what is wrong; undefined where the change applies and the test is there. */
export function faultOfClaim(root: string, { id, test, title, titleIn = test, source, find, replace }: Claim): string | undefined {
  const about = `${id} "${title}"`;
  if (!existsSync(join(root, source))) return `${about}: ${source} is gone; write the change for the code that does this now`;
  const places = readFileSync(join(root, source), "utf8").split(find).length - 1;
  if (places !== 1) return `${about}: ${source} has the place of the change ${places} times, and has to have it once: ${find}`;
  if (find === replace) return `${about}: the change changes nothing`;
  if (!existsSync(join(root, test))) return `${about}: ${test} is gone`;
  const text = existsSync(join(root, titleIn)) ? readFileSync(join(root, titleIn), "utf8") : "";
  if (!stands(text, title)) return `${about}: ${titleIn} has no such title`;
  if (!new RegExp(`\\b${id}\\b`).test(text)) return `${about}: ${titleIn} does not cite ${id}`;
  return undefined;
}
