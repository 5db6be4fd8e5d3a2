// Case files (section 16): one program with its expected end per line.
import type { Json } from "../values/json-value.ts";
import type { Bounds } from "../values/bounds.ts";

export interface Case {
  readonly id: string;
  readonly group: string;
  readonly src: string;
  readonly expect: Expectation;
  readonly note?: string;
  /** Variables the program starts with. */
  readonly globals?: { readonly [name: string]: Json };
  /** Read-only projected bindings the program starts with; ours. */
  readonly projected?: { readonly [name: string]: Json };
  readonly options?: CaseOptions;
  /** Printed values, in order. */
  readonly print?: readonly Json[];
  /** Variables afterwards; others may exist. */
  readonly globals_after?: { readonly [name: string]: Json };
  /** Events that processes appended, in order, as `[event, value]`; ours. */
  readonly events?: readonly (readonly [string, Json])[];
  /** Requirement ids the case is a test of; ours. */
  readonly covers?: readonly string[];
}

export interface Expectation {
  readonly kind: "finish" | "value" | "error" | "parse_error" | "link_error";
  /** For `finish`; absent means any. */
  readonly value?: Json;
  /** For the errors: part of the message. */
  readonly contains?: string;
}

export interface CaseOptions {
  readonly submit?: "accept" | "reject";
  readonly labels?: boolean;
  /** Only these abilities; default all. */
  readonly abilities?: readonly string[];
  /** Bounds other than the default ones; ours. */
  readonly bounds?: Partial<Bounds>;
}

const KINDS: readonly string[] = ["finish", "value", "error", "parse_error", "link_error"];

/**
 * Reads a case file.
 * @throws SyntaxError naming the line that is no case.
 */
export function parseCases(text: string): Case[] {
  const cases: Case[] = [];
  text.split("\n").forEach((line, at) => {
    if (line.trim() === "") return;
    let json: unknown;
    try {
      json = JSON.parse(line);
    } catch (cause) {
      throw new SyntaxError(`line ${at + 1} is not JSON`, { cause });
    }
    if (!isCase(json)) throw new SyntaxError(`line ${at + 1} is not a case: it needs id, group, src and expect.kind`);
    cases.push(json);
  });
  return cases;
}

function isCase(json: unknown): json is Case {
  if (typeof json !== "object" || json === null) return false;
  const { id, group, src, expect } = json as Partial<Case>;
  const kind = typeof expect === "object" && expect !== null ? expect.kind : "";
  return typeof id === "string" && typeof group === "string" && typeof src === "string" && KINDS.includes(kind);
}
