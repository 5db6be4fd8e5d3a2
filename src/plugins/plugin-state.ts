// State of a session's plugins: one value for all of them, captured only where a revision says that it has changed (PT-23..PT-26).
//
//   V1. `#base` is what is stored. What is in memory is it, and what happened since.
//   V2. What a turn changed counts only once the turn has committed: a turn that is left begins again from what it recorded, and
//       everybody else from `#base`.

import { copyJson } from "../domain/copy-json.ts";
import { errorText } from "../domain/error-mapping.ts";
import { pluginError } from "../domain/errors.ts";
import { isPlainObject, type Json, type JsonObject } from "../domain/json.ts";
import type { Logger } from "../domain/logger.ts";
import type { ComponentBody } from "../stores/contract.ts";
import type { PluginState, SavedState } from "./contract.ts";
import type { Installed } from "./installed.ts";

interface Stateful extends Installed {
  readonly state: PluginState;
}

interface Captured {
  /** Of all plugins, when it was captured. */
  readonly fingerprint: string;
  /** Undefined: nothing is stored yet. */
  readonly body: ComponentBody | undefined;
}

export class PluginStates {
  readonly #plugins: readonly Stateful[];
  readonly #log: (message: string) => void;
  #base: ComponentBody | undefined;
  #latest: Captured = { fingerprint: "", body: undefined };
  /** Of what the store or the turn's record holds. */
  #recorded = "";
  /** A turn has begun and not committed. */
  #isInTurn = false;

  constructor(plugins: readonly Installed[], sessionId: string, logger: Logger) {
    this.#plugins = plugins.flatMap((plugin) => (plugin.parts.state ? [{ ...plugin, state: plugin.parts.state }] : []));
    this.#log = (message) => logger({ level: "warn", event: "plugin.capture_failed", sessionId, code: "plugin_snapshot", message });
  }

  /** Every plugin is visited, also those that nothing is stored of. @throws LashError `plugin_snapshot`. */
  restore(base: ComponentBody | undefined): void {
    this.#load(base);
    this.#base = base;
    this.#isInTurn = false;
  }

  begin(base: ComponentBody | undefined, recorded: Json | undefined): void {
    if (recorded !== undefined) this.#load(recorded);
    else if (this.#isInTurn || base !== this.#base) this.#load(base);
    this.#base = base;
    this.#isInTurn = true;
  }

  capture(base: ComponentBody | undefined, within: "turn" | "session"): Json | undefined {
    if (within === "session" && (this.#isInTurn || base !== this.#base)) {
      this.restore(base);
      return undefined;
    }
    const { body } = this.#current(true);
    return body === base ? undefined : (body as Json);
  }

  committed(base: ComponentBody | undefined): void {
    this.#base = base;
    this.#isInTurn = false;
    this.#recorded = this.#latest.fingerprint;
  }

  /**
   * For what is to change state outside of a turn, on top of `base`.
   *
   * @returns what takes it back where it is not committed.
   */
  enter(base: ComponentBody | undefined): () => void {
    if (this.#isInTurn || base !== this.#base) this.restore(base);
    const wasDirty = this.isDirty();
    const { body } = this.#current(false);
    return () => {
      this.#load(body);
      if (wasDirty) this.#recorded = "";
    };
  }

  isDirty(): boolean {
    return !this.#isInTurn && this.#fingerprint() !== this.#recorded;
  }

  unrecorded(): Json | undefined {
    const fingerprint = this.#fingerprint();
    if (fingerprint === this.#recorded) return undefined;
    const captured = this.#current(false);
    if (captured.fingerprint !== fingerprint) return undefined;
    this.#recorded = fingerprint;
    return captured.body as Json;
  }

  #load(body: ComponentBody | undefined): void {
    const entries = isPlainObject(body) ? body : {};
    for (const { id, state } of this.#plugins) {
      const entry = Object.hasOwn(entries, id) ? entries[id] : undefined;
      try {
        state.load(isPlainObject(entry) ? savedIn(entry as JsonObject) : undefined);
      } catch (error) {
        throw pluginError("plugin_snapshot", `plugin ${id}: its state could not be loaded: ${errorText(error)}`, { details: { pluginId: id }, cause: error });
      }
    }
    this.#latest = { fingerprint: this.#fingerprint(), body };
    this.#recorded = this.#latest.fingerprint;
  }

  /** @param store - also where nothing has changed, if nothing is stored yet. */
  #current(store: boolean): Captured {
    if (this.#plugins.length === 0) return this.#latest;
    const fingerprint = this.#fingerprint();
    if (fingerprint === this.#latest.fingerprint && !(store && this.#latest.body === undefined)) return this.#latest;
    try {
      const entries = this.#plugins.map(({ id, version, state }) => [id, { version, revision: state.revision(), state: copyJson(state.save()) }]);
      this.#latest = { fingerprint, body: Object.fromEntries(entries) as JsonObject };
    } catch (error) {
      // What was captured last stays: an empty state would be worse than an old one (PT-25).
      this.#log(`the state of plugins could not be captured; the one that was saved last is kept: ${errorText(error)}`);
    }
    return this.#latest;
  }

  #fingerprint(): string {
    try {
      return JSON.stringify(this.#plugins.map(({ id, version, state }) => [id, version, state.revision()]));
    } catch (error) {
      this.#log(`a plugin could not say its revision: ${errorText(error)}`);
      return this.#latest.fingerprint;
    }
  }
}

/** A copy: what is stored stays as it is, whatever a plugin does with what it is given. */
const savedIn = ({ version, state }: JsonObject): SavedState => ({ version: String(version), state: copyJson(state ?? null) });
