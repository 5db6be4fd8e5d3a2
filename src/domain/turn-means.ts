// What a process needs to drive a turn that it finds in flight: whatever the turn was accepted with (decision 0021). Pure, so that the
// store can ask it in the very write that would claim the turn: a process that may not drive it claims nothing and counts nothing.

import { LashError, pluginError, runtimeError, sessionError, toolError } from "./errors.ts";
import { toolIdOf, type TurnConfig } from "./turn-config.ts";

/** What a process has for the turns of one session. */
export interface TurnMeans {
  /** Ids of the providers that it could ask; the one it would name first. */
  readonly providers: readonly string[];
  /** Ids. */
  readonly plugins: readonly string[];
  /** Ids of tools that can run here, or that can no longer and it is known why. */
  readonly tools: Pick<ReadonlySet<string>, "has">;
  /** Names of tools that the host has dropped on purpose. */
  readonly retiredTools: Pick<ReadonlySet<string>, "has">;
  /** Sources of tools that are configured here; each stands for what it offered, also while it does not offer it. */
  readonly sources: ReadonlySet<string>;
}

/** What a process does not have of it: the first that is missing; of tools all of them. */
export type TurnLack =
  | { readonly kind: "protocol"; readonly expected: string; readonly actual: string }
  | { readonly kind: "plugin"; readonly pluginId: string }
  | { readonly kind: "provider"; readonly expected: string; readonly actual: string | undefined }
  | { readonly kind: "tools"; readonly names: readonly string[] };

/** @returns undefined where nothing is missing. The protocol is a fact of the session, which the store compares. */
export function lackOf({ policy, plugins = [], tools }: TurnConfig, means: TurnMeans): TurnLack | undefined {
  const plugin = plugins.find(({ id }) => !means.plugins.includes(id));
  if (plugin) return { kind: "plugin", pluginId: plugin.id };
  const { providerId } = policy;
  if (!means.providers.includes(providerId)) return { kind: "provider", expected: providerId, actual: means.providers[0] };
  const missing = tools.filter((spec) => {
    const isThere = means.tools.has(toolIdOf(spec)) || means.retiredTools.has(spec.name);
    return !isThere && !(spec.source !== undefined && means.sources.has(spec.source));
  });
  return missing.length > 0 ? { kind: "tools", names: missing.map(({ name }) => name) } : undefined;
}

interface LeftTurn {
  readonly sessionId: string;
  readonly turnId: string;
}

/** Why a turn was left in flight, and what to do about it. */
export function lackError(lack: TurnLack, { sessionId, turnId }: LeftTurn): LashError {
  const left = `turn ${turnId} of session ${sessionId}`;
  const staysInFlight = `The turn stays in flight; lash.abandonTurn("${sessionId}", "${turnId}", reason) ends it as it is`;
  switch (lack.kind) {
    case "protocol":
      return protocolPinned(sessionId, lack, turnId);
    case "plugin":
      return pluginError("plugin_missing", `${left} was accepted with plugin "${lack.pluginId}", which this session was opened without; open it with that plugin. ${staysInFlight}`, {
        details: { sessionId, turnId, pluginId: lack.pluginId },
      });
    case "provider":
      if (lack.actual === undefined) {
        return sessionError("provider_unconfigured", `session ${sessionId} has no provider; pass \`provider\` to createLash, openSession or sessionOptions. Turn ${turnId}, accepted with provider "${lack.expected}", stays in flight`, {
          details: { sessionId, turnId },
        });
      }
      return sessionError("provider_mismatch", `session ${sessionId} accepted turn ${turnId} with provider "${lack.expected}", not "${lack.actual}"; open it with that provider. ${staysInFlight}`, {
        details: { sessionId, turnId, expected: lack.expected, actual: lack.actual },
      });
    case "tools": {
      const names = lack.names.map((name) => `"${name}"`).join(", ");
      const message = `${left} was accepted with tools that are not here: ${names}. Give them to createLash, to openSession, or to what \`sessionOptions\` returns; name in \`retiredTools\` what you dropped for good. ${staysInFlight}`;
      return toolError("tool_missing", message, { details: { sessionId, turnId, tools: [...lack.names] } });
    }
  }
}

/** Of a session, or of a turn of it that is in flight. */
export function protocolPinned(sessionId: string, { expected, actual }: { readonly expected: string; readonly actual: string }, turnId?: string): LashError {
  const turn = turnId === undefined ? "" : `; its turn ${turnId} stays in flight`;
  return runtimeError("session_fact_pinned", `session ${sessionId} is bound to protocol "${expected}", not "${actual}"${turn}. Open it in a lash with that protocol, or use a new session`, {
    details: { sessionId, ...(turnId !== undefined && { turnId }), fact: "protocol", expected, actual },
  });
}

/** Codes with which a turn is left to whoever has what it needs. */
const LEFT: ReadonlySet<string> = new Set(["tool_missing", "plugin_missing", "provider_mismatch", "provider_unconfigured", "session_fact_pinned"]);
export const isLack = (error: unknown): error is LashError => LashError.is(error) && LEFT.has(error.code);
