// Session commands that stand before the next turn. What applies them is loaded when a session has one.

import type { SessionParts } from "./parts.ts";

/** @throws LashError as `command-drain.ts`. */
export async function drainCommands(session: SessionParts): Promise<void> {
  const drain = await import("../command-drain.ts");
  await drain.drainCommands(session);
}

/** For a session that can run no turn. @param problem - why. @throws it where anything else waits. */
export async function drainCommandsAlone(session: SessionParts, problem: unknown): Promise<void> {
  const drain = await import("../command-drain.ts");
  await drain.drainCommandsAlone(problem, session);
}
