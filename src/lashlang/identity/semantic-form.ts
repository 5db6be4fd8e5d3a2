// A linked entry as its identity sees it: no site numbers, and locals numbered instead of named (`LL-81`). Spans go when it
// becomes text (canonical.ts), and with them formatting and comments; params, session variables, labels, types and structure
// remain.
//
//   F1. Everything that is not named here is kept, so a new kind of node is part of identities from its first day.
//   F2. Keys are visited in their sorted order: the numbers of locals do not depend on how an object was built.
import type { LinkedEntry, LinkedTypeLiteral } from "../linker/linked-program.ts";

/** Version of the form below; part of every hash, so that a change here makes new identities rather than wrong matches. */
export const SEMANTIC_VERSION = "lashlang-semantic-v3";

type Fields = Readonly<Record<string, unknown>>;

export function semanticBody({ body, variables, namedSlots }: Pick<LinkedEntry, "variables" | "namedSlots" | "body">): unknown {
  const numbers = new Map<number, number>();

  const variable = (slot: number): unknown => {
    if (namedSlots.includes(slot)) return variables[slot];
    if (!numbers.has(slot)) numbers.set(slot, numbers.size);
    return numbers.get(slot);
  };

  /** `refs` are names of variables that a type refers to; they count by their place. */
  const form = (value: unknown, refs: readonly string[]): unknown => {
    if (Array.isArray(value)) return value.map((item) => form(item, refs));
    if (!isFields(value)) return value;
    if (isTypeLiteral(value)) {
      const names = value.refs.map(({ name }) => name);
      return { kind: value.kind, type: form(value.type, names), refs: value.refs.map((ref) => form(ref.value, [])) };
    }
    const place = value["kind"] === "Ref" ? refs.indexOf(String(value["name"])) : -1;
    const kept: Record<string, unknown> = {};
    for (const key of Object.keys(value).sort()) {
      const part = value[key];
      if (key === "slot") kept[key] = variable(Number(part));
      else if (key === "name" && place >= 0) kept[key] = place;
      else if (key === "name" && "slot" in value) continue; // of a variable; its slot speaks for it
      else if (key !== "span" && key !== "site") kept[key] = form(part, refs);
    }
    return kept;
  };

  return form(body, []);
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null;
}

function isTypeLiteral(value: Fields): value is Fields & LinkedTypeLiteral {
  return value["kind"] === "TypeLiteral";
}
