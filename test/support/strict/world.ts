// Conversations of a session with several strict servers over the real clients, and the judge of what arrives there.
//
//   W1. Nothing is refused.
//   W2. What a server said comes back to it byte for byte and in order.
//   W3. To another one, every text, call, result and deed is told, in order; nothing that is bound to its sender goes there.
//   W4. Each call has its own result, and of an answer that was cut off nothing is sent but its text.
//   W5. A request begins with the one before it on that wire; after a broken stream it is the same one.

import * as z from "zod";
import { createLash, tool, withImages, type Lash, type Session, type Tool, type TurnActivity, type TurnResult } from "../../../src/index.ts";
import { summarize } from "../../../src/compaction.ts";
import { aiSdk } from "../../../src/providers/ai-sdk/index.ts";
import type { Provider } from "../../../src/providers/contract.ts";
import type { Store } from "../../../src/stores/store.ts";
import { gate } from "../../../src/testing/index.ts";
import { png } from "../pictures.ts";
import { isFields, type Fields } from "./json.ts";
import { isCall, type Numbers, type Said } from "./said.ts";
import { eventIn, startStrict, type StrictReply, type StrictRequest, type StrictServer } from "./server.ts";
import { boundTo, told, type Wire } from "./wires.ts";

/** One answer of a model, and the attempts at it that break. */
export interface Answer {
  readonly said: readonly Said[];
  readonly broken?: readonly Pick<StrictReply, "cut" | "status">[];
  /** The host cancels when so many events of it have been sent. */
  readonly cancelAt?: number;
  /** How it is cut into deltas and chunks. */
  readonly shape?: Pick<StrictReply, "piece" | "chunkBytes">;
}

export interface TurnPlan {
  readonly user: string;
  /** What stands around the words of the user; a model may be told a legal form of it. */
  readonly around?: string;
  readonly answers: readonly Answer[];
}

type Entry =
  | { readonly kind: "told"; readonly text: string }
  /** Was said in an answer that was cut off, and is sent to nobody. */
  | { readonly kind: "unsaid"; readonly text: string }
  | { readonly kind: "answer"; readonly wire: Wire; readonly said: readonly Said[]; readonly reply: StrictReply };

interface Planned {
  readonly wire: Wire;
  readonly answer: Answer;
  readonly hold?: { readonly until: Promise<void>; readonly cancel: () => void };
}

/** What a session has behind it, as far as a model is to be shown it. */
interface Path {
  entries: Entry[];
  readonly before: Map<string, readonly unknown[]>;
}

export interface WorldOptions {
  readonly wires: readonly Wire[];
  /** Opens the store of a process; what it holds outlives the process. */
  readonly store: () => Store;
  /** Tools beside the usual ones, such as one whose name most wires do not take. */
  readonly moreTools?: readonly (typeof MORE_TOOLS)[number][];
}

const fast = { reliability: { retry: { maxAttempts: 4, baseDelayMs: 0, maxDelayMs: 1 } } };

export class World {
  readonly problems: string[] = [];
  readonly #options: WorldOptions;
  readonly #servers: ReadonlyMap<Wire, StrictServer>;
  #lash: Lash;
  #session: Session;
  #providers: ReadonlyMap<Wire, Provider>;
  #path: Path = { entries: [], before: new Map() };
  readonly #paths = new Map<string, Path>();
  readonly #planned: Planned[] = [];
  #again: { readonly text: string; readonly plan: Planned; readonly tries: number } | undefined;
  #judged = true;
  #cancelled: (() => void) | undefined;
  /** Of the answer that is held: its text so far, and what to do when the host has heard all of it. */
  #held: { readonly text: string; readonly cancel: () => void; reached: boolean } | undefined;
  #heard = "";
  #numbers = 0;

  private constructor(options: WorldOptions, servers: ReadonlyMap<Wire, StrictServer>, lash: Lash, session: Session, providers: ReadonlyMap<Wire, Provider>) {
    this.#options = options;
    this.#servers = servers;
    this.#lash = lash;
    this.#session = session;
    this.#providers = providers;
  }

  static async open(options: WorldOptions): Promise<World> {
    const servers = new Map<Wire, StrictServer>();
    let world: World | undefined;
    for (const wire of options.wires) servers.set(wire, await startStrict(wire.dialect(), (request) => world?.answer(wire, request) ?? { parts: [], status: 500 }));
    const providers = providersOf(servers);
    const lash = lashOf(options, providers, () => world?.waiting());
    const session = await lash.openSession("s");
    world = new World(options, servers, lash, session, providers);
    world.#paths.set(session.id, world.#path);
    return world;
  }

  get requests(): ReadonlyMap<Wire, readonly StrictRequest[]> {
    return new Map([...this.#servers].map(([wire, server]) => [wire, server.requests]));
  }

  get session(): Session {
    return this.#session;
  }

  readonly numbers: Numbers = () => (this.#numbers += 1);

  /** A turn with the model of that wire. */
  async run(wire: Wire, { user, around = "", answers }: TurnPlan): Promise<TurnResult> {
    const provider = this.#providers.get(wire);
    await this.#session.configure({ ...(provider && { provider }) });
    this.#path.entries.push({ kind: "told", text: user });
    const turn = this.#session.turn(`${around}${user}${around}`);
    const cancel = (): void => void turn.cancel("enough");
    this.#cancelled = cancel;
    const until = gate();
    for (const answer of answers) {
      const hold = answer.cancelAt === undefined ? undefined : { until: until.pass(), cancel };
      this.#planned.push({ wire, answer, ...(hold && { hold }) });
    }
    for await (const activity of turn) this.#follow(activity);
    const result = await turn.result;
    until.open();
    this.#planned.length = 0;
    this.#again = undefined;
    this.#cancelled = undefined;
    const wantsCancel = answers.some(({ cancelAt, said }) => cancelAt !== undefined || said.some((one) => one.kind === "call" && one.tool === "wait"));
    const held = answers.find(({ cancelAt }) => cancelAt !== undefined);
    if (held && this.#held) {
      for (const text of receivedOf(held.said, this.#held.text)) this.#path.entries.push({ kind: "told", text });
      for (const text of unsaidOf(held.said)) this.#path.entries.push({ kind: "unsaid", text });
    }
    this.#held = undefined;
    if (!wantsCancel && result.outcome.kind !== "finished") this.#problem(`a turn on ${wire.name} ended as ${JSON.stringify(result.outcome)}: ${JSON.stringify(result.errors)}`);
    this.#collectRefusals();
    return result;
  }

  /** The host cancels when it has heard what was sent of the answer that is held. */
  #follow(activity: TurnActivity): void {
    if (activity.type === "model_request_started" || activity.type === "model_attempt_reset") this.#heard = "";
    if (activity.type === "assistant_prose_delta") this.#heard += activity.text;
    this.#cancelWhenHeard();
  }

  #cancelWhenHeard(): void {
    const held = this.#held;
    if (held?.reached === true && this.#heard.length >= held.text.length) held.cancel();
  }

  /** Another process, with clients of its own, opens what the last one left. */
  async restart(): Promise<void> {
    const { id } = this.#session;
    await this.#lash.close();
    this.#providers = providersOf(this.#servers);
    this.#lash = lashOf(this.#options, this.#providers, () => this.waiting());
    this.#session = await this.#lash.openSession(id);
  }

  /** Goes on in a fork of the session, if there is anything to fork. */
  async fork(): Promise<void> {
    if (this.#path.entries.length === 0) return;
    const id = await this.#session.fork();
    const { entries, before } = this.#path;
    this.#path = { entries: [...entries], before: new Map(before) };
    this.#paths.set(id, this.#path);
    await this.#session.close();
    this.#session = await this.#lash.openSession(id);
  }

  /** Goes on with a summary, which the model of that wire writes. */
  async compact(wire: Wire, summary: string): Promise<void> {
    const provider = this.#providers.get(wire);
    await this.#session.configure({ ...(provider && { provider }) });
    this.#planned.push({ wire, answer: { said: [{ kind: "text", text: summary }] } });
    this.#judged = false;
    const shorter = await this.#session.compact(summarize()).catch((error: unknown) => this.#problem(`compact on ${wire.name}: ${String(error)}`));
    this.#judged = true;
    this.#planned.length = 0;
    this.#collectRefusals();
    if (shorter !== true) return;
    this.#path.entries = [{ kind: "told", text: summary }];
    this.#path.before.clear();
  }

  async close(): Promise<void> {
    await this.#lash.close();
    for (const server of this.#servers.values()) await server.close();
  }

  /** The tool `wait` has begun: what it waits for is a cancel. */
  waiting(): void {
    this.#cancelled?.();
  }

  #problem(text: string): void {
    this.problems.push(text);
  }

  #collectRefusals(): void {
    for (const [wire, { refusals }] of this.#servers) {
      const known = this.problems.filter((problem) => problem.startsWith(`${wire.name} refused`)).length;
      for (const refusal of refusals.slice(known)) this.#problem(`${wire.name} refused: ${refusal}`);
    }
  }

  /** Judges a request that was accepted, and answers it. */
  answer(wire: Wire, request: StrictRequest): StrictReply {
    const again = this.#again;
    this.#again = undefined;
    if (again === undefined && this.#judged) this.#judge(wire, request);
    if (again !== undefined && again.text !== request.text) this.#problem(`${wire.name}: the request after a broken stream is not the same:\n${again.text}\n${request.text}`);
    const plan = again?.plan ?? this.#planned.shift();
    if (plan === undefined) return { parts: wire.reply([{ kind: "text", text: "nothing more was planned" }], this.numbers).parts };
    if (plan.wire !== wire) this.#problem(`a request for ${plan.wire.name} went to ${wire.name}`);
    const tries = again?.tries ?? 0;
    const said = plan.answer.said.map((one): Said => (one.kind === "call" ? { ...one, tool: shownName(request.body, one.tool) } : one));
    const reply = { ...wire.reply(said, this.numbers), ...plan.answer.shape };
    const fault = plan.answer.broken?.[tries];
    if (fault !== undefined) {
      this.#again = { text: request.text, plan, tries: tries + 1 };
      return { ...reply, ...fault };
    }
    if (plan.hold !== undefined) return this.#hold(wire, request, reply, plan.hold, plan.answer.cancelAt ?? 0);
    this.#path.entries.push({ kind: "answer", wire, said: plan.answer.said, reply });
    const calls = plan.answer.said.filter(isCall);
    for (const call of calls) if (call.tool !== "wait") this.#path.entries.push({ kind: "told", text: resultOf(call.input) });
    for (const call of calls) if (call.tool === "shoot") this.#path.entries.push({ kind: "told", text: Buffer.from(pictureOf(call.input)).toString("base64") });
    return reply;
  }

  /** Sends the answer up to an event, and no further. */
  #hold(wire: Wire, { model }: StrictRequest, reply: StrictReply, { until, cancel }: NonNullable<Planned["hold"]>, cancelAt: number): StrictReply {
    const dialect = wire.dialect();
    const events = dialect.events(reply, model);
    const beforeEvent = cancelAt % events.length;
    const text = events.slice(0, beforeEvent).map((event) => dialect.textIn(eventIn(event))).join("");
    const held = { text, cancel, reached: false };
    this.#held = held;
    const reached = (): void => {
      held.reached = true;
      this.#cancelWhenHeard();
    };
    return { ...reply, hold: { beforeEvent, until, reached } };
  }

  #judge(wire: Wire, { body, text, index }: StrictRequest): void {
    const server = this.#servers.get(wire);
    const sent = [...(server?.sent.values() ?? [])];
    const where = `${wire.name} request ${index}`;
    const pieces = wire.pieces(body, sent);
    const problems = [
      ...ownProblems(wire, wire.heard(body, sent), this.#path.entries),
      ...toldProblems(told(pieces), this.#path.entries),
      ...foreignProblems(wire, text, this.#path.entries),
      ...wire.answered(body).flatMap(({ input, result }) => (isWaiting(input, this.#path.entries) || result.includes(resultOf(input)) ? [] : [`call ${String(input["n"])} has the result of another: ${result}`])),
      ...this.#path.entries.flatMap((entry) => (entry.kind === "unsaid" && text.includes(entry.text) ? [`was sent what was cut off: ${entry.text}`] : [])),
      ...prefixProblems(this.#path.before.get(wire.name), pieces),
    ];
    this.#path.before.set(wire.name, pieces);
    for (const problem of problems) this.#problem(`${where}: ${problem}\n    in ${text}`);
  }
}

/** Texts of an answer, as far as they had come when it was cut off. */
function receivedOf(said: readonly Said[], received: string): readonly string[] {
  const texts: string[] = [];
  let rest = received;
  for (const one of said) {
    if (one.kind !== "text") continue;
    const text = rest.startsWith(one.text) ? one.text : one.text.startsWith(rest) ? rest : "";
    if (text.trim() === "") break;
    texts.push(text.trim());
    rest = rest.slice(text.length).trimStart();
  }
  return texts;
}

/** Reasoning and calls of an answer that was cut off. */
const unsaidOf = (said: readonly Said[]): readonly string[] =>
  said.flatMap((one) => (one.kind === "reasoning" ? [/^\w+/.exec(one.text)?.[0] ?? one.text] : one.kind === "call" ? [String(one.input["n"])] : []));

const isWaiting = (input: Fields, entries: readonly Entry[]): boolean =>
  entries.some((entry) => entry.kind === "answer" && entry.said.some((one) => one.kind === "call" && one.tool === "wait" && one.input["n"] === input["n"]));

function ownProblems(wire: Wire, heard: readonly string[], entries: readonly Entry[]): readonly string[] {
  let from = 0;
  for (const entry of entries) {
    if (entry.kind !== "answer" || entry.wire !== wire) continue;
    const echo = wire.echo(entry.reply);
    const at = placeOf(heard, echo, from);
    if (at === -1) return [`an answer of its own did not come back as it was: ${echo.join(" | ")}\n    among ${heard.slice(from).join(" | ")}`];
    from = at + echo.length;
  }
  return [];
}

function placeOf(list: readonly string[], run: readonly string[], from: number): number {
  for (let at = from; at + run.length <= list.length; at++) if (run.every((one, index) => list[at + index] === one)) return at;
  return -1;
}

function toldProblems(all: string, entries: readonly Entry[]): readonly string[] {
  let from = 0;
  for (const text of entries.flatMap(textsOf)) {
    const at = all.indexOf(text, from);
    if (at === -1) return [`${all.includes(text) ? "out of order" : "not told"}: ${JSON.stringify(text)}`];
    from = at + text.length;
  }
  return [];
}

function textsOf(entry: Entry): readonly string[] {
  if (entry.kind === "told") return [entry.text];
  if (entry.kind === "unsaid") return [];
  return entry.said.flatMap((one): string[] => {
    if (one.kind === "text") return [one.text];
    if (one.kind === "call") return [String(one.input["n"])];
    return one.kind === "search" ? [one.query] : [];
  });
}

function foreignProblems(wire: Wire, text: string, entries: readonly Entry[]): readonly string[] {
  return entries.flatMap((entry) => {
    if (entry.kind !== "answer" || entry.wire === wire) return [];
    const bound = boundTo(entry.reply).filter((one) => text.includes(JSON.stringify(one)));
    const reasoning = entry.said.flatMap((one) => (one.kind === "reasoning" && text.includes(one.text) ? [one.text] : []));
    return [...bound, ...reasoning].map((one) => `was given what is bound to ${entry.wire.name}: ${one}`);
  });
}

function prefixProblems(before: readonly unknown[] | undefined, pieces: readonly unknown[]): readonly string[] {
  if (before === undefined) return [];
  const at = before.findIndex((piece, index) => JSON.stringify(piece) !== JSON.stringify(pieces[index]));
  return at === -1 ? [] : [`it does not begin as the one before: ${JSON.stringify(before[at])} became ${JSON.stringify(pieces[at])}`];
}

/** The name under which a model is shown a tool of ours. */
function shownName(body: unknown, name: string): string {
  const found = findTool(body, descriptionOf(name));
  return typeof found === "string" ? found : name;
}

function findTool(value: unknown, description: string): unknown {
  if (Array.isArray(value)) return value.map((one) => findTool(one, description)).find((one) => one !== undefined);
  if (!isFields(value)) return undefined;
  if (value["description"] === description && "name" in value) return value["name"];
  return findTool(Object.values(value), description);
}

const providersOf = (servers: ReadonlyMap<Wire, StrictServer>): ReadonlyMap<Wire, Provider> =>
  new Map([...servers].map(([wire, { url }]) => [wire, aiSdk(wire.model(url), { id: `test:${wire.name}`, settings: wire.settings, ...fast })]));

function lashOf({ store, moreTools = [] }: WorldOptions, providers: ReadonlyMap<Wire, Provider>, waiting: () => void): Lash {
  const [provider] = providers.values();
  return createLash({ ...(provider && { provider }), store: store(), tools: toolsOf(waiting, moreTools), prompt: "You help.", logger: () => {} });
}

export const TOOL_NAMES = ["look", "shoot", "fail", "half"] as const;
/** The first is legal for a tool, not for a function of most wires, and made legal it may be the second. */
export const MORE_TOOLS = ["look.at", "look_at"] as const;

const descriptionOf = (name: string): string => `The tool ${name}.`;
const resultOf = (input: Fields): string => `result of ${String(input["n"])}`;
const pictureOf = (input: Fields): Uint8Array => png(...new TextEncoder().encode(`picture of ${String(input["n"])}`));

function toolsOf(waiting: () => void, more: readonly string[]): readonly Tool[] {
  const made = (name: string, run: (input: { n: string }, signal: AbortSignal) => unknown): Tool =>
    tool({ name, description: descriptionOf(name), input: z.looseObject({ n: z.string() }), readOnly: true, run: (input, call) => run(input, call.signal) });
  return [
    made("look", resultOf),
    ...more.map((name) => made(name, resultOf)),
    made("shoot", (input) => withImages(resultOf(input), [pictureOf(input)])),
    made("fail", (input) => {
      throw new Error(resultOf(input));
    }),
    made("half", (input) => `${resultOf(input)} \ud83d`),
    made("wait", (_, signal) => {
      // Once those beside it have ended: they begin behind it.
      setTimeout(waiting, 0);
      return new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
      });
    }),
  ];
}
