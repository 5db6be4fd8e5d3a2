// What an onlooker may see of a run (`LL-100`). Observing changes nothing: keys come from call sites and their counts,
// which are kept anyway.
import type { CallSite } from "../linker/linked-program.ts";

export interface Observation {
  readonly type: "node.started" | "node.completed" | "node.failed" | "branch.selected" | "child.started";
  /** `{nodeId}:{occurrence}:{type}`, and `:{index}` in a batch or awaited tree: the same on every re-execution. */
  readonly key: string;
  readonly site: CallSite;
  readonly occurrence: number;
  /** Of `branch.selected`. */
  readonly edgeId?: string;
  /** Of `child.started`: the id in the handle the host gave. */
  readonly childId?: string;
  /** Of `node.failed`. */
  readonly error?: string;
}

/** Called synchronously between effects; must not throw. On re-execution it is called again with the same keys. */
export type Observer = (observation: Observation) => void;

/** What is to be said beyond the type; `index` only goes into the key. */
export type ObservationDetails = Partial<Pick<Observation, "edgeId" | "childId" | "error">> & { readonly index?: number };

export function observation(
  type: Observation["type"],
  site: CallSite,
  occurrence: number,
  { index, ...rest }: ObservationDetails = {},
): Observation {
  const key = `${site.nodeId}:${occurrence}:${type}${index === undefined ? "" : `:${index}`}`;
  return { type, key, site, occurrence, ...rest };
}
