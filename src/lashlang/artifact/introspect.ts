// What a stored module offers and needs, in words: for people and for tools that list processes (`LL-87`).
import type { HostRequirements } from "../linker/host-requirements.ts";
import type { LinkedParam, ProcessRef } from "../linker/linked-program.ts";
import { printType } from "../printer/print-type.ts";
import type { Label } from "../syntax/ast.ts";
import { lookup } from "../linker/lookup.ts";
import type { ModuleArtifact } from "./module-artifact.ts";

export interface ModuleDescription {
  readonly moduleRef: string;
  readonly processes: readonly ProcessDescription[];
  readonly requirements: HostRequirements;
}

export interface ProcessDescription {
  readonly name: string;
  readonly processRef: ProcessRef | null;
  readonly label: Label | null;
  /** Name to type, as source text. */
  readonly params: readonly (readonly [name: string, type: string])[];
  readonly signals: readonly (readonly [name: string, type: string])[];
  /** As declared, else as inferred. */
  readonly output: string;
}

export function describeModule({ module_ref, host_requirements, exports, canonical_ir }: ModuleArtifact): ModuleDescription {
  const typed = ({ name, type }: LinkedParam): readonly [string, string] => [name, printType(type)];
  const processes = canonical_ir.processes.map(({ name, label, params, signals, returnType, outputType }) => ({
    name,
    processRef: lookup(exports.processes, name) ?? null,
    label,
    params: params.map(typed),
    signals: signals.map(typed),
    output: printType(returnType ?? outputType),
  }));
  return { moduleRef: module_ref, processes, requirements: host_requirements };
}
