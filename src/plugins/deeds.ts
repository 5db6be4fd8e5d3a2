// What hooks have done at once, whichever of them asks for it: events told, sessions made, traces left.
//
//   H1. A session's id follows from where it was asked for, so whoever runs the hook again finds it (as children of tool calls, OP-10).
//   H2. A store that fails is no failure of a hook: it is passed on as it is, and the turn stays in flight (E-6).

import { errorText } from "../domain/error-mapping.ts";
import { LashError, toolError } from "../domain/errors.ts";
import type { Json } from "../domain/json.ts";
import { sha256Hex } from "../domain/sha256.ts";
import { missingChildSessions } from "../domain/wiring-errors.ts";
import type { Announcements } from "./announcements.ts";
import type { EmitTrace } from "./contract.ts";
import type { Deed } from "./directives.ts";
import type { Installed } from "./installed.ts";
import type { SessionSeed } from "./kit.ts";
import type { TurnFacts } from "./turn-context.ts";

/** Where in its turn a hook is asked; the same for one that is asked again. */
export interface HookPlace {
  readonly hook: string;
  /** Of what it is asked about, where there are several in a turn. */
  readonly about?: string;
}

export class Deeds {
  readonly #session: Pick<SessionSeed, "sessionId" | "runtime">;
  readonly #facts: TurnFacts;
  readonly #announcements: Announcements;

  constructor(session: Pick<SessionSeed, "sessionId" | "runtime">, facts: TurnFacts, announcements: Announcements) {
    this.#session = session;
    this.#facts = facts;
    this.#announcements = announcements;
  }

  /** @throws LashError `plugin_session_create_failed`, `missing_child_sessions`, or of the store (H2). */
  async do(plugin: Installed, place: HookPlace, deed: Deed): Promise<void> {
    switch (deed.type) {
      case "emit_runtime_events":
        // What is said of a turn that has ended is told once that is true (PT-13).
        return place.hook === "afterTurn" ? this.#announcements.keep(plugin.id, deed.events) : this.#announcements.tell(plugin.id, deed.events);
      case "emit_trace":
        return this.#trace(plugin, deed);
      case "create_session":
        return this.#createSession(plugin, place, deed);
    }
  }

  #trace({ id }: Installed, { name, payload, context }: EmitTrace): void {
    const { turnId, resident } = this.#facts.turn;
    const { sessionId, runtime: { ports } } = this.#session;
    ports.trace?.custom({ ...context, session_id: sessionId, turn_id: turnId, turn_index: resident().head.turnIndex }, `plugin.${id}.${name}`, payload);
  }

  async #createSession(plugin: Installed, { hook, about }: HookPlace, { request: { key, ...request }, place }: Extract<Deed, { type: "create_session" }>): Promise<void> {
    const { sessionId, runtime } = this.#session;
    const { children } = runtime.ports;
    if (!children) throw missingChildSessions();
    const { turnId } = this.#facts.turn;
    const digest = sha256Hex(JSON.stringify([sessionId, turnId, plugin.id, hook, about ?? null, key ?? place]));
    const id = request.id === undefined || request.id.trim() === "" ? `child:${digest}` : request.id;
    const causedBy: Json = { type: "plugin_hook", pluginId: plugin.id, hook, turnId, key: digest };
    try {
      await children.make(id, runtime, request, causedBy);
    } catch (error) {
      if (LashError.is(error) && error.family === "store") throw error;
      const causeCode = LashError.is(error) ? { causeCode: error.code } : {};
      throw toolError("plugin_session_create_failed", `its session could not be made: ${errorText(error)}`, { details: { pluginId: plugin.id, ...causeCode }, cause: error });
    }
  }
}
