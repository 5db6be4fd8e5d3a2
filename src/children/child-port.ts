// Children of sessions: makes them, opens them, lists them. Loaded when an app first asks for one.
//
//   K1. A child's first state and its registration are one write (S-68); what fails before it leaves nothing.
//   K2. A child is a session like any other from then on: its lease says who drives it (S-69).

import { SessionRuntime } from "../actors/session-runtime.ts";
import type { RuntimePorts, SessionWiring } from "../actors/ports.ts";
import { runtimeError } from "../domain/errors.ts";
import { invalidArgument } from "../domain/invalid-argument.ts";
import { jsonEqual, type Json } from "../domain/json.ts";
import type { ChildAssignment, SessionPolicy } from "../domain/session.ts";
import { NO_PROMPT } from "../domain/turn-config.ts";
import { toolsByName, visibleTools } from "../lash-options.ts";
import type { LeaseOwner, SessionMeta } from "../stores/contract.ts";
import type { StoreContext } from "../stores/persistence/context.ts";
import { createChild, listChildren } from "../stores/persistence/children.ts";
import { CallChildSessions } from "./call-children.ts";
import { assignmentOf, checkLive, checkRequest } from "./child-request.ts";
import { startOf } from "./child-start.ts";
import type { CallingTool, ChildLiveParts, ChildPort, ChildRequest, ChildSummary, ParentSession } from "./contract.ts";

/** What the runtime that children belong to does for them. */
export interface ChildHost {
  readonly ports: RuntimePorts;
  /** Where children are written. */
  readonly store: StoreContext;
  readonly ownerOf: (sessionId: string) => Promise<LeaseOwner>;
  /** Whether a session of this id is open here; it may not be in the store yet. */
  readonly isOpen: (sessionId: string) => boolean;
  /** Told of a runtime that nobody has a handle on, so that it ends with the lash. @returns what takes it back. */
  readonly keep: (runtime: SessionRuntime) => () => void;
}

export interface OpenedChild {
  readonly runtime: SessionRuntime;
  readonly usageSource: string;
}

export class Children implements ChildPort {
  readonly host: ChildHost;

  constructor(host: ChildHost) {
    this.host = host;
  }

  async create(parent: ParentSession, request: ChildRequest): Promise<SessionRuntime> {
    const id = request.id === undefined || request.id.trim() === "" ? this.host.ports.newId() : request.id;
    if (this.host.isOpen(id)) throw alreadyExists(id);
    return (await this.open(parent, await this.make(id, parent, request), request)).runtime;
  }

  async list(parentSessionId: string): Promise<readonly ChildSummary[]> {
    const children = await listChildren(this.host.store, parentSessionId);
    return children.flatMap((meta) => summaryOf(meta) ?? []);
  }

  ofCall(call: CallingTool): CallChildSessions {
    return new CallChildSessions(this, call);
  }

  /**
   * Makes a child, or finds the one that the same cause made before: a call that is run again (OP-5).
   *
   * @throws LashError `session_already_exists` - it has another cause, or none.
   */
  async make(id: string, parent: ParentSession, request: ChildRequest, causedBy?: Json): Promise<SessionMeta> {
    const { ports, store } = this.host;
    const { sessions } = ports.persistence;
    checkRequest(request, ports.limits);
    const parentSessionId = parent.wiring.sessionId;
    if (id === parentSessionId) throw alreadyExists(id);
    const known = await sessions.open(id);
    if (known) return madeBy(known, parentSessionId, causedBy);
    const assignment = assignmentOf(request, (await sessions.open(parentSessionId))?.relation);
    // Names that clash are found before anything is made.
    this.#toolsOf(parent, assignment, request);
    const start = await startOf(id, request, parent, ports);
    const created = await createChild(store, { ...start, sessionId: id, parentSessionId, assignment, ...(causedBy !== undefined && { causedBy }) });
    if (created.kind === "exists") return madeBy(created.meta, parentSessionId, causedBy);
    const meta = await sessions.open(id);
    if (!meta) throw runtimeError("session_id_retired", `session ${id} was deleted while it was being opened`, { details: { sessionId: id } });
    return meta;
  }

  /** Opens a child that the session has. @throws LashError `invalid_argument` - it has none of this id. */
  async reopen(parent: ParentSession, id: string, live: ChildLiveParts): Promise<OpenedChild> {
    checkLive(live);
    const meta = await this.host.ports.persistence.sessions.open(id);
    if (!meta || assignmentIn(meta, parent.wiring.sessionId) === undefined) throw invalidArgument("id", `the id of a child of session ${parent.wiring.sessionId}`);
    return this.open(parent, meta, live);
  }

  async open(parent: ParentSession, { sessionId, relation }: SessionMeta, live: ChildLiveParts): Promise<OpenedChild> {
    const { ports, ownerOf } = this.host;
    const { wiring, settings } = parent;
    const assignment = relation.kind === "child" ? relation.assignment : undefined;
    const own: SessionWiring = {
      sessionId,
      provider: live.provider ? ports.retrying(live.provider) : wiring.provider,
      lashProvider: wiring.lashProvider,
      // What is recorded holds: a child has recorded something before anybody opens it.
      policy: settings.policy satisfies SessionPolicy,
      prompt: NO_PROMPT,
      stated: { provider: false, model: false, maxTurns: false, prompt: false },
      core: wiring.core,
      tools: this.#toolsOf(parent, assignment, live),
      owner: await ownerOf(sessionId),
    };
    const runtime = new SessionRuntime(ports, own);
    await runtime.open();
    return { runtime, usageSource: assignment?.usageSource ?? "child" };
  }

  #toolsOf({ wiring }: ParentSession, assignment: ChildAssignment | undefined, { tools = [] }: ChildLiveParts): SessionWiring["tools"] {
    return toolsByName([...visibleTools([...wiring.tools.values()], assignment), ...tools]);
  }
}

const alreadyExists = (id: string): Error => runtimeError("session_already_exists", `session ${id} already exists`, { details: { sessionId: id } });

function madeBy(meta: SessionMeta, parentSessionId: string, causedBy: Json | undefined): SessionMeta {
  const { relation, sessionId } = meta;
  const isSame = assignmentIn(meta, parentSessionId) !== undefined && relation.kind === "child" && causedBy !== undefined && jsonEqual(relation.causedBy ?? null, causedBy);
  if (!isSame) throw alreadyExists(sessionId);
  return meta;
}

const assignmentIn = ({ relation }: SessionMeta, parentSessionId: string): ChildAssignment | undefined =>
  relation.kind === "child" && relation.parentSessionId === parentSessionId ? relation.assignment : undefined;

function summaryOf({ sessionId, createdAt, relation }: SessionMeta): ChildSummary | undefined {
  if (relation.kind !== "child" || !relation.assignment) return undefined;
  const { usageSource, depth, maxDepth, capability, hiddenTools = [] } = relation.assignment;
  return {
    sessionId,
    createdAt,
    usageSource,
    depth,
    maxDepth,
    hiddenTools,
    ...(capability !== undefined && { capability }),
    ...(relation.causedBy !== undefined && { causedBy: relation.causedBy }),
  };
}
