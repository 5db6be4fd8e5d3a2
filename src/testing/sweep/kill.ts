// Where a run of a sweep is disturbed, and how that is said.

/**
 * - `killAfterWrite`: the process dies when its n-th write is durable and before it hears of it.
 * - `killAtEffect`: the process dies at the n-th effect boundary: a model call or a tool begins, or has ended and is not yet reported.
 * - `failWrite`: the n-th write is not made, and the engine says so (`store_unavailable`).
 * - `loseAnswer`: the n-th write is made, and the engine cannot say whether it was (`store_outcome_unknown`).
 * - `loseAnswerAsError`: the same, but what is thrown is an error that says nothing.
 */
export type KillKind = "killAfterWrite" | "killAtEffect" | "failWrite" | "loseAnswer" | "loseAnswerAsError";

/** What is done to one run; `n` counts from 1. */
export interface Kill {
  readonly kind: KillKind;
  readonly n: number;
}

export const KILL_KINDS: readonly KillKind[] = ["killAfterWrite", "killAtEffect", "failWrite", "loseAnswer", "loseAnswerAsError"];

/** What an undisturbed run did, in order. */
export type Mark = { readonly type: "write" } | { readonly type: "effect"; readonly name: string };

/** Every place at which such a run can be disturbed, in the order of the kinds. */
export function killsIn(marks: readonly Mark[], kinds: readonly KillKind[]): readonly Kill[] {
  return kinds.flatMap((kind) => places(marks, kind).map((_, index): Kill => ({ kind, n: index + 1 })));
}

/** For people: `killed after write 4 of 9, which came after model call 1 ended`. */
export function placeOf({ kind, n }: Kill, marks: readonly Mark[]): string {
  const all = places(marks, kind);
  const index = all[n - 1];
  if (index === undefined) return `${kind} ${n} of ${all.length}`;
  const mark = marks[index];
  if (mark?.type === "effect") return `killed where ${mark.name}`;
  const before = marks.slice(0, index).findLast((each) => each.type === "effect");
  return `${WORDS[kind]} ${n} of ${all.length}${before?.type === "effect" ? `, which came after ${before.name}` : ""}`;
}

const WORDS: Readonly<Record<KillKind, string>> = {
  killAfterWrite: "killed after write",
  killAtEffect: "killed at effect",
  failWrite: "failed write",
  loseAnswer: "answer lost of write",
  loseAnswerAsError: "answer lost, with a plain error, of write",
};

const places = (marks: readonly Mark[], kind: KillKind): readonly number[] => {
  const type = kind === "killAtEffect" ? "effect" : "write";
  return marks.flatMap((mark, index) => (mark.type === type ? [index] : []));
};
