// The content identities of programs: what a durable row points at instead of at code (`LL-80`, `LL-81`, `LL-85`).
import type { HostRequirements } from "../linker/host-requirements.ts";
import type { LinkedProcess, LinkedTypeDeclaration, ProcessRef } from "../linker/linked-program.ts";
import { canonicalText } from "./canonical.ts";
import { SEMANTIC_VERSION, semanticBody } from "./semantic-form.ts";
import { sha256Hex } from "./sha256.ts";

type EntryShape = Parameters<typeof semanticBody>[0];

/** What the identity of a process is made of. */
export type ProcessShape = Pick<LinkedProcess, "name" | "params" | "signals" | "returnType" | "label"> & { readonly entry: EntryShape };

export interface ModuleShape {
  readonly hostRequirementsRef: string;
  readonly types: readonly LinkedTypeDeclaration[];
  /** Of its processes, in order: they cover the declarations whole. */
  readonly processRefs: readonly ProcessRef[];
  readonly main: EntryShape;
}

export function hostRequirementsRefOf(requirements: HostRequirements): string {
  return `lashlang-host-requirements:v1:${hash(requirements)}`;
}

export function moduleRefOf({ hostRequirementsRef, types, processRefs, main }: ModuleShape): string {
  return `lashlang:v1:${hash([hostRequirementsRef, types, processRefs.map(({ component }) => component), semanticBody(main)])}`;
}

export function processRefOf({ name, params, signals, returnType, label, entry }: ProcessShape, pos: number): ProcessRef {
  return { component: hash([name, params, signals, returnType, label, semanticBody(entry)]), pos };
}

export function processRefKey({ component, pos }: ProcessRef): string {
  return `${component}:${pos}`;
}

function hash(form: unknown): string {
  return `sha256:${sha256Hex(canonicalText([SEMANTIC_VERSION, form]))}`;
}
