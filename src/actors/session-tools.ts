// Session tools: which tools a session has, for those who plan, run and record its turns.
//
//   G1. A session whose tools nobody touches has a fixed list; the registry is loaded where somebody asks for it, or where
//       the store has a state of it, and is the truth from then on. Until then nothing here costs anything.
//   G2. A tool is bound and refused by its id. What a turn was accepted with names it; what may run is decided when it runs.

import { wiringError } from "../domain/errors.ts";
import { isPlainObject, jsonEqual, type Json, type JsonObject } from "../domain/json.ts";
import { invalidArgument } from "../domain/invalid-argument.ts";
import { toolIdOf, type ToolSpec } from "../domain/turn-config.ts";
import type { TurnMeans } from "../domain/turn-means.ts";
import type { JournalEntry } from "../stores/contract.ts";
import type { ToJsonSchema, Tool } from "../tools/contract.ts";
import { describedTools } from "./described-tools.ts";
import type { BaseSource, MakeToolRegistry, ReadTools, ToolRegistry } from "../tools/registry/contract.ts";

/** State of the tools after an effect that changed them, and the generation that was recorded then. A type: it goes into JSON. */
export type ToolChange = { readonly state: JsonObject; readonly onto: number };

/** What a host says of its tools beside giving them. */
export interface ToolsOfHost {
  /** Names of tools that were dropped on purpose. */
  readonly retired?: Iterable<string>;
  /** Describes tools that cannot describe themselves. */
  readonly toJsonSchema?: ToJsonSchema | undefined;
}

export class SessionTools {
  readonly #load: () => Promise<MakeToolRegistry>;
  /** The lash's, for tools that cannot describe themselves. */
  readonly #toJsonSchema: ToJsonSchema | undefined;
  #make: MakeToolRegistry | undefined;
  #sources: readonly BaseSource[];
  /** By name. */
  #fixed: ReadonlyMap<string, Tool>;
  /** The same by id. */
  #fixedById: ReadonlyMap<string, Tool>;
  /** Names of tools that the host has dropped on purpose: turns that have them go on without. */
  readonly #retired: ReadonlySet<string>;
  #registry: ToolRegistry | undefined;
  /** What whoever takes the running turn up would find last. */
  #journaled: ToolChange | undefined;

  /** @throws LashError `duplicate_tool_name`, `invalid_argument`, `tool_schema_missing`. */
  constructor(host: readonly Tool[], load: () => Promise<MakeToolRegistry>, { retired = [], toJsonSchema }: ToolsOfHost = {}) {
    this.#load = load;
    this.#retired = new Set(retired);
    this.#toJsonSchema = toJsonSchema;
    const tools = describedTools(host, toJsonSchema);
    this.#sources = [{ id: "host", tools }];
    this.#fixed = toolsByName(tools);
    this.#fixedById = byId(this.#fixed);
  }

  /**
   * Adds the tools of the session's plugins, before its first turn. What is recorded has to be adopted once more.
   *
   * @param read - asked again by a refresh; without it they never change.
   * @throws LashError `duplicate_tool_name`, `invalid_argument`, `tool_schema_missing`.
   */
  addPluginTools(given: readonly Tool[], read?: ReadTools): void {
    if (given.length === 0 && !read) return;
    const tools = describedTools(given, this.#toJsonSchema);
    const sources: readonly BaseSource[] = [...this.#sources, { id: "plugins", tools, read }];
    this.#fixed = toolsByName(sources.flatMap((source) => source.tools));
    this.#fixedById = byId(this.#fixed);
    this.#sources = sources;
    if (this.#registry) this.#registry = this.#make?.(sources, this.#toJsonSchema);
  }

  /** Those of a child session, made from what may be called here now. It has plugins of its own. */
  handDown(choose: (callable: readonly Tool[]) => readonly Tool[]): SessionTools {
    const ofPlugins = new Set(this.#sources.filter(({ id }) => id === "plugins").flatMap(({ tools }) => tools.map(toolIdOf)));
    const tools = choose([...this.callable.values()].filter((tool) => !ofPlugins.has(toolIdOf(tool))));
    return new SessionTools(tools, this.#load, { retired: this.#retired, toJsonSchema: this.#toJsonSchema });
  }

  /** By name: what a turn that begins now offers its model. The same map until something changes. */
  get callable(): ReadonlyMap<string, Tool> {
    return this.#registry?.callable ?? this.#fixed;
  }

  /** The tools of a turn that can run here and now, by name. */
  bind(specs: readonly ToolSpec[]): ReadonlyMap<string, Tool> {
    const bound = new Map<string, Tool>();
    for (const spec of specs) {
      const tool = this.#toolOf(spec);
      if (tool) bound.set(spec.name, tool);
    }
    return bound;
  }

  /** What turns of this session find here: a turn that has a tool which is neither is left to others. */
  get known(): Pick<TurnMeans, "tools" | "retiredTools"> & { readonly hasSilentSource: boolean } {
    return { tools: this.#registry?.known ?? this.#fixedById, retiredTools: this.#retired, hasSilentSource: this.#registry?.hasSilentSource ?? false };
  }

  /** Whether a tool comes from a function that was added while the session is open. */
  isFromAddedFunction(id: string): boolean {
    return this.#registry?.isFromAddedFunction(id) ?? false;
  }

  /** Why a tool of a turn cannot run any more; undefined where it can, or no turn has it. */
  refusalOf(specs: readonly ToolSpec[], name: string): string | undefined {
    const spec = specs.find((each) => each.name === name);
    if (!spec || this.#toolOf(spec)) return undefined;
    if (this.#retired.has(name)) return `tool "${name}" was dropped by this application; it cannot be called any more`;
    if (this.#registry?.known.has(toolIdOf(spec))) return this.#registry.refusalOf(toolIdOf(spec));
    return spec.source === undefined ? this.#registry?.refusalOf(toolIdOf(spec)) : `tool "${name}" is unavailable: where it comes from (${spec.source}) does not offer it now`;
  }

  get isManaged(): boolean {
    return this.#registry !== undefined;
  }

  async registry(): Promise<ToolRegistry> {
    this.#make ??= await this.#load();
    return (this.#registry ??= this.#make(this.#sources, this.#toJsonSchema));
  }

  /** Asks every source again. What came of it is recorded by the next commit of settings or of a turn. @returns the generation. */
  async refresh(): Promise<number> {
    return (await this.registry()).refresh();
  }

  /** Follows what a commit recorded; where it recorded something, the registry has to be there. */
  adopt(recorded: Json | undefined): void {
    if (recorded !== undefined) this.#registry?.adopt(recorded);
  }

  /** For the next commit. */
  get unrecorded(): JsonObject | undefined {
    return this.#registry?.unrecorded as JsonObject | undefined;
  }

  /** For the journal, beside an outcome: a change that is in no journal yet. */
  takeChange(): ToolChange | undefined {
    const onto = this.#registry?.recordedGeneration ?? 0;
    // A change that was taken back leaves nothing to commit, but it must not be the journal's last word either.
    const state = this.unrecorded ?? (this.#journaled?.onto === onto ? this.#state : undefined);
    if (state === undefined || state === this.#journaled?.state) return undefined;
    this.#journaled = { state, onto };
    return this.#journaled;
  }

  /** Of a turn that another process began: what was changed while it ran, unless somebody has recorded another state since. */
  async takeUp(journal: readonly JournalEntry[]): Promise<void> {
    const change = journal.map(({ outcome }) => changeIn(outcome)).findLast((each) => each !== undefined);
    // Made by this very process, it holds here already.
    if (!change || jsonEqual(change.state, this.#journaled?.state)) return;
    const registry = await this.registry();
    if (registry.recordedGeneration !== change.onto) return;
    registry.restoreState(change.state);
    registry.listOffered();
    this.#journaled = { state: this.#state ?? change.state, onto: change.onto };
  }

  /** The same value until something changes. */
  get #state(): JsonObject | undefined {
    return this.#registry?.state() as JsonObject | undefined;
  }

  #toolOf(spec: ToolSpec): Tool | undefined {
    const id = toolIdOf(spec);
    return this.#registry ? this.#registry.toolOf(id) : this.#fixedById.get(id);
  }
}

const byId = (tools: ReadonlyMap<string, Tool>): ReadonlyMap<string, Tool> => new Map([...tools.values()].map((tool) => [toolIdOf(tool), tool]));

const changeIn = (outcome: JournalEntry["outcome"]): ToolChange | undefined => {
  const change = "ok" in outcome && isPlainObject(outcome.ok) ? outcome.ok["toolChange"] : undefined;
  return isPlainObject(change) && isPlainObject(change["state"]) && typeof change["onto"] === "number" ? (change as unknown as ToolChange) : undefined;
};

/** Two tools of one name could not be told apart by a model, two of one id not by anybody. */
export function toolsByName(tools: readonly Tool[]): ReadonlyMap<string, Tool> {
  const byName = new Map<string, Tool>();
  const ids = new Set<string>();
  for (const [index, entry] of tools.entries()) {
    if (typeof entry?.run !== "function" || typeof entry.validate !== "function") throw invalidArgument(`tools[${index}]`, "made by tool(...)");
    const { name } = entry;
    const id = toolIdOf(entry);
    if (byName.has(name)) throw wiringError("duplicate_tool_name", `two tools are named "${name}"; rename one of them`, { details: { tool: name } });
    if (ids.has(id)) throw wiringError("duplicate_tool_name", `two tools have the id "${id}"; give one of them another one`, { details: { tool: name, id } });
    byName.set(name, entry);
    ids.add(id);
  }
  return byName;
}
