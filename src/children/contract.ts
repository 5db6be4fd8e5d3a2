// Child sessions: what a host or a tool asks for, and what it is given. Types only.

import type { RuntimePorts, SessionWiring } from "../actors/ports.ts";
import type { SessionRuntime } from "../actors/session-runtime.ts";
import type { CallingTool } from "../actors/turn/tools/calling-tool.ts";
import type { Json } from "../domain/json.ts";
import type { Message } from "../domain/messages.ts";
import type { MessageDraft } from "../domain/message-draft.ts";
import type { Prompt } from "../domain/prompt-input.ts";
import type { SessionPolicy } from "../domain/session.ts";
import type { SessionSettings } from "../domain/turn-config.ts";
import type { UserInput } from "../domain/turn-input.ts";
import type { ModelOptions } from "../lash-options.ts";
import type { TurnActivity } from "../observe/contract.ts";
import type { Plugin } from "../plugins/contract.ts";
import type { Provider } from "../providers/contract.ts";
import type { SessionAssembly } from "../session-assembly.ts";
import type { InFlight, LeaseOwner } from "../stores/contract.ts";
import type { StoreContext } from "../stores/persistence/context.ts";
import type { Tool } from "../tools/contract.ts";
import type { TurnResult } from "../turn-result.ts";

/** A conversation as plain data; a read view is one. */
export interface ConversationSnapshot {
  readonly messages: readonly Message[];
  /** Default: the parent's. */
  readonly policy?: SessionPolicy;
}

/**
 * What a child's conversation begins with: nothing, what its parent has committed, the same of another child of its parent, or
 * what the caller kept. Its model, limits and prompt come from there, too; with `empty` from the parent.
 */
export type ChildStart = "empty" | "current" | { readonly sessionId: string } | { readonly snapshot: ConversationSnapshot };

/** What only lives in memory: whoever opens the child anew gives it anew. */
export interface ChildLiveParts {
  /** Default: the parent's. */
  readonly provider?: Provider;
  /** Besides those of the parent; names must differ. */
  readonly tools?: readonly Tool[];
}

/** A session to be made. Everything but `provider` and `tools` is recorded with it. */
export interface ChildRequest extends ChildLiveParts {
  /** Default, also for a blank one: a fresh id. */
  readonly id?: string;
  /** Default `empty`. */
  readonly start?: ChildStart;
  /** Default: that of `start`. Default of its id: the given provider's own, else that of `start`. */
  readonly model?: ModelOptions;
  /** The child's own layer of the prompt, in place of that of `start`. */
  readonly prompt?: Prompt;
  /** Most model rounds of one turn; null for no limit. Default: that of `start`. */
  readonly maxTurns?: number | null;
  /** Names of the parent's tools that the child and its children do not get. They stay hidden from it for good. */
  readonly hiddenTools?: readonly string[];
  /** Said after what it starts with. */
  readonly initialMessages?: readonly MessageDraft[];
  /** What the parent's ledger books its usage under; `turn` is taken. Default `child`. */
  readonly usageSource?: string;
  /** Whether tool state and plugins go on from what the parent committed last, or begin anew. Default `fork`. */
  readonly state?: "fork" | "fresh";
  readonly subagent?: { readonly capability: string };
  /** How many generations may follow from the outermost session on, this one included. Never more than the parent has; default 5. */
  readonly maxDepth?: number;
}

/** A child of the session, as it was made. */
export interface ChildSummary {
  readonly sessionId: string;
  /** RFC 3339. */
  readonly createdAt: string;
  readonly usageSource: string;
  /** 1 for the child of a session that is no child itself. */
  readonly depth: number;
  readonly maxDepth: number;
  readonly capability?: string;
  readonly hiddenTools: readonly string[];
  /** The tool call that made it; absent where the host did. */
  readonly causedBy?: Json;
}

/** The children of an opened session. */
export interface SessionChildren<Handle> {
  /**
   * Makes a child and opens it; it is there with all that it starts with when this resolves, or not at all. From then on it
   * is a session like any other: found by its id, closed by its handle, not deleted with its parent. What it uses is booked by this
   * session under its usage source, in the commits of the child's turns.
   *
   * @throws LashError `session_already_exists` - the id is taken or open; `session_id_retired` - it was used, or this session was deleted.
   * @throws LashError `invalid_argument`, `limit_exceeded` (`maxDepth`), `duplicate_tool_name`, `missing_model_spec` - nothing was made.
   */
  create(request?: ChildRequest): Promise<Handle>;
  /** Those that exist, by id. */
  list(): Promise<readonly ChildSummary[]>;
}

export interface CallChildRequest extends ChildRequest {
  /** Tells the children of one call apart. Default: the how manyth it is. */
  readonly key?: string;
}

export interface ChildRunOptions {
  /** Tells the turns that one call runs in one child apart. Default: the how manyth it is. */
  readonly key?: string;
  /** Told of everything that happens in the child's turn; awaited. */
  readonly onActivity?: (activity: TurnActivity) => void | Promise<void>;
}

/** A child in the hands of a tool call; let go of when the call ends. */
export interface ChildSession {
  readonly id: string;
  /**
   * Runs a turn of the child to its end. Ids of turn and child follow from the call: one that is run again, after a crash or by its
   * retry policy, finds both and gets the same result. Cancelling the call's turn cancels this one.
   *
   * @throws LashError `runtime_turn_commit_conflict` - the call ran this turn before, with another input.
   */
  run(input: UserInput, options?: ChildRunOptions): Promise<TurnResult>;
}

/** Child sessions for a running tool call. */
export interface CallChildren {
  /**
   * Makes a child of the call's session, or finds the one that this call made before it was interrupted. Otherwise as
   * `session.children.create`.
   *
   * @throws LashError `durable_effects_unavailable_in_tool_attempt` - the call has ended.
   */
  create(request?: CallChildRequest): Promise<ChildSession>;
  /** A child that the session has already. @throws LashError `invalid_argument` - it has none of this id. */
  open(id: string, live?: ChildLiveParts): Promise<ChildSession>;
}

/** @internal A session that has children, as they see it. */
export interface ParentSession {
  readonly wiring: SessionWiring;
  readonly settings: SessionSettings;
}

/** @internal What the runtime that children belong to does for them. */
export interface ChildHost {
  /** A child may have children in turn, so the ports of a runtime hold those of its children. */
  readonly ports: () => RuntimePorts;
  /** Where children are written. */
  readonly store: StoreContext;
  readonly ownerOf: (sessionId: string) => Promise<LeaseOwner>;
  /** Of all its sessions. */
  readonly plugins: readonly Plugin[];
  /** Opens a session as all are opened. */
  readonly assemble: (assembly: Omit<SessionAssembly, "ports">) => Promise<SessionRuntime>;
  /** Whether a session of this id is open here; it may not be in the store yet. */
  readonly isOpen: (sessionId: string) => boolean;
  /** Told of a runtime that nobody has a handle on, so that it ends with the lash. @returns what takes it back. */
  readonly keep: (runtime: SessionRuntime) => () => void;
}

/** Made by `childSessions()`. */
export interface ChildSupport {
  /** @internal */
  connect(host: ChildHost): ChildPort;
}

/** @internal Child sessions for the runtime. */
export interface ChildPort {
  /** Turns in flight in the order in which they are to be finished: those of one group at once, one group after another. */
  generations(inFlight: readonly InFlight[]): Promise<readonly (readonly InFlight[])[]>;
  /** The turn in flight whose tool waits for this one; it drives it. */
  callerOf(sessionId: string, turnId: string): Promise<InFlight | undefined>;
  create(parent: ParentSession, request: ChildRequest): Promise<SessionRuntime>;
  /** Makes a child, or finds the one that the same cause made before, and does not open it. @throws as `create`. */
  make(id: string, parent: ParentSession, request: ChildRequest, causedBy: Json): Promise<unknown>;
  list(parentSessionId: string): Promise<readonly ChildSummary[]>;
  /** For a running attempt. */
  ofCall(calling: CallingTool): CallChildren;
  /** The call ran in another process, and its turn is cancelled: ends the turns of children that it waited for. */
  cancelLeft(calling: CallingTool): Promise<void>;
}
