// What a session's tool registry keeps, gives and takes (PT-36..PT-45). Types only.

import type { Json } from "../../domain/json.ts";
import type { ToJsonSchema, Tool, ToolRetryPolicy } from "../contract.ts";

/** A tool as data: who it is and how its calls are run. What its arguments look like is the live tool's to say. */
export interface ToolManifest {
  readonly id: string;
  /** What the model calls it. */
  readonly name: string;
  readonly description: string;
  readonly readOnly: boolean;
  readonly idempotent: boolean;
  /** `probe`: a function of the tool finds out. */
  readonly onInterrupted: "retry" | "report" | "probe";
  readonly scheduling: "parallel" | "serial";
  /** Null: a failed call is not tried again. */
  readonly retryPolicy: ToolRetryPolicy | null;
}

export interface ToolStateEntry {
  /** The live tool's own; of an orphan, the last one that was seen. */
  readonly manifest: ToolManifest;
  /** No source of this process offers a tool of this id: it cannot be called until one does. */
  readonly orphaned?: true;
  /** Taken away from the model by its host. Default true. */
  readonly member?: false;
}

/** The tools of a session as data: who is listed, who is a member. It never names sources. */
export interface ToolState {
  /** Rises by one with every change. */
  readonly generation: number;
  /** By tool id; an object without a prototype, so that every id is a key like any other. */
  readonly tools: Readonly<Record<string, ToolStateEntry>>;
}

export type ReadTools = () => readonly Tool[] | Promise<readonly Tool[]>;

/** Tools, or what gives them: a function is asked again by every refresh. */
export type ToolSet = readonly Tool[] | ReadTools;

/** What was added by one `add`, for taking it away again. */
export interface ToolSourceHandle {
  /** `live:1`, `live:2`.. in the order of adding. */
  readonly sourceId: string;
}

export interface RestoredTools {
  readonly generation: number;
  /** Ids that no source of this process offers. */
  readonly orphaned: readonly string[];
}

/** Tools that a session has before anything is added to it: `host` or `plugins`. */
export interface BaseSource {
  readonly id: "host" | "plugins";
  readonly tools: readonly Tool[];
  /** Asked by a refresh, in place of tools that never change. */
  readonly read?: ReadTools | undefined;
}

/** Everything here is done at once; nothing of it is durable by itself. */
export interface ToolRegistry {
  state(): ToolState;
  /** Of the tools that a model may call, in the order of their sources. */
  activeManifests(): readonly ToolManifest[];
  /** Those tools by name; the same map until something changes. */
  readonly callable: ReadonlyMap<string, Tool>;
  /** A member of that id that can run. */
  toolOf(id: string): Tool | undefined;
  /**
   * Ids of tools of which this process can say what became of them: offered now, offered here before, or taken away by the host. Those
   * that only the recorded state lists are not among them: they wait for a process that offers them.
   */
  readonly known: ReadonlySet<string>;
  /** A function that was added offered nothing when it was asked last. */
  readonly hasSilentSource: boolean;
  /** Whether a function that was added offers this tool. */
  isFromAddedFunction(id: string): boolean;
  /** Why a tool of that id cannot run; undefined when it can. */
  refusalOf(id: string): string | undefined;

  setMembership(ids: readonly string[], member: boolean): number;
  add(tools: readonly Tool[], read?: ReadTools): ToolSourceHandle;
  remove(handle: ToolSourceHandle): number;
  /** Asks all sources again. @returns the new generation. */
  refresh(): Promise<number>;
  applyState(next: unknown): number;
  restoreState(snapshot: unknown): RestoredTools;

  /** What a commit has to record: the state, where it is neither the recorded one nor that of a session nobody has touched. */
  readonly unrecorded: ToolState | undefined;
  /** Generation of what is recorded; 0 when nothing is. */
  readonly recordedGeneration: number;
  /** @throws LashError `stored_row_invalid` - what the store has is no state of tools. */
  assertStored(recorded: Json): void;
  /** Follows what the store has recorded, by this session's commit or another one's; then lists what is offered. */
  adopt(recorded: Json): void;
  /** Makes tools that are offered and not listed members, as a refresh would. */
  listOffered(): void;
  /** A registry of the same content, to try a change on. */
  draft(): ToolRegistry;
  /** Goes on with the content of a draft. */
  take(draft: ToolRegistry): void;
}

export type MakeToolRegistry = (sources: readonly BaseSource[], toJsonSchema?: ToJsonSchema) => ToolRegistry;
