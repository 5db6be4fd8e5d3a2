// What a host process tells the program that watches it: one JSON object per line, made of XState inspection events.

// An app writes `from "lash-runtime"`.
import type { LashOptions } from "../../src/index.ts";

export type Report =
  | { readonly type: "state"; readonly value: string }
  | { readonly type: "model_settled"; readonly source: Source; readonly said: string; readonly calls: readonly CallReport[] }
  | { readonly type: "tool_settled"; readonly source: Source; readonly tool: string; readonly status: string }
  /** The outcome of a call is on the disk. */
  | { readonly type: "tool_recorded"; readonly tool: string }
  | { readonly type: "model_failed"; readonly message: string }
  | { readonly type: "ended"; readonly outcome: string; readonly text: string; readonly errors: readonly string[]; readonly writtenBytes: number | null };

/** As it is sent. */
export type TimedReport = Report & { readonly atMs: number };

/** `run`: it happened in this process. `journal`: it had happened before, and the recorded outcome was used. */
export type Source = "run" | "journal";

export interface CallReport {
  readonly tool: string;
  readonly args: unknown;
}

/** The parts of `effect.settled` that are shown. */
interface SettledEvent {
  readonly type: "effect.settled";
  readonly source: Source;
  readonly outcome: {
    readonly failure?: { readonly message: string };
    readonly response?: { readonly parts: readonly ResponsePart[] };
    readonly results?: readonly { readonly callId: string; readonly toolName: string; readonly output: { readonly outcome: { readonly status: string } } }[];
  };
}

interface ResponsePart {
  readonly type: string;
  readonly text?: string;
  readonly toolName?: string;
  readonly inputJson?: string;
}

/** An observer for `createLash({ inspect })` that reports on the turns of the system. */
export function reporter(report: (report: Report) => void): NonNullable<LashOptions["inspect"]> {
  /** Calls whose chart has come to where the tool runs; those answered from the journal never do. */
  const ran = new Set<string>();
  let last = "";
  return (inspection) => {
    const { id } = inspection.actorRef as { readonly id?: string };
    if (id === undefined) return;
    if (inspection.type === "@xstate.snapshot" && id.startsWith("tool:") && (inspection.snapshot as { readonly value?: unknown }).value === "running") ran.add(callIdOf(id));
    if (!id.startsWith("turn:")) return;
    if (inspection.type === "@xstate.snapshot") {
      const { value } = inspection.snapshot as { readonly value?: unknown };
      const state = stateName(value);
      if (state !== last) report({ type: "state", value: state });
      last = state;
    }
    if (inspection.type === "@xstate.event" && inspection.event.type === "effect.settled") {
      for (const settled of settledReports(inspection.event as unknown as SettledEvent, ran)) report(settled);
    }
  };
}

function settledReports({ source, outcome }: SettledEvent, ran: ReadonlySet<string>): readonly Report[] {
  const { failure, response, results } = outcome;
  if (response) {
    const said = response.parts.filter(({ type }) => type === "text").map(({ text = "" }) => text).join(" ");
    const calls = response.parts
      .filter(({ type }) => type === "toolCall")
      .map(({ toolName = "", inputJson = "{}" }) => ({ tool: toolName, args: JSON.parse(inputJson) as unknown }));
    return [{ type: "model_settled", source, said, calls }];
  }
  if (results) {
    return results.map(({ callId, toolName, output }) => ({
      type: "tool_settled",
      source: ran.has(callId) ? "run" : "journal",
      tool: toolName,
      status: output.outcome.status,
    }));
  }
  return failure ? [{ type: "model_failed", message: failure.message }] : [];
}

/** Ids of call actors end in the call's own id. */
const callIdOf = (actorId: string): string => actorId.slice(actorId.lastIndexOf(":") + 1);

/** The states below `running` say more than it does: `{ running: { runningTools: "executing" } }` is `runningTools.executing`. */
function stateName(value: unknown): string {
  if (typeof value === "string") return value;
  const [[name, inner] = ["?", ""]] = Object.entries((value ?? {}) as Record<string, unknown>);
  return name === "running" ? stateName(inner) : `${name}.${stateName(inner)}`;
}
