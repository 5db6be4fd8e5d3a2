// The story of a conversation as this page saw it: what ran, what a crash cut off, what came from the journal afterwards.

import type { SessionSighting, TurnActivity } from "../../src/index.ts";
import type { InFlight } from "./link.ts";

export type RowState = "running" | "ran" | "again" | "reran" | "journal" | "cut" | "unknown" | "crash" | "mark" | "stopped";

export interface Row {
  readonly key: string;
  readonly title: string;
  readonly note: string;
  readonly state: RowState;
  readonly since: number;
  /** How long it took, in milliseconds, once it is over. */
  readonly tookMs?: number;
  /** Expected milliseconds of what runs. */
  readonly expectedMs?: number;
}

const AGAIN = "runs again: it only looks";

export class Story {
  readonly rows: Row[] = [];
  readonly #expected: Readonly<Record<string, number>>;
  readonly #now: () => number;
  #life = 1;
  #modelCalls = 0;
  #turnId = "";
  /** Another tab was at the turn that was last heard of. */
  #isElsewhere = false;
  /** Calls that an earlier life had begun and this one runs again. */
  readonly #again = new Set<string>();

  constructor(expected: Readonly<Record<string, number>>, now: () => number = () => performance.now()) {
    this.#expected = expected;
    this.#now = now;
  }

  crash(): void {
    this.#cutOff();
    this.#add("crash", "Crashed", "all memory is gone; IndexedDB is what is left", "crash");
  }

  /** A new life found this turn in the database. */
  found({ turnId, modelCalls, log, recorded, cutOff }: InFlight): void {
    this.#turnId = turnId;
    this.#add("found", "Found the turn in IndexedDB", "it was accepted, so it will be finished", "mark");
    for (let call = 1; call <= modelCalls; call++) this.#add(`model:${call}`, `Model call ${call}`, "answer kept, not asked again", "journal");
    this.#modelCalls = modelCalls;
    const names = new Map(log.flatMap(({ parts }) => parts.flatMap(({ kind, toolCallId, toolName }) => (kind === "ToolCall" && toolCallId ? [[toolCallId, toolName ?? "tool"] as const] : []))));
    for (const callId of recorded) this.#add(`tool:${callId}`, names.get(callId) ?? "tool", "result kept, not run again", "journal");
    for (const callId of cutOff) this.#add(`cut:${callId}`, names.get(callId) ?? "tool", "had begun, outcome unknown", "cut");
  }

  sighting(sighting: SessionSighting): void {
    if (sighting.type === "turn_started") {
      const { turnId, here, recovered } = sighting;
      if (!recovered) this.#modelCalls = 0;
      if (here && recovered && this.#isElsewhere) this.#add("over", "Took over from another tab", "its lock was free: it is gone", "mark");
      else if (here && !recovered) this.#add("asked", "Question accepted", "written down before anything runs", "mark");
      else if (!here) this.#add("watch", "Another tab is at work", "this one watches, and stands in if it goes", "mark");
      if (here && this.#isElsewhere) this.#cutOff();
      this.#isElsewhere = !here;
      this.#turnId = turnId;
      return;
    }
    if (sighting.type === "turn_ended") {
      this.#isElsewhere = false;
      for (const row of this.rows.filter(({ state }) => state === "running" || state === "again")) this.#put({ ...row, state: "stopped", note: "stopped", tookMs: this.#now() - row.since });
      this.#add("committed", "Turn committed", "one transaction; its journal is deleted", "mark");
      return;
    }
    this.#activity(sighting.activity, sighting.here);
  }

  entered(callId: string, again: boolean): void {
    if (!again) return;
    this.#again.add(callId);
    const row = this.#find(`tool:${callId}`);
    if (row) this.#put({ ...row, state: "again", note: AGAIN });
  }

  /** Ends a life: what ran in it is over, and what comes gets rows of its own. */
  #cutOff(): void {
    for (const row of this.rows.filter(({ state }) => state === "running" || state === "again")) this.#put({ ...row, state: "cut", note: "cut off", tookMs: this.#now() - row.since });
    this.#life += 1;
    this.#again.clear();
  }

  #activity(activity: TurnActivity, here: boolean): void {
    switch (activity.type) {
      case "model_request_started":
        this.#modelCalls += 1;
        this.#add(`model:${this.#modelCalls}`, `Model call ${this.#modelCalls}`, here ? "asking" : "asking, in the other tab", "running");
        return;
      case "usage": {
        const row = this.#find(`model:${this.#modelCalls}`);
        if (row?.state === "running") this.#end(row, "ran", "answered");
        return;
      }
      case "tool_call_started": {
        const expectedMs = this.#expected[activity.name];
        const isAgain = this.#again.has(activity.callId);
        this.#add(`tool:${activity.callId}`, activity.name, isAgain ? AGAIN : here ? "runs" : "runs, in the other tab", isAgain ? "again" : "running", expectedMs);
        return;
      }
      case "tool_call_completed": {
        const row = this.#find(`tool:${activity.callId}`);
        const isUnknown = JSON.stringify(activity.output).includes("tool_interrupted");
        if (isUnknown && row) this.#put({ ...row, state: "unknown", note: "not run again, it changes the world: the model is told" });
        else if (row && row.state !== "journal") this.#end(row, row.state === "again" ? "reran" : "ran", activity.output.outcome.status === "success" ? "done, journaled" : "failed");
        return;
      }
      default:
    }
  }

  #find(key: string): Row | undefined {
    return this.rows.find((row) => row.key === this.#keyOf(key));
  }

  #keyOf(key: string): string {
    return `${this.#life}:${this.#turnId}:${key}`;
  }

  #end(row: Row, state: RowState, note: string): void {
    this.#put({ ...row, state, note, tookMs: this.#now() - row.since });
  }

  #add(key: string, title: string, note: string, state: RowState, expectedMs?: number): void {
    // Told twice, as the calls of a batch that was cut off are.
    if (state !== "mark" && this.#find(key)) return;
    this.rows.push({ key: state === "mark" ? `${this.rows.length}` : this.#keyOf(key), title, note, state, since: this.#now(), ...(expectedMs !== undefined && { expectedMs }) });
  }

  #put(row: Row): void {
    this.rows[this.rows.findIndex(({ key }) => key === row.key)] = row;
  }
}
