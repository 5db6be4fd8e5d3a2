// The last step of linking, and of loading an artifact: identities. They hash the whole program, so they come after it.
import { callSitesOf } from "../identity/call-sites.ts";
import { moduleRefOf, processRefKey, processRefOf } from "../identity/refs.ts";
import type { HostRequirements } from "./host-requirements.ts";
import type { LinkedEntry, LinkedProcess, LinkedProgram, LinkedTypeDeclaration } from "./linked-program.ts";

/** An entry before its place in a module is known. */
export type DraftEntry = Pick<LinkedEntry, "variables" | "namedSlots" | "body"> & { readonly siteCount: number };

export type DraftProcess = Omit<LinkedProcess, "processRef" | "entry"> & { readonly entry: DraftEntry };

export interface DraftProgram {
  readonly hostRequirements: HostRequirements;
  readonly hostRequirementsRef: string;
  readonly types: readonly LinkedTypeDeclaration[];
  readonly processes: readonly DraftProcess[];
  readonly main: DraftEntry;
}

export function finishProgram(draft: DraftProgram): LinkedProgram {
  const drafts = draft.processes.map((process, pos) => ({ process, processRef: processRefOf(process, pos) }));
  const moduleRef = moduleRefOf({ ...draft, processRefs: drafts.map(({ processRef }) => processRef) });
  const finishEntry = (key: string, { siteCount, ...entry }: DraftEntry): LinkedEntry => ({
    key,
    ...entry,
    sites: callSitesOf(entry.body, siteCount, moduleRef, key),
  });
  const processes = drafts.map(
    ({ process, processRef }): LinkedProcess => ({ ...process, processRef, entry: finishEntry(processRefKey(processRef), process.entry) }),
  );
  const { hostRequirements, hostRequirementsRef, types } = draft;
  return { moduleRef, hostRequirementsRef, hostRequirements, types, processes, main: finishEntry("main", draft.main) };
}
