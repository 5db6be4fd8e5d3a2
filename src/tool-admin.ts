// session.tools: who may be called, and tools that come and go while the session is open (FA-61).

import type { SessionRuntime } from "./actors/session-runtime.ts";
import { invalidArgument } from "./domain/invalid-argument.ts";
import type { RestoredTools, ToolManifest, ToolRegistry, ToolSet, ToolSourceHandle, ToolState } from "./tools/registry/contract.ts";

/**
 * Tools are known by their ids: `tool({ id })`, default their names. A change holds from the next turn on; a tool that was taken
 * away is refused at once, also by a turn that runs: its calls answer `tool_unavailable`.
 *
 * What a host decides - membership, an applied or a restored state - is durable when the call resolves. While a turn of this
 * runtime runs it holds at once and is recorded by that turn's commit; a tool that makes such a change makes it as durable as
 * its own outcome. Which sources there are is a fact of this process, written with the next commit. A session whose tools
 * nobody changes records nothing of them.
 */
export class ToolAdmin {
  readonly #runtime: SessionRuntime;
  readonly #assertOpen: () => void;

  /** Made by the session. */
  constructor(runtime: SessionRuntime, assertOpen: () => void) {
    this.#runtime = runtime;
    this.#assertOpen = assertOpen;
  }

  /** All tools that are listed, as data: members, those that were taken away, orphans. Frozen. */
  async state(): Promise<ToolState> {
    return (await this.#registry()).state();
  }

  /** Of the tools that a turn which begins now offers its model, in their order. */
  async activeManifests(): Promise<readonly ToolManifest[]> {
    return (await this.#registry()).activeManifests();
  }

  /**
   * Gives tools to the model, or takes them away. All of them or none; orphans too, who keep it until they are back.
   *
   * @param ids - one id or several.
   * @returns the generation after it; the present one where nothing changed.
   * @throws LashError `tool_reconfigure_validation` - an id that is not in `state().tools`; nothing changed.
   * @throws LashError `session_execution_busy` - another owner runs this session; nothing changed.
   */
  async setMembership(ids: string | readonly string[], member: boolean): Promise<number> {
    const wanted = typeof ids === "string" ? [ids] : Array.isArray(ids) ? [...(ids as readonly string[])] : [null];
    if (!wanted.every((id) => typeof id === "string")) throw invalidArgument("ids", "the id of a tool, or a list of ids");
    if (typeof member !== "boolean") throw invalidArgument("member", "true or false");
    return this.#change((registry) => registry.setMembership(wanted, member));
  }

  /**
   * Adds tools as a source of their own. Tools that this session knows as orphans are bound again and keep their membership;
   * all others become members. A turn in flight that was left alone for the lack of them (`tool_missing`) is taken up then.
   *
   * @param tools - a function is asked now, and again by every `refresh`.
   * @returns what `remove` takes. They are gone with this process: whoever opens the session next adds them again.
   * @throws LashError `tool_reconfigure_validation` - no tools, or an id or a name that is taken; nothing changed.
   */
  async add(tools: ToolSet): Promise<ToolSourceHandle> {
    const registry = await this.#registry();
    const given = typeof tools === "function" ? await tools() : tools;
    this.#assertOpen();
    const handle = registry.add(given, typeof tools === "function" ? tools : undefined);
    this.#runtime.lookAgain();
    return handle;
  }

  /**
   * Takes away what one `add` brought, with what is known of it.
   *
   * @returns the generation after it.
   * @throws LashError `tool_reconfigure_unknown_source` - not from this session, or removed before.
   */
  async remove(handle: ToolSourceHandle): Promise<number> {
    return (await this.#registry()).remove(handle);
  }

  /**
   * Asks every source again: new tools become members, those that are gone are dropped, the others keep their membership.
   *
   * @returns the generation after it.
   * @throws LashError `tool_reconfigure_validation` - what they offer does not go together; nothing changed. And whatever a source throws.
   */
  async refresh(): Promise<number> {
    this.#assertOpen();
    const generation = await this.#runtime.wiring.tools.refresh();
    this.#runtime.lookAgain();
    return generation;
  }

  /**
   * A change made to what `state()` gave: membership and which tools are listed; manifests are the live tools' own.
   *
   * @returns the generation after it.
   * @throws LashError `tool_reconfigure_generation_mismatch` - something changed since; read the state again.
   * @throws LashError `tool_reconfigure_unknown_source` - a tool that no source offers and that was no orphan.
   * @throws LashError `tool_reconfigure_validation`, `session_execution_busy` - nothing changed.
   */
  async applyState(next: ToolState): Promise<number> {
    return this.#change((registry) => registry.applyState(next));
  }

  /**
   * Adopts a state from elsewhere with its generation, whatever the present one is. Tools that no source offers become orphans:
   * they keep manifest and membership, cannot be called, and are bound again by whoever offers their id. What is offered and
   * not in the state stays unlisted until a refresh, or until a process reads the state from the store; to take a tool away for
   * good, change its membership.
   *
   * @throws LashError `tool_reconfigure_validation`, `session_execution_busy` - nothing changed.
   */
  async restoreState(snapshot: ToolState): Promise<RestoredTools> {
    return this.#change((registry) => registry.restoreState(snapshot));
  }

  async #change<Result>(change: (registry: ToolRegistry) => Result): Promise<Result> {
    this.#assertOpen();
    return this.#runtime.changes.reconfigure(change);
  }

  async #registry(): Promise<ToolRegistry> {
    this.#assertOpen();
    return this.#runtime.wiring.tools.registry();
  }
}
