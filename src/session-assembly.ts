// The one way in which a session comes to be open: for openSession, resume, recover, children and whoever wakes a turn (S-28, S-29).

import type { RuntimePorts, SessionWiring } from "./actors/ports.ts";
import { SessionRuntime } from "./actors/session-runtime.ts";
import type { Json } from "./domain/json.ts";
import type { Plugin } from "./plugins/contract.ts";

export interface SessionAssembly {
  readonly ports: RuntimePorts;
  /** With a model that was checked, and the store's own attachments (S-29: 4, 5, 8, 9). */
  readonly wiring: SessionWiring;
  readonly plugins: readonly Plugin[];
  readonly pluginOptions: Readonly<Record<string, Json>>;
  readonly isRootSession: boolean;
  /** A session that was parked has been materialized before. */
  readonly isResumed: boolean;
}

/** Whatever fails on the way, nothing of the session stays. The numbers are those of S-29. */
export async function assembleSession(assembly: SessionAssembly): Promise<SessionRuntime> {
  const { ports, wiring, isResumed } = assembly;
  const runtime = new SessionRuntime(ports, wiring);
  try {
    await runtime.open(); // (1) residency, (2) load and heal, (3) trim, (6) frames, (7) read model
    const plugins = openPlugins(assembly, runtime); // (10)
    if (!plugins) return runtime;
    runtime.equip(plugins); // (11) tools, (12) catalogue, (13) state
    if (!isResumed) await plugins.materialize(); // (14)
    const { resident } = runtime;
    await plugins.restored(() => resident.history.slice(resident.messageCount)); // (16)
    return runtime;
  } catch (error) {
    runtime.discard();
    throw error;
  }
}

/** Made by what the plugins bring along: nothing of it is loaded without them. */
function openPlugins({ ports, wiring, plugins, pluginOptions, isRootSession }: SessionAssembly, runtime: SessionRuntime) {
  return plugins[0]?.kit.open(plugins, {
    sessionId: wiring.sessionId,
    options: pluginOptions,
    toolNames: new Set(wiring.tools.callable.keys()),
    isRootSession,
    clock: ports.clock,
    logger: ports.logger,
    resident: () => runtime.resident,
    runtime,
  });
}
