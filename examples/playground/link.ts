// Between the page and the frame in which the agent lives. The frame can be taken away at any moment: the page keeps nothing
// of the agent but this.

import type { Message, SessionReadView, SessionSighting } from "../../src/index.ts";
import type { InspectRecord } from "../../src/inspect/index.ts";

/** What became of a message: sent, or given back because another tab is at work. */
export type Sent = { readonly kind: "done" } | { readonly kind: "busy" } | { readonly kind: "failed"; readonly message: string };

export interface Agent {
  send(text: string, turnId: string): Promise<Sent>;
  /** @returns how many turns this tab was running. */
  cancel(): number;
  /** Goes back to the message with this id, or to the beginning. */
  branch(at: string | null): Promise<Sent>;
}

/** A turn that was accepted and has not ended, as the database holds it. */
export interface InFlight {
  readonly turnId: string;
  readonly asked: string;
  readonly log: readonly Message[];
  readonly modelCalls: number;
  /** Ids of tool calls whose outcome is in the journal. */
  readonly recorded: readonly string[];
  /** Ids of calls that had begun and have no outcome. */
  readonly cutOff: readonly string[];
}

export type News =
  | { readonly type: "ready"; readonly agent: Agent; readonly view: SessionReadView; readonly inFlight: InFlight | undefined }
  | { readonly type: "view"; readonly view: SessionReadView }
  | { readonly type: "sighting"; readonly sighting: SessionSighting }
  /** Told when this tab meets a turn that it did not begin; `here`: it finishes that turn. */
  | { readonly type: "in_flight"; readonly inFlight: InFlight; readonly here: boolean }
  /** A tool's function was really entered: whatever is only replayed never says this. */
  | { readonly type: "tool_entered"; readonly callId: string; readonly name: string; readonly again: boolean }
  | { readonly type: "records"; readonly run: string; readonly records: readonly InspectRecord[] }
  | { readonly type: "failed"; readonly message: string };

export interface Shell {
  readonly sessionId: string;
  /** How fast the script and the tools are; 1 suits a person. `?pace=3` in the address sets it. */
  readonly pace: number;
  readonly tell: (news: News) => void;
}

declare global {
  interface Window {
    /** Set by the page before it makes the frame. */
    playgroundShell?: Shell;
  }
}
