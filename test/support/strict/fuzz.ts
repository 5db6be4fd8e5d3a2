// Conversations that nobody would think of, held over the strict servers: arbitraries that shrink, and one run of such a conversation.

import * as fc from "fast-check";
import type { Store } from "../../../src/stores/store.ts";
import type { Fields } from "./json.ts";
import { Phrases, SEALED } from "./phrases.ts";
import type { Said } from "./said.ts";
import { WIRES, type Wire } from "./wires.ts";
import { MORE_TOOLS, TOOL_NAMES, World, type Answer } from "./world.ts";

type Draft =
  | { readonly kind: "text" | "reasoning"; readonly around: string }
  | { readonly kind: "sealed" | "search" }
  | { readonly kind: "call"; readonly tool: string; readonly more: Fields };

interface AnswerDraft {
  readonly before: readonly Draft[];
  readonly calls: readonly Draft[];
  readonly broken: readonly ("destroy" | "end" | "500")[];
  readonly afterEvents: number;
  readonly cancelAt: number | undefined;
  readonly piece: number;
  readonly chunkBytes: number | undefined;
}

export type Move =
  | { readonly type: "turn"; readonly wire: number; readonly around: string; readonly calling: readonly AnswerDraft[]; readonly last: AnswerDraft }
  | { readonly type: "restart" }
  | { readonly type: "fork" }
  | { readonly type: "compact"; readonly wire: number };

const around = fc.constantFrom("", "", "", " ", "\n\n", " \u{1f600} ", "\t\u00a0", " \\u0041 \"'", "</thinking>\n");
const more: fc.Arbitrary<Fields> = fc.oneof(
  { weight: 3, arbitrary: fc.constant({}) },
  { weight: 1, arbitrary: fc.dictionary(fc.constantFrom("a", "z z", "\u{1f600}", "10", "2"), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 3 }) },
);
const draft: fc.Arbitrary<Draft> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("text" as const), around }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("reasoning" as const), around }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("sealed" as const, "search" as const) }) },
);
const call: fc.Arbitrary<Draft> = fc.record({ kind: fc.constant("call" as const), tool: fc.constantFrom("look", ...TOOL_NAMES, ...MORE_TOOLS), more });

const answer = (calls: fc.Arbitrary<readonly Draft[]>, cancel: fc.Arbitrary<number | undefined>): fc.Arbitrary<AnswerDraft> =>
  fc.record({
    before: fc.array(draft, { maxLength: 5 }),
    calls,
    broken: fc.oneof({ weight: 6, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: fc.array(fc.constantFrom("destroy" as const, "end" as const, "500" as const), { minLength: 1, maxLength: 2 }) }),
    afterEvents: fc.nat(12),
    cancelAt: cancel,
    piece: fc.constantFrom(1, 3, 50),
    chunkBytes: fc.constantFrom(undefined, undefined, 7),
  });

const never = fc.constant(undefined);
const calling = answer(fc.array(call, { minLength: 1, maxLength: 4 }), never);
const wire = fc.nat(WIRES.length - 1);

export const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant("turn" as const),
      wire,
      around: fc.constantFrom("", "", " ", "\n", "\u0000", "\u{1f600}"),
      calling: fc.array(calling, { maxLength: 3 }),
      last: answer(fc.oneof({ weight: 8, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: fc.constant([{ kind: "call" as const, tool: "wait", more: {} }]) }), fc.oneof({ weight: 6, arbitrary: never }, { weight: 1, arbitrary: fc.nat(40) })),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ type: "restart" as const }) },
  { weight: 1, arbitrary: fc.constant({ type: "fork" as const }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("compact" as const), wire }) },
);

export const conversation: fc.Arbitrary<readonly Move[]> = fc.array(move, { minLength: 2, maxLength: 7 });

/** @returns what went wrong. */
export async function converse(moves: readonly Move[], store: () => Store): Promise<readonly string[]> {
  const say = new Phrases();
  const world = await World.open({ wires: WIRES, store, moreTools: MORE_TOOLS });
  try {
    for (const one of moves) {
      if (one.type === "restart") await world.restart();
      else if (one.type === "fork") await world.fork();
      else if (one.type === "compact") await world.compact(wireAt(one.wire), say.word("summary"));
      else await world.run(wireAt(one.wire), { user: say.word("user"), around: one.around, answers: answersOf(wireAt(one.wire), one, say) });
      if (world.problems.length > 0) break;
    }
    return [...world.problems];
  } finally {
    await world.close();
  }
}

const wireAt = (index: number): Wire => WIRES[index] ?? WIRES.at(-1) ?? refuseEmpty();

function refuseEmpty(): never {
  throw new Error("there are no wires");
}

function answersOf(on: Wire, { calling: rounds, last }: Extract<Move, { type: "turn" }>, say: Phrases): readonly Answer[] {
  return [...rounds, last].map((one): Answer => {
    const said = saidOf(on, [...one.before, ...one.calls], say);
    return {
      said,
      broken: one.broken.map((how) => (how === "500" ? { status: 500 } : { cut: { afterEvents: one.afterEvents % 3, how } })),
      ...(one.cancelAt !== undefined && { cancelAt: one.cancelAt }),
      shape: { piece: one.piece, ...(one.chunkBytes !== undefined && { chunkBytes: one.chunkBytes }) },
    };
  });
}

/** What the wire has words for; reasoning leads to something, and an answer says something. */
function saidOf(on: Wire, drafts: readonly Draft[], say: Phrases): readonly Said[] {
  const all = drafts.map((one): Said => {
    switch (one.kind) {
      case "text":
        return say.text(one.around);
      case "reasoning":
        return say.reasoning(one.around);
      case "sealed":
        return SEALED;
      case "search":
        return say.search();
      case "call":
        return say.call(one.tool, one.more);
    }
  });
  const said = on.speakable(all);
  const last = said.at(-1)?.kind;
  return last === "text" || last === "call" ? said : [...said, say.text()];
}
