// Large opaque parts of a session (P-16): stored once by content, named in the head, shared by all heads that say the same.

import * as z from "zod/mini";
import { storeError } from "../../domain/errors.ts";
import type { ComponentBody, ComponentName } from "../contract.ts";
import type { ReadTransaction } from "../engine.ts";
import { getContent, hasContent, type PreparedContent, prepareContent } from "./content.ts";
import { headKey } from "./layout.ts";
import { invalidRow } from "./schema.ts";

/** Space of component bodies in content.ts. */
export const COMPONENTS = "component";

export const componentRefs = z.strictObject({
  toolState: z.exactOptional(z.string()),
  pluginSnapshot: z.exactOptional(z.string()),
  executionState: z.exactOptional(z.string()),
  prompt: z.exactOptional(z.string()),
  /** Since records of version 2. */
  suspectMedia: z.exactOptional(z.string()),
});
export type ComponentRefs = z.output<typeof componentRefs>;

type Changes = Partial<Record<ComponentName, ComponentBody | null>>;

/** Bodies ready to be stored, null for components that go. */
export type PreparedComponents = readonly (readonly [ComponentName, PreparedContent | null])[];

export const prepareComponents = (changes: Changes = {}): PreparedComponents =>
  (Object.entries(changes) as [ComponentName, ComponentBody | null][]).map(([name, body]) => [
    name,
    body === null ? null : prepareContent(body),
  ]);

/** References after a commit: what it does not mention stays. */
export function changedRefs(before: ComponentRefs, taken: ComponentRefs, components: PreparedComponents): ComponentRefs {
  const refs = { ...before, ...taken };
  for (const [name, content] of components) {
    if (content === null) delete refs[name];
    else refs[name] = content.id;
  }
  return refs;
}

/** @throws LashError `store_backend` - a reference that a commit takes over names nothing. */
export function checkRefs(tx: ReadTransaction, sessionId: string, taken: ComponentRefs): void {
  for (const [component, ref] of Object.entries(taken)) {
    if (hasContent(tx, COMPONENTS, ref)) continue;
    throw storeError("store_backend", `the ${component} that session ${sessionId} takes over is not in this store`, { details: { sessionId, component, ref } });
  }
}

/** @throws LashError `stored_row_invalid` - the head names content that is missing. */
export function readComponents(
  tx: ReadTransaction,
  sessionId: string,
  refs: ComponentRefs,
): Partial<Record<ComponentName, ComponentBody>> {
  const bodies: Partial<Record<ComponentName, ComponentBody>> = {};
  for (const [name, ref] of Object.entries(refs) as [ComponentName, string][]) {
    const body = getContent(tx, COMPONENTS, ref);
    if (body === undefined) throw invalidRow("session head", headKey(sessionId), `the content of its ${name} is missing`);
    bodies[name] = body;
  }
  return bodies;
}
