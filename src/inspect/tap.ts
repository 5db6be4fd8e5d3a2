// Listens to XState and hands on records.
// Owns: order, redaction, coalescing. Its consumer owns: where records go.
//   P1. `next` never throws and never walks a value: it notes references (snapshots are immutable) and returns.
//       Copying happens at the flush, outside the runtime's macrosteps.
//   P2. A flush handles at most `burst` notes; beyond that a superseded snapshot goes first, then the oldest event,
//       and a `lash.skipped` record says how many.
//   P3. While idle (nobody listens) only the newest snapshot of each living actor is remembered, which the actor
//       holds anyway; whoever starts to listen gets those first.
import type { InspectionEvent } from "xstate";
import { CHART_LIMITS, condense, DEFAULT_LIMITS, type CondenseLimits, type Redact } from "./condense.ts";
import { MachineBook, parentOf, type ActorLike } from "./machine-book.ts";
import type { ActorRecord, EventRecord, InspectedEvent, InspectedSnapshot, InspectJson, InspectRecord, MachineRecord, RunRecord, SnapshotRecord, Step } from "./records.ts";

/** An XState inspection observer; pass it as `createLash({ inspect })` or `createActor(machine, { inspect })`. */
export interface InspectObserver {
  next(event: InspectionEvent): void;
}

export interface TapOptions {
  /** Shown by the viewer beside the actors of this run. */
  readonly label?: string;
  /** Bounds of what is kept of each value; see `CondenseLimits` for the defaults. */
  readonly limits?: Partial<CondenseLimits>;
  /** The host's own redaction, applied after the built-in one. */
  readonly redact?: Redact;
  /** Milliseconds between flushes; default 50. */
  readonly flushEveryMs?: number;
  /** Most happenings one flush hands on; default 500, which is 10,000 a second. */
  readonly burst?: number;
  /** Milliseconds since the epoch; default the system's clock with microseconds. */
  readonly now?: () => number;
  /** Runs something later; default `setTimeout`, which does not keep a Node process alive. */
  readonly schedule?: (run: () => void, ms: number) => void;
  /** Name of this run; default a random one. */
  readonly run?: string;
}

/** Receives records, oldest first. What it throws is swallowed: looking must not disturb. */
export type RecordSink = (records: readonly InspectRecord[]) => void;

export interface Tap extends InspectObserver {
  readonly run: RunRecord;
  /** Every chart seen so far. */
  machines(): readonly MachineRecord[];
  /** Hands on what has been noted so far, now. */
  flush(): void;
  /** Idle taps cost almost nothing. Waking up hands on the run, the charts and the state of every living actor. */
  setListening(listening: boolean): void;
  /** Goes silent for good, after a last flush. */
  close(): void;
}

type Taken = readonly { readonly source?: { readonly path?: readonly string[] }; readonly target?: readonly { readonly path?: readonly string[] }[]; readonly eventType?: string }[];

interface ActorNote { readonly kind: "actor"; readonly seq: number; readonly at: number; readonly actor: ActorLike; readonly rootId: string }
interface EventNote { readonly kind: "event"; readonly seq: number; readonly at: number; readonly actor: ActorLike; readonly source: ActorLike | undefined; readonly event: { readonly type: string } }
interface SnapshotNote { readonly kind: "snapshot"; readonly seq: number; readonly at: number; readonly actor: ActorLike; readonly event: string; readonly snapshot: object; readonly trail: Trail | undefined }
type Note = ActorNote | EventNote | SnapshotNote;

/** What an actor did since its last snapshot. */
interface Trail { readonly steps: Taken[]; readonly actions: string[] }
interface Living { readonly rootId: string; readonly actor: ActorLike; latest: SnapshotNote | undefined }

/** Actors that never report an end (dropped without stop) must not pile up. */
const MOST_LIVING = 5000;
const MOST_STEPS = 20;
const MOST_ACTIONS = 50;

/** Starts listening at once unless `listening` is false. */
export function createTap(sink: RecordSink, options: TapOptions = {}, listening = true): Tap {
  return new XStateTap(sink, options, listening);
}

class XStateTap implements Tap {
  readonly run: RunRecord;
  private notes: Note[] = [];
  private seq = 0;
  private skipped = { events: 0, snapshots: 0 };
  private due = false;
  private closed = false;
  private readonly living = new Map<string, Living>();
  private readonly trails = new Map<string, Trail>();
  private readonly book: MachineBook;
  private readonly copies = new WeakMap<object, InspectJson>();
  private readonly limits: CondenseLimits;
  private readonly burst: number;
  private readonly now: () => number;
  private readonly schedule: (run: () => void, ms: number) => void;
  private readonly sink: RecordSink;
  private readonly options: TapOptions;
  private listening: boolean;

  constructor(sink: RecordSink, options: TapOptions, listening: boolean) {
    this.sink = sink;
    this.options = options;
    this.listening = listening;
    this.limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.burst = Math.max(1, options.burst ?? 500);
    this.now = options.now ?? systemNow;
    this.schedule = options.schedule ?? laterUnref;
    this.book = new MachineBook(options.redact);
    this.run = {
      type: "lash.run",
      version: 1,
      run: options.run ?? crypto.randomUUID(),
      ...(options.label === undefined ? {} : { label: options.label }),
      startedAt: this.now(),
    };
    if (listening) this.hand([this.run]);
  }

  // A field, so that `inspect: tap.next` works detached as well as `inspect: tap`.
  readonly next = (event: InspectionEvent): void => {
    if (this.closed) return;
    const actor = event.actorRef as unknown as ActorLike;
    switch (event.type) {
      case "@xstate.event":
        if (this.listening) {
          const source = event.sourceRef as unknown as ActorLike | undefined;
          this.note({ kind: "event", seq: this.seq++, at: this.now(), actor, source, event: event.event });
        }
        return;
      case "@xstate.microstep":
        if (this.listening) this.step(actor, takenBy(event));
        return;
      case "@xstate.action":
        if (this.listening) {
          const { actions } = this.trail(actor);
          if (actions.length < MOST_ACTIONS) actions.push(event.action.type);
        }
        return;
      case "@xstate.snapshot":
        this.snapshot(actor, event.event.type, event.snapshot);
        return;
      case "@xstate.actor":
        if (this.living.size >= MOST_LIVING) this.forgetOldest();
        this.living.set(actor.sessionId, { actor, rootId: event.rootId, latest: undefined });
        if (this.listening) this.note({ kind: "actor", seq: this.seq++, at: this.now(), actor, rootId: event.rootId });
        return;
      default:
    }
  };

  machines(): readonly MachineRecord[] {
    return this.book.all();
  }

  flush(): void {
    this.due = false;
    if (this.notes.length === 0) return;
    const notes = this.thinned();
    this.notes = [];
    const records: InspectRecord[] = [];
    if (this.skipped.events + this.skipped.snapshots > 0) {
      records.push({ type: "lash.skipped", at: this.now(), ...this.skipped });
      this.skipped = { events: 0, snapshots: 0 };
    }
    for (const note of notes) this.record(note, records);
    for (const { actor } of notes) this.recordFailure(actor, records);
    this.hand(records);
  }

  /** XState reports no snapshot of an actor whose guard or action threw, and an outdated one when the error was deferred. */
  private recordFailure(actor: ActorLike, into: InspectRecord[]): void {
    if (!this.living.has(actor.sessionId)) return;
    const snapshot = actor.getSnapshot?.();
    if (typeof snapshot !== "object" || snapshot === null || (snapshot as { status?: unknown }).status !== "error") return;
    this.living.delete(actor.sessionId);
    const trail = this.trails.get(actor.sessionId);
    this.trails.delete(actor.sessionId);
    this.record({ kind: "snapshot", seq: this.seq++, at: this.now(), actor, event: "xstate.error", snapshot, trail }, into);
  }

  setListening(listening: boolean): void {
    if (this.closed || listening === this.listening) return;
    if (!listening) this.flush();
    this.listening = listening;
    this.trails.clear();
    if (!listening) return;
    const records: InspectRecord[] = [this.run, ...this.book.all()];
    for (const { actor, rootId, latest } of this.living.values()) {
      this.record({ kind: "actor", seq: this.seq++, at: latest?.at ?? this.now(), actor, rootId }, records);
      if (latest) this.record({ ...latest, seq: this.seq++ }, records);
    }
    this.hand(records);
  }

  close(): void {
    this.flush();
    this.closed = true;
    this.living.clear();
    this.trails.clear();
  }

  private snapshot(actor: ActorLike, event: string, snapshot: { readonly status: string }): void {
    const trail = this.trails.get(actor.sessionId);
    if (trail) this.trails.delete(actor.sessionId);
    const note: SnapshotNote = { kind: "snapshot", seq: this.listening ? this.seq++ : 0, at: this.now(), actor, event, snapshot, trail };
    if (snapshot.status === "active") {
      const living = this.living.get(actor.sessionId);
      if (living) living.latest = note;
    } else this.living.delete(actor.sessionId);
    if (this.listening) this.note(note);
  }

  private step(actor: ActorLike, taken: Taken): void {
    if (taken.length === 0) return;
    const { steps } = this.trail(actor);
    if (steps.length < MOST_STEPS) steps.push(taken);
  }

  private trail(actor: ActorLike): Trail {
    let trail = this.trails.get(actor.sessionId);
    if (!trail) {
      trail = { steps: [], actions: [] };
      // An actor that fails inside a macrostep leaves a trail and no snapshot.
      if (this.trails.size >= MOST_LIVING) this.trails.clear();
      this.trails.set(actor.sessionId, trail);
    }
    return trail;
  }

  private forgetOldest(): void {
    for (const sessionId of this.living.keys()) {
      this.living.delete(sessionId);
      return;
    }
  }

  private note(note: Note): void {
    this.notes.push(note);
    // A blocked event loop delivers no flush: the queue must stay bounded by itself.
    if (this.notes.length >= this.burst * 8) this.notes = this.thinned();
    if (this.due) return;
    this.due = true;
    this.schedule(() => this.flush(), this.options.flushEveryMs ?? 50);
  }

  /** P2. Births and the newest snapshot of each actor always stay. */
  private thinned(): Note[] {
    if (this.notes.length <= this.burst) return this.notes;
    const seen = new Set<string>();
    const kept: Note[] = [];
    let room = this.burst;
    for (let index = this.notes.length - 1; index >= 0; index -= 1) {
      const note = this.notes[index];
      if (!note) continue;
      if (note.kind === "actor") kept.push(note);
      else if (note.kind === "snapshot") {
        if (seen.has(note.actor.sessionId)) this.skipped.snapshots += 1;
        else kept.push(note);
        seen.add(note.actor.sessionId);
      } else if (room > 0) kept.push(note);
      else this.skipped.events += 1;
      room -= 1;
    }
    return kept.reverse();
  }

  private record(note: Note, into: InspectRecord[]): void {
    const base = { seq: note.seq, at: Math.round(note.at * 1000) / 1000, sessionId: note.actor.sessionId };
    switch (note.kind) {
      case "actor": {
        const { machine, fresh } = this.book.of(note.actor);
        if (fresh) into.push(fresh);
        const parent = parentOf(note.actor);
        const record: ActorRecord = {
          type: "@xstate.actor",
          ...base,
          name: note.actor.id ?? note.actor.sessionId,
          rootId: note.rootId,
          ...(parent ? { parentId: parent.sessionId } : {}),
          ...(machine === undefined ? {} : { machine }),
        };
        into.push(record);
        return;
      }
      case "event": {
        const record: EventRecord = {
          type: "@xstate.event",
          ...base,
          ...(note.source ? { sourceId: note.source.sessionId } : {}),
          event: this.event(note.event),
        };
        into.push(record);
        return;
      }
      case "snapshot": {
        const steps = note.trail ? note.trail.steps.flatMap(readSteps) : [];
        const record: SnapshotRecord = {
          type: "@xstate.snapshot",
          ...base,
          event: { type: note.event },
          snapshot: this.copySnapshot(note.snapshot),
          ...(steps.length > 0 ? { steps } : {}),
          ...(note.trail && note.trail.actions.length > 0 ? { actions: note.trail.actions } : {}),
        };
        into.push(record);
        return;
      }
    }
  }

  private event(event: { readonly type: string }): InspectedEvent {
    const copy = condense(event, this.limits, this.options.redact);
    // An event that is no plain object (or that the host redacted whole) still has a type to show.
    return isFields(copy) ? { ...copy, type: event.type } : { type: event.type };
  }

  private copySnapshot(snapshot: object): InspectedSnapshot {
    const { status, value, context, output, error } = snapshot as Readonly<Record<string, unknown>>;
    return {
      status: String(status),
      // State names are the machine's own; a state called `secret` is no secret.
      ...(value === undefined ? {} : { value: condense(value, CHART_LIMITS) }),
      ...(context === undefined ? {} : { context: this.copyOnce(context) }),
      ...(output === undefined ? {} : { output: condense(output, this.limits, this.options.redact) }),
      ...(error === undefined ? {} : { error: condense(error, this.limits, this.options.redact) }),
    };
  }

  /** Most transitions leave the context as it is, and XState then keeps its identity. */
  private copyOnce(context: unknown): InspectJson {
    if (typeof context !== "object" || context === null) return condense(context, this.limits, this.options.redact);
    const before = this.copies.get(context);
    if (before !== undefined) return before;
    const copy = condense(context, this.limits, this.options.redact);
    this.copies.set(context, copy);
    return copy;
  }

  private hand(records: readonly InspectRecord[]): void {
    try {
      this.sink(records);
    } catch {
      // R: a viewer that fails must not take a turn with it.
    }
  }
}

/** XState reports the transitions of a microstep under a private name, and nowhere else. */
function takenBy(event: object): Taken {
  const { _transitions: taken } = event as { readonly _transitions?: Taken };
  return taken ?? [];
}

function readSteps(taken: Taken): Step[] {
  return taken.map((step): Step => {
    const target = step.target?.[0];
    return [(step.source?.path ?? []).join("."), step.eventType ?? "", target ? (target.path ?? []).join(".") : null];
  });
}

function isFields(value: InspectJson): value is { readonly [key: string]: InspectJson } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function systemNow(): number {
  return performance.timeOrigin + performance.now();
}

function laterUnref(run: () => void, ms: number): void {
  const timer: unknown = setTimeout(run, ms);
  // Node: a pending flush must not keep the process alive. Browsers return a number.
  if (typeof timer === "object" && timer !== null) (timer as { unref?: () => void }).unref?.();
}
