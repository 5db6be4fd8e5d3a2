// Agent frames: what a turn that switches opens in its own commit, and the turn that follows (T-66..T-68, S-16).

import { readDraft, messageOfDraft } from "../domain/message-draft.ts";
import type { Message } from "../domain/messages.ts";
import type { TurnOutcome } from "../domain/outcome.ts";
import type { AgentFrame } from "../domain/session.ts";
import { type AcceptedInput, inputHashOf } from "../domain/turn-input.ts";
import type { ToolResult } from "../machines/effects.ts";
import { TURN_MACHINE } from "../machines/turn.machine.ts";
import type { NextTurn } from "../stores/contract.ts";
import type { Resident } from "./resident.ts";

export interface FrameOpening {
  readonly frame: AgentFrame;
  /** The frame that was current until now, as it is from then on. */
  readonly superseded: AgentFrame | undefined;
  readonly seed: readonly Message[];
  readonly next: NextTurn;
}

const FOLLOW = ":agent-frame:";

/** The root of a chain of turns, and how many of them had finished before this one. */
function placeOf(turnId: string): { readonly root: string; readonly number: number } {
  const at = turnId.lastIndexOf(FOLLOW);
  const number = at < 0 ? Number.NaN : Number(turnId.slice(at + FOLLOW.length));
  return Number.isSafeInteger(number) ? { root: turnId.slice(0, at), number } : { root: turnId, number: 0 };
}

/** `<root>:agent-frame:<n>`, n = finished turns of the chain. */
export function followTurnId(turnId: string): string {
  const { root, number } = placeOf(turnId);
  return `${root}${FOLLOW}${number + 1}`;
}

/** Whether a turn comes after another one in the same chain. */
export function isFollowOf(turnId: string, earlier: string): boolean {
  const [place, before] = [placeOf(turnId), placeOf(earlier)];
  return place.root === before.root && place.number > before.number;
}

/** What the outcome opens; undefined for other outcomes, and for a blank, current or used frame id. */
export function frameOpening(
  turnId: string,
  outcome: TurnOutcome,
  toolResults: readonly ToolResult[],
  { head, frames }: Resident,
  createdAt: string,
): FrameOpening | undefined {
  if (!("agent_frame_switch" in outcome)) return undefined;
  const { frame_id: frameId, task } = outcome.agent_frame_switch;
  const current = frames.find((frame) => frame.frameId === head.currentFrameId);
  if (frameId.trim() === "" || frames.some((frame) => frame.frameId === frameId)) return undefined;
  const input = followInput(task);
  return {
    frame: {
      frameId,
      previousFrameId: head.currentFrameId,
      status: "active",
      reason: "continue_as",
      createdAt,
      policy: current?.policy ?? head.policy,
      protocolTurnOptions: current?.protocolTurnOptions ?? null,
    },
    superseded: current && { ...current, status: "superseded" },
    seed: seedOf(turnId, frameId, toolResults),
    next: { turnId: followTurnId(turnId), input, inputHash: inputHashOf(input), machine: TURN_MACHINE },
  };
}

const followInput = (task: string): AcceptedInput => ({ items: [{ type: "text", text: task }] });

/** Seed messages of the call that asked for the switch; what cannot be read was refused when the tool answered. */
function seedOf(turnId: string, frameId: string, toolResults: readonly ToolResult[]): readonly Message[] {
  const asked = toolResults.find(({ output }) => output.control?.type === "switch_agent_frame" && output.control.frame_id === frameId);
  const nodes = asked?.output.control?.type === "switch_agent_frame" ? (asked.output.control.initial_nodes ?? []) : [];
  return nodes.flatMap((node, index) => {
    const draft = readDraft(node);
    return draft ? [messageOfDraft(`${turnId}:seed:${index}`, draft)] : [];
  });
}
