// What became of each effect of one turn, read from the messages of its actors.
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

/** Effects of the turn that `track` belongs to (its turn actor, effects actor or tool calls), in order of request; for a session, of its newest turn. */
export function effectsAt(timeline: Timeline, track: Track, position: number): readonly EffectLine[] {
  const scope = scopeOf(hasTurn(track) ? track.name : (newestTurn(timeline, track.group, position)?.name ?? ""));
  const rows = timeline.rows.get(track.group) ?? [];
  const lines = new Map<string, EffectLine>();
  const end = countBelow(rows, position);
  for (let index = Math.max(0, end - 20_000); index < end; index += 1) {
    const entry = timeline.at(rows[index] ?? -1);
    if (entry?.kind !== "event") continue;
    const { event } = entry.record;
    const state = STATES[event.type];
    if (state === undefined || scopeOf(timeline.tracks.get(entry.to)?.name ?? "") !== scope) continue;
    const effectId = String(event["effectId"] ?? event["id"] ?? "?");
    const before = lines.get(effectId);
    const settled = state === "settled";
    lines.set(effectId, {
      effectId,
      kind: typeof event["kind"] === "string" ? event["kind"] : (before?.kind ?? ""),
      state: settled && event["replayed"] === true ? "from journal" : state,
      requestedAt: before?.requestedAt ?? entry.record.at,
      settledAt: settled ? entry.record.at : undefined,
    });
  }
  return [...lines.values()];
}

/** `chat-42:t1` of `turn:chat-42:t1` and of `tool:chat-42:t1:weather:call_0`. */
function scopeOf(name: string): string {
  return name.split(":").slice(1, 3).join(":");
}

function hasTurn({ name }: Track): boolean {
  return name.split(":").length > 2;
}

function newestTurn(timeline: Timeline, group: string, position: number): Track | undefined {
  let newest: Track | undefined;
  for (const track of timeline.tracks.values()) {
    if (track.group === group && track.kind === "turn" && track.born < position) newest = track;
  }
  return newest;
}
