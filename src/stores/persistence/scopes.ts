// What writes touch, for engines that lock (engine.ts). Left out: everything.

import type { Scope } from "../engine.ts";

/** Rows of one session alone. */
export const inSession = (sessionId: string): Scope => ({ sessions: [sessionId], content: "none" });

/** Rows of one session, and content that it reads or may have to add. */
export const addingContent = (sessionId: string): Scope => ({ sessions: [sessionId], content: "add" });
