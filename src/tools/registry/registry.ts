// Tool registry of one session: which sources offer which tools, which of them are listed, and which the model may use.
//
//   R1. Content is a value: a change makes the next one or throws, and then nothing has changed.
//   R2. What is offered is the process's, and never recorded; what is listed, and who is a member, is the session's.
//   R3. An orphan is a listed tool that nobody offers. Nothing marks it, so it is bound again by whoever offers its id (PT-43).
//   R4. Ids mean tools; a name is looked up only among those that are offered, so an orphan never stands in its way.

import { toolError } from "../../domain/errors.ts";
import { jsonEqual, type Json } from "../../domain/json.ts";
import { toolIdOf } from "../../domain/turn-config.ts";
import type { ToJsonSchema, Tool } from "../contract.ts";
import type { BaseSource, ReadTools, RestoredTools, ToolManifest, ToolRegistry, ToolSourceHandle, ToolState } from "./contract.ts";
import { checkDisjoint, invalidTools, toolsById, type Source } from "./sources.ts";
import { exportState, manifestOf, parseState, parseStoredState, type Entry, type ParsedState } from "./state.ts";

interface Content {
  readonly generation: number;
  readonly sources: readonly Source[];
  readonly entries: ReadonlyMap<string, Entry>;
  /** Sources that were ever added. */
  readonly added: number;
  /** For tools that cannot describe themselves. */
  readonly toJsonSchema: ToJsonSchema | undefined;
  /** Ids that a source of this process offered and that none offers now. */
  readonly departed: ReadonlySet<string>;
}

/** What is worked out of a content once. */
interface View {
  readonly offered: ReadonlyMap<string, Tool>;
  readonly callable: ReadonlyMap<string, Tool>;
  readonly state: ToolState;
  readonly known: ReadonlySet<string>;
}

/** As the store has it, and as it was exported here. */
interface Recorded {
  readonly body: Json | ToolState;
  readonly state: ToolState;
}

/**
 * A registry of the first generation: everything that is offered is a member.
 *
 * @throws LashError `tool_reconfigure_validation`.
 */
export function toolRegistry(base: readonly BaseSource[], toJsonSchema?: ToJsonSchema): ToolRegistry {
  const sources = base.map(({ id, tools, read }): Source => ({ id, read, tools: toolsById(id, tools, toJsonSchema) }));
  checkDisjoint(sources);
  return new Registry({ generation: 1, sources, entries: listed(sources, new Map()), added: 0, departed: new Set(), toJsonSchema }, undefined, new WeakSet());
}

class Registry implements ToolRegistry {
  #content: Content;
  #recorded: Recorded | undefined;
  /** Refreshes that were begun, and the latest of those that were answered. */
  #asked = 0;
  #answered = 0;
  /** States that this registry or a draft of it gave to a commit. */
  readonly #exported: WeakSet<object>;

  constructor(content: Content, recorded: Recorded | undefined, exported: WeakSet<object>) {
    this.#content = content;
    this.#recorded = recorded;
    this.#exported = exported;
  }

  state(): ToolState {
    return this.#viewed.state;
  }

  activeManifests(): readonly ToolManifest[] {
    return [...this.callable.values()].map(manifestOf);
  }

  get callable(): ReadonlyMap<string, Tool> {
    return this.#viewed.callable;
  }

  toolOf(id: string): Tool | undefined {
    return this.refusalOf(id) === undefined ? this.#viewed.offered.get(id) : undefined;
  }

  get known(): ReadonlySet<string> {
    return this.#viewed.known;
  }

  get hasSilentSource(): boolean {
    return this.#addedFunctions().some(({ tools }) => tools.size === 0);
  }

  isFromAddedFunction(id: string): boolean {
    return this.#addedFunctions().some(({ tools }) => tools.has(id));
  }

  #addedFunctions(): readonly Source[] {
    return this.#content.sources.filter(({ handle, read }) => handle !== undefined && read !== undefined);
  }

  refusalOf(id: string): string | undefined {
    const entry = this.#content.entries.get(id);
    if (!entry) return `there is no tool "${id}" in this session any more`;
    if (!this.#viewed.offered.has(id)) return `the source of tool "${entry.manifest.name}" is not registered; the tool cannot run until it is`;
    return entry.member ? undefined : `tool "${entry.manifest.name}" was taken away from this session`;
  }

  setMembership(ids: readonly string[], member: boolean): number {
    const { entries } = this.#content;
    const changed = new Map(entries);
    for (const id of ids) {
      const entry = entries.get(id);
      if (!entry) throw invalidTools(`there is no tool of the id "${id}" in this session`, { toolId: id });
      changed.set(id, { ...entry, member });
    }
    return ids.every((id) => entries.get(id)?.member === member) ? this.#content.generation : this.#change({ entries: changed });
  }

  add(tools: readonly Tool[], read?: ReadTools): ToolSourceHandle {
    const added = this.#content.added + 1;
    const handle: ToolSourceHandle = Object.freeze({ sourceId: `live:${added}` });
    const source: Source = { id: handle.sourceId, handle, read, tools: toolsById(handle.sourceId, tools, this.#content.toJsonSchema) };
    const sources = [...this.#content.sources, source];
    checkDisjoint(sources);
    this.#change({ added, sources, entries: listed([source], this.#content.entries) });
    return handle;
  }

  remove(handle: ToolSourceHandle): number {
    // By identity: a number means another source in another session.
    const source = this.#content.sources.find((each) => each.handle !== undefined && each.handle === handle);
    if (!source) throw toolError("tool_reconfigure_unknown_source", "this session has no such source of tools, or no longer; pass what `add` gave");
    const entries = new Map(this.#content.entries);
    for (const id of source.tools.keys()) entries.delete(id);
    return this.#change({ sources: this.#content.sources.filter((each) => each !== source), entries, departed: this.#departedWith(source.tools.keys()) });
  }

  async refresh(): Promise<number> {
    const asking = ++this.#asked;
    const asked = await Promise.all(this.#content.sources.map(async ({ id, read }) => [id, read && toolsById(id, await read(), this.#content.toJsonSchema)] as const));
    const answers = new Map(asked);
    // Sources that came or went while these were asked are as they are now.
    const { sources: before, entries, generation } = this.#content;
    // Asked once more while these were slow to answer: what was said later is newer.
    if (asking < this.#answered) return generation;
    this.#answered = asking;
    const sources = before.map((source) => ({ ...source, tools: answers.get(source.id) ?? source.tools }));
    checkDisjoint(sources);
    const kept = new Map(entries);
    const offered = offeredBy(sources);
    for (const { tools } of before) for (const id of tools.keys()) if (!offered.has(id)) kept.delete(id);
    return this.#change({ sources, entries: listed(sources, kept), departed: this.#departedWith(before.flatMap(({ tools }) => [...tools.keys()])) });
  }

  applyState(next: unknown): number {
    const parsed = parseState(next);
    const { generation } = this.#content;
    if (parsed.generation !== generation) {
      throw toolError("tool_reconfigure_generation_mismatch", `the tools are at generation ${generation}, not ${parsed.generation}: expected ${generation}, actual ${parsed.generation}; read the state again`, {
        details: { expected: generation, actual: parsed.generation },
      });
    }
    for (const [id, { manifest }] of parsed.entries) {
      if (this.#viewed.offered.has(id) || parsed.orphaned.has(id)) continue;
      throw toolError("tool_reconfigure_unknown_source", `no source offers tool "${manifest.name}" (id "${id}")`, { details: { toolId: id } });
    }
    return this.#change({ entries: parsed.entries });
  }

  restoreState(snapshot: unknown): RestoredTools {
    return this.#restore(parseState(snapshot));
  }

  get unrecorded(): ToolState | undefined {
    const { state } = this.#viewed;
    if (this.#recorded ? state === this.#recorded.state : this.#isUntouched()) return undefined;
    this.#exported.add(state);
    return state;
  }

  get recordedGeneration(): number {
    return this.#recorded?.state.generation ?? 0;
  }

  assertStored(recorded: Json): void {
    if (!this.#isRecorded(recorded)) parseStoredState(recorded);
  }

  adopt(recorded: Json): void {
    if (this.#isRecorded(recorded)) return;
    const { state } = this.#viewed;
    // A commit of this session: what changed while it was made is still to be recorded.
    if (typeof recorded === "object" && recorded !== null && this.#exported.has(recorded)) this.#recorded = { body: recorded, state: recorded as unknown as ToolState };
    else if (jsonEqual(recorded, state)) this.#recorded = { body: recorded, state };
    else {
      this.#restore(parseStoredState(recorded));
      this.#recorded = { body: recorded, state: this.#viewed.state };
      this.listOffered();
    }
  }

  draft(): ToolRegistry {
    return new Registry(this.#content, this.#recorded, this.#exported);
  }

  take(draft: ToolRegistry): void {
    if (draft instanceof Registry) this.#set(draft.#content);
  }

  listOffered(): void {
    const { sources, entries } = this.#content;
    const all = listed(sources, entries);
    if (all.size > entries.size) this.#change({ entries: all });
  }

  /** Adopts the generation as it is: on any base, without a bump. */
  #restore({ generation, entries }: ParsedState): RestoredTools {
    this.#set({ ...this.#content, generation, entries });
    return { generation, orphaned: [...entries.keys()].filter((id) => !this.#viewed.offered.has(id)) };
  }

  #isRecorded(recorded: Json): boolean {
    return this.#recorded !== undefined && jsonEqual(recorded, this.#recorded.body);
  }

  #departedWith(ids: Iterable<string>): ReadonlySet<string> {
    return new Set([...this.#content.departed, ...ids]);
  }

  #change(to: Partial<Content>): number {
    const generation = this.#content.generation + 1;
    this.#set({ ...this.#content, ...to, generation });
    return generation;
  }

  #set(content: Content): void {
    this.#content = content;
  }

  get #viewed(): View {
    let view = views.get(this.#content);
    if (!view) {
      view = viewOf(this.#content);
      views.set(this.#content, view);
    }
    return view;
  }

  /** Nothing but what a session begins with, all of it members. */
  #isUntouched(): boolean {
    const { sources, entries } = this.#content;
    const { offered } = this.#viewed;
    return sources.every(({ handle }) => handle === undefined) && entries.size === offered.size && [...entries].every(([id, { member }]) => member && offered.has(id));
  }
}

/** Shared by a registry and its drafts, so that equal content is one state. */
const views = new WeakMap<Content, View>();

function viewOf({ generation, sources, entries, departed }: Content): View {
  const offered = offeredBy(sources);
  const callable = new Map<string, Tool>();
  for (const [id, tool] of offered) if (entries.get(id)?.member) callable.set(tool.name, tool);
  const takenAway = [...entries].flatMap(([id, { member }]) => (member ? [] : [id]));
  return { offered, callable, state: exportState(generation, entries, offered), known: new Set([...offered.keys(), ...departed, ...takenAway]) };
}

const offeredBy = (sources: readonly Source[]): ReadonlyMap<string, Tool> => new Map(sources.flatMap(({ tools }) => [...tools]));

/** Entries with those of all tools of the sources: who is new is a member, who is known keeps the host's choice. */
function listed(sources: readonly Source[], entries: ReadonlyMap<string, Entry>): ReadonlyMap<string, Entry> {
  const all = new Map(entries);
  for (const { tools } of sources) {
    for (const tool of tools.values()) {
      const id = toolIdOf(tool);
      all.set(id, { manifest: manifestOf(tool), member: all.get(id)?.member ?? true });
    }
  }
  return all;
}
