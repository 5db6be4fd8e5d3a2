// A store that a release left, opened with the code of today: who was asked, which tools ran, what was said.

import { childSessions } from "../../src/children/index.ts";
import { createLash, type Lash, type LashOptions, type LogRecord, type Session } from "../../src/index.ts";
import type { Engine } from "../../src/stores/engine.ts";
import { opaqueLiveness } from "../../src/stores/store.ts";
import { manualClock, type ManualClock } from "../../src/testing/index.ts";
import { notesOf, picture, providerOf, toolsOf, type Step } from "../fixtures/0.1.0-0d25721/app.ts";
import { staysOpen } from "./lash.ts";

/** An hour after the processes of the fixtures died: their leases have expired, and what they waited for is due. */
const AN_HOUR_LATER = 1_767_225_600_000 + 3_600_000;

export interface ReleasedStore {
  readonly engine: Engine;
  /** Keys of the waits that were open, by session. */
  readonly keys: Readonly<Record<string, string>>;
}

export interface App {
  readonly lash: Lash;
  readonly clock: ManualClock;
  readonly logged: readonly LogRecord[];
  /** What happened in a session since this app began, in order: `model`, `beta ends`, `gamma begins again` and the like. */
  steps(sessionId: string): readonly string[];
  /** Of all sessions. */
  allSteps(): readonly string[];
  /** Requests to the model, of a session. */
  requests(sessionId: string): readonly NonNullable<Step["request"]>[];
}

export interface AppOptions extends Partial<Omit<LashOptions, "provider" | "clock" | "store">> {
  /** With the plugin of the app. */
  readonly plugged?: boolean;
  /** Without a model it only looks: it takes up no turn. */
  readonly looksOnly?: boolean;
}

/** The app of the fixtures; closing it leaves the engine open. */
export function appOn(engine: Engine, { plugged = false, looksOnly = false, ...options }: AppOptions = {}): App {
  const steps: Step[] = [];
  const logged: LogRecord[] = [];
  const clock = manualClock(AN_HOUR_LATER);
  const world = { reach: (step: Step): void => void steps.push(step) };
  let ids = 0;
  const lash = createLash({
    // Those that wrote the fixtures are gone for good.
    store: { engine: staysOpen(engine), liveness: { ...opaqueLiveness, isDead: ({ incarnationId }) => Promise.resolve(!incarnationId.startsWith("today-")) } },
    effects: "journaled",
    clock,
    logger: (record) => logged.push(record),
    newId: () => `today-${ids++}`,
    ...(!looksOnly && { provider: providerOf(world) }),
    tools: toolsOf({ world }),
    children: childSessions(),
    prompt: "You are a fixture.",
    ...(plugged && { plugins: [notesOf(world)] }),
    ...options,
  });
  const named = ({ at, interrupted }: Step): string => (interrupted === true ? `${at} again` : at);
  return {
    lash,
    clock,
    logged,
    steps: (sessionId) => steps.filter(({ session }) => session === sessionId).map(named),
    allSteps: () => steps.map((step) => `${step.session}: ${named(step)}`),
    requests: (sessionId) => steps.flatMap(({ session, request }) => (session === sessionId && request ? [request] : [])),
  };
}

/** Real milliseconds without an end of what is waited for, after which a second passes on the clock. */
const PATIENCE_MS = 500;

/** Fires what is due, until the promise settles. A build that wants to see a lease unchanged for some time gets that time, too. */
export async function settled<T>(clock: ManualClock, promise: Promise<T>): Promise<T> {
  const state = { isOver: false };
  const over = (): void => void (state.isOver = true);
  promise.then(over, over);
  let since = performance.now();
  while (!state.isOver) {
    await clock.advance(0);
    if (performance.now() - since < PATIENCE_MS) continue;
    await clock.advance(1_000);
    since = performance.now();
  }
  return promise;
}

/** A failure's wording may change between releases, its code may not. */
const FAILURE = /\{"error":\{"class":"[a-z_]+","code":"([a-z_]+)","message":"(?:[^"\\]|\\.)*"\}\}/g;
const FAILURE_IN_BATCH = /"error":\{"class":"[a-z_]+","code":"([a-z_]+)","message":"(?:[^"\\]|\\.)*"\}/g;

/** `Role: Kind content | Kind content` per committed message; of failures `!code`. */
export const transcript = (session: Session): readonly string[] =>
  session.observe().readView.messages.map(({ role, parts }) => `${role}: ${parts.map(({ kind, content }) => `${kind} ${shortened(content)}`.trim()).join(" | ")}`);

const shortened = (content: string): string => content.replace(FAILURE, "!$1").replace(FAILURE_IN_BATCH, '"error":"!$1"').replace(/"duration_ms":\d+,/g, "");

/** What the system message of a request says. */
export const systemOf = ({ messages }: NonNullable<Step["request"]>): string =>
  messages.filter(({ role }) => role === "system").flatMap(({ blocks }) => blocks.flatMap((block) => (block.type === "text" ? [block.text] : []))).join("\n");

/** Media type and bytes of the images of each request to the model. */
export const imagesOf = (app: App, sessionId: string) => app.requests(sessionId).map(({ attachments }) => attachments.map(({ mime, data }) => [mime, [...data]]));
export const PNG = (n: number) => ["image/png", [...picture(n)]];

export function never(): never {
  throw new Error("the model was not asked");
}
