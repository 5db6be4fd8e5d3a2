// The verdict on what killed processes left (test/support/kill-everything-verdict.ts): a check that cannot fail checks nothing.

import { beforeAll, expect, test } from "vitest";
import { scratchFiles } from "../support/engines.ts";
import { leftBy, type Left, type SessionLeft } from "../support/kill-everything.ts";
import { openWorking, workThrough } from "../support/kill-everything-job.ts";
import { verdictOn } from "../support/kill-everything-verdict.ts";

type Writable<T> = T extends readonly (infer Each)[] ? Writable<Each>[] : T extends object ? { -readonly [Key in keyof T]: Writable<T[Key]> } : T;
type Draft = Writable<Left>;
type DraftTurn = Writable<SessionLeft["turns"][number]>;

const fileOf = scratchFiles();
let left: Left;

beforeAll(async () => {
  const [database, witness] = [fileOf(), fileOf()];
  const working = await openWorking(database, witness);
  await workThrough(working, witness, 4, true);
  await working.lash.close();
  left = await leftBy(database, witness);
});

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("the job does not leave that any more");
  return value;
}
const turnOf = ({ root }: Draft, turnId = "turn-2"): DraftTurn => present(root.turns.find((turn) => turn.turnId === turnId));
const begun = ({ witness }: Draft, what: string, turn = "turn-2") => present(witness.flatMap((line) => (line.at === "begin" && line.what === what && line.turn === turn ? [line] : []))[0]);
const partOf = (turn: DraftTurn, content: RegExp) => present(turn.messages.flatMap(({ parts }) => parts).find((part) => content.test(part.content)));
const child = ({ children }: Draft) => present(children[0]);

test("nothing is said against what undisturbed processes leave", () => {
  expect(verdictOn(left)).toMatchObject({ children: 4, reported: 0, repeated: 0, torn: 0, violations: [] });
  expect(left.root.turns.length).toBeGreaterThan(5);
});

test.each<[string, (left: Draft) => unknown, RegExp]>([
  ["a recovery that failed", (draft) => draft.failures.push("recovery of t: no"), /recovery of t/],
  ["a row of a turn in flight", ({ rows }) => rows.push({ key: ["turn", "root", 0], value: {} }), /row \["turn"/],
  ["a queued batch", ({ rows }) => rows.push({ key: ["s", "root", 10, 1], value: {} }), /row \["s","root",10/],
  ["an input that waits", ({ rows }) => rows.push({ key: ["s", "root", 6, 1], value: {} }), /row \["s","root",6/],
  ["a lease that is held", ({ rows }) => rows.push({ key: ["s", "x", 0, "lease"], value: { fencing: 1, holder: {} } }), /lease of x/],
  ["a batch that is counted", ({ rows }) => rows.push({ key: ["s", "x", 0, "lease"], value: { fencing: 1, work: 1 } }), /batches of x/],
  ["a lost turn", ({ root }) => root.turns.splice(root.turns.findIndex(({ turnId }) => turnId === "turn-2"), 1), /turn-2 was lost/],
  ["a turn that is counted twice", ({ root }) => root.turnIndex++, /stamped/],
  ["messages that no turn has", ({ root }) => root.messageCount++, /not those of its turns/],
  ["a turn that stopped", (draft) => (turnOf(draft).outcome = { stopped: "cancelled" }), /turn-2 ended as/],
  ["a turn that used more than it asked", (draft) => (turnOf(draft).usage.inputTokens += 10), /turn-2 used/],
  ["a result that is missing", (draft) => (partOf(turnOf(draft), /^beta did/).kind = "Text"), /turn-2 has results of/],
  ["a result of another turn", (draft) => (partOf(turnOf(draft), /^beta did/).content = "beta did it in turn-1"), /b \(beta\) of turn-2 answered/],
  ["a hook that spoke twice", (draft) => (partOf(turnOf(draft), /^saw turn-2 b/).content = "saw turn-2 a"), /the plugin said/],
  ["a hook that is counted twice", ({ root }) => (present(root.counts["turn-2"]).tools += 1), /the plugin counted/],
  ["a count of a turn that is not committed", ({ root }) => (root.counts["turn-9"] = { before: 1, tools: 0, after: 0 }), /not committed: turn-9/],
  ["a tool without promise that ran twice", (draft) => draft.witness.push({ ...begun(draft, "alpha"), interrupted: true }), /ran 2 times/],
  ["a tool that ran again untold", (draft) => draft.witness.push(begun(draft, "beta")), /without being told/],
  ["a tool that ran again under another key", (draft) => draft.witness.push({ ...begun(draft, "beta"), interrupted: true, key: "k" }), /several keys/],
  ["two calls of one key", (draft) => (begun(draft, "beta").key = begun(draft, "alpha").key), /had the key of/],
  ["a tool that ran in no turn", (draft) => draft.witness.push({ ...begun(draft, "beta"), turn: "turn-9", key: "k" }), /no committed turn has it/],
  ["a tool that answered and never ran", (draft) => (draft.witness = draft.witness.filter((line) => !("call" in line && line.turn === "turn-2" && line.call === "b"))), /never ended/],
  ["an input that was lost", ({ witness }) => witness.push({ at: "offered", what: "input 99" }), /input 99 was lost/],
  ["an input that is said twice", (draft) => (partOf(turnOf(draft), /^do turn-2/).content = "input 2"), /input 2 is said 2 times/],
  ["a reset that was lost", ({ witness }) => witness.push({ at: "commanded", what: "reset after 99" }), /reset after 99 was lost/],
  ["a reset that nobody asked for", ({ root }) => root.frameIds.push("root:frame:reset:x"), /nobody asked for root:frame/],
  ["settings that were lost", ({ witness }) => witness.push({ at: "configure", maxTurns: 999 }, { at: "configured", maxTurns: 999 }), /maxTurns is/],
  ["a tool that was not given back", ({ root }) => (root.tools = { extra: { manifest: {}, member: false } } as never), /not given back/],
  ["a second child of a call", (draft) => draft.children.push({ ...child(draft), sessionId: "child:x" }), /children for|no turn has child:x/],
  ["a turn of a child that is missing", (draft) => child(draft).turns.pop(), /answered re dig/],
  ["usage of a child that is booked twice", ({ root }) => (present(root.ledger.find(({ source }) => source === "subagent")).usage.inputTokens += 300), /booked/],
  ["usage of a turn that is booked twice", ({ root }) => (present(root.ledger.find(({ source }) => source === "turn")).usage.inputTokens += 10), /its ledger has/],
  ["a child with counts of a turn that was not committed", ({ children }) => (present(children.find(({ counts }) => !("turn-2" in counts))).counts["turn-2"] = { before: 1, tools: 6, after: 1 }), /began with the counts/],
  ["a torn line in the middle of a life", ({ trace }) => trace.splice(3, 0, null), /torn line/],
  ["a record without its pair", ({ trace }) => trace.splice(trace.findIndex((record) => record?.type === "tool_call_started"), 1), /without having begun/],
])("says so of %s", (_title, spoil, expected) => {
  const draft = structuredClone(left) as Draft;
  spoil(draft);
  expect(verdictOn(draft as Left).violations.join("\n")).toMatch(expected);
});
