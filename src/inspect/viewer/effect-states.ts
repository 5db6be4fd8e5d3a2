// What became of each effect of one turn, read from the messages between the turn and its runner.
import type { InspectedEvent, InspectJson } from "../records.ts";
import { countBelow, type Timeline, type Track } from "./timeline.ts";

export type EffectState = "requested" | "durable" | "running" | "settled" | "from journal";

export interface EffectLine {
  readonly effectId: string;
  readonly kind: string;
  readonly state: EffectState;
  /** Milliseconds since the epoch. */
  readonly requestedAt: number;
  readonly settledAt: number | undefined;
}

const STATES: Readonly<Record<string, EffectState>> = {
  "effect.requested": "requested",
  "effect.durable": "durable",
  "effect.running": "running",
  "effect.settled": "settled",
};
const RANK: readonly EffectState[] = ["requested", "durable", "running", "settled", "from journal"];

/** Effects of the turn that `track` is or belongs to, in order of request; for a session, of its newest turn. */
export function effectsAt(timeline: Timeline, track: Track, position: number): readonly EffectLine[] {
  const turn = turnOf(timeline, track, position);
  const rows = turn && timeline.rows.get(turn.group);
  if (!turn || !rows) return [];
  const lines = new Map<string, EffectLine>();
  const actors = new Set<string>();
  const end = countBelow(rows, position);
  for (let index = Math.max(0, end - 20_000, countBelow(rows, turn.born)); index < end; index += 1) {
    const entry = timeline.at(rows[index] ?? -1);
    if (entry?.kind !== "event") continue;
    const { event } = entry.record;
    const state = Object.hasOwn(STATES, event.type) ? STATES[event.type] : undefined;
    if (state === undefined) continue;
    // Turn and runner name each other in requests; what the runner is told meanwhile names neither.
    if (entry.from === turn.key) actors.add(entry.to);
    const mine = entry.from === turn.key || entry.to === turn.key || (entry.from === undefined && actors.has(entry.to));
    const effectId = effectIdOf(event);
    const before = lines.get(effectId);
    if (!mine || (before && RANK.indexOf(state) < RANK.indexOf(before.state))) continue;
    const settled = state === "settled";
    const replayed = event["replayed"] === true || event["source"] === "journal";
    lines.set(effectId, {
      effectId,
      kind: before?.kind ?? kindOf(event),
      state: settled && replayed ? "from journal" : state,
      requestedAt: before?.requestedAt ?? entry.record.at,
      settledAt: settled ? entry.record.at : undefined,
    });
  }
  return [...lines.values()];
}

/** @returns `effectId`, on the event itself or in its `request`; `""` when it has none. */
export function effectIdOf(event: InspectedEvent): string {
  const id = event["effectId"] ?? field(event["request"], "effectId");
  return typeof id === "number" || typeof id === "string" ? String(id) : "";
}

function kindOf(event: InspectedEvent): string {
  const kind = event["kind"] ?? field(field(event["request"], "command"), "kind") ?? field(event["outcome"], "kind");
  return typeof kind === "string" ? kind : "";
}

function field(value: InspectJson | undefined, name: string): InspectJson | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value) || !Object.hasOwn(value, name)) return undefined;
  return (value as Readonly<Record<string, InspectJson>>)[name];
}

/** A tool call names its turn; so does a runner. */
function turnOf(timeline: Timeline, track: Track, position: number): Track | undefined {
  if (track.kind === "turn") return track;
  const parts = new Set(track.name.split(":"));
  let newest: Track | undefined;
  for (const other of timeline.tracks.values()) {
    if (other.kind !== "turn" || other.group !== track.group || other.born >= position) continue;
    if (parts.has(other.short)) return other;
    newest = other;
  }
  return newest;
}
