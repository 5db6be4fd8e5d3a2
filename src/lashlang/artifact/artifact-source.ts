// An artifact as text again, for people who ask what a stored process does.
import { decompile } from "../linker/decompile.ts";
import { printProgram } from "../printer/print-program.ts";
import type { ModuleArtifact } from "./module-artifact.ts";

/** Canonical source: links to the same refs on a host that satisfies the artifact. */
export function sourceOfArtifact({ host_requirements, canonical_ir }: ModuleArtifact): string {
  const { types, processes, main } = canonical_ir;
  return printProgram(decompile({ hostRequirements: host_requirements, types, processes, main }));
}
