/**
 * Child sessions: `createLash({ children: childSessions() })`, then `session.children` and, inside a tool, `call.children`. An entry
 * of its own, because most pages never need it.
 *
 * @module
 */
import { Children } from "./child-port.ts";
import type { ChildSupport } from "./contract.ts";

/** For `createLash({ children })`. */
export const childSessions = (): ChildSupport => ({ connect: (host) => new Children(host) });

export type {
  CallChildren, CallChildRequest, ChildLiveParts, ChildRequest, ChildRunOptions, ChildSession, ChildStart, ChildSummary, ChildSupport, ConversationSnapshot, SessionChildren,
} from "./contract.ts";
