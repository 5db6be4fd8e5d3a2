// What a plugin brings along beside itself: the making of a session's plugins. Types only, so that whoever wires sessions loads
// nothing of it.

import type { SessionPlugins } from "../actors/plugin-port.ts";
import type { Resident } from "../actors/resident.ts";
import type { SessionRuntime } from "../actors/session-runtime.ts";
import type { Clock } from "../domain/clock.ts";
import type { Json } from "../domain/json.ts";
import type { Limits } from "../domain/limits.ts";
import type { Logger } from "../domain/logger.ts";
import type { TurnRecord } from "../stores/contract.ts";
import type { Plugin } from "./contract.ts";

export interface PluginKit {
  /** What a host gave. @throws LashError `invalid_argument`; `plugin_registration` - two plugins of one id. */
  check(plugins: readonly Plugin[], options: Readonly<Record<string, Json>>, limits: Limits): void;
  /** Options of these plugins that a turn was accepted with. */
  recordedOptions(plugins: readonly Plugin[], turn: TurnRecord | undefined): Readonly<Record<string, Json>>;
  /**
   * Builds the plugins of one session, in their order. Synchronous: no I/O.
   *
   * @throws LashError `plugin_registration` - a build threw, gave something that is no contribution, or claims what another one has.
   * @throws LashError `duplicate_tool_name` - naming both owners.
   */
  open(plugins: readonly Plugin[], session: SessionSeed): SessionPlugins;
}

export interface SessionSeed {
  readonly sessionId: string;
  /** By plugin id, as the host gave them. */
  readonly options: Readonly<Record<string, Json>>;
  /** Names of the tools that the session has already. */
  readonly toolNames: ReadonlySet<string>;
  readonly isRootSession: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly resident: () => Resident;
  /** Whose plugins they are. */
  readonly runtime: SessionRuntime;
}
