// What hosts asked for beside turns - inputs, queued work, session commands, settings - against what killed processes left of it.

import { sha256Hex } from "../../src/domain/sha256.ts";
import { ROOT, type Witnessed } from "./kill-everything-job.ts";
import type { Left } from "./kill-everything.ts";

const OFFERED = /^(?:input|injection|batch|joining) /;

/** What was offered is said once; at most once where nobody heard that it is durable. */
export function offerFaults({ root, witness }: Left): readonly string[] {
  const said = new Map<string, number>();
  const texts = root.turns.flatMap(({ messages }) => messages.flatMap(({ origin, parts }) => (origin ? [] : parts.map(({ content }) => content))));
  // Batches that joined are one message.
  for (const text of texts.flatMap((each) => each.split("\n\n"))) if (OFFERED.test(text)) said.set(text, (said.get(text) ?? 0) + 1);
  const whatOf = (at: "offer" | "offered"): ReadonlySet<string> => new Set(witness.flatMap((line) => (line.at === at ? [line.what] : [])));
  const offered = whatOf("offer");
  return [
    ...[...said].filter(([, times]) => times > 1).map(([what, times]) => `${what} is said ${times} times`),
    ...[...said.keys()].filter((what) => !offered.has(what)).map((what) => `nobody offered ${what}`),
    ...[...whatOf("offered")].filter((what) => !said.has(what)).map((what) => `${what} was lost`),
  ];
}

export function settingsFaults({ root, witness }: Left): readonly string[] {
  const faults: string[] = [];
  const frameOf = (what: string): string => `${ROOT}:frame:reset:${sha256Hex(`command:reset_session:${what.slice("reset ".length)}`)}`;
  const resets = (at: "command" | "commanded"): readonly string[] => witness.flatMap((line) => (line.at === at && line.what.startsWith("reset ") ? [line.what] : []));
  for (const what of resets("commanded")) if (!root.frameIds.includes(frameOf(what))) faults.push(`${what} was lost`);
  const asked = new Set(resets("command").map(frameOf));
  for (const frameId of root.frameIds) if (frameId.includes(":frame:reset:") && !asked.has(frameId)) faults.push(`nobody asked for ${frameId}`);
  const possible = possibleLimits(witness);
  if (!possible.includes(root.maxTurns)) faults.push(`maxTurns is ${root.maxTurns}, not ${possible.join(" or ")}`);
  if (root.tools["extra"]?.member === false) faults.push("extra was not given back");
  return faults;
}

/** No more than two processes work at once, so whoever has seen two others begin has ended. */
const RIVALS = 2;

/** What the latest call said that is known to have ended well, and whatever was under way since it began. */
function possibleLimits(witness: readonly Witnessed[]): readonly (number | null)[] {
  const calls: { readonly from: number; to: number; readonly maxTurns: number; hasEnded: boolean; seen: number }[] = [];
  for (const [index, line] of witness.entries()) {
    const open = calls.filter(({ to }) => to === Infinity);
    if (line.at === "life") for (const call of open) if (++call.seen === RIVALS) call.to = index;
    if (line.at === "configure") calls.push({ from: index, to: Infinity, maxTurns: line.maxTurns, hasEnded: false, seen: 0 });
    const begun = line.at === "configured" ? open.find(({ maxTurns }) => maxTurns === line.maxTurns) : undefined;
    if (begun) Object.assign(begun, { to: index, hasEnded: true });
  }
  const settled = Math.max(-1, ...calls.filter(({ hasEnded }) => hasEnded).map(({ from }) => from));
  const possible = calls.filter(({ to }) => to > settled).map(({ maxTurns }) => maxTurns);
  return settled < 0 ? [null, ...possible] : possible;
}
