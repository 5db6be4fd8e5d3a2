// A linked program as stored bytes: what a process runs from, long after the cell that declared it is gone (`LL-80`).
// Loading trusts nothing: the identities are computed again from what was read (`LL-84`).
import { hostRequirementsRefOf } from "../identity/refs.ts";
import { SEMANTIC_VERSION } from "../identity/semantic-form.ts";
import { finishProgram } from "../linker/finish-program.ts";
import type { DraftEntry, DraftProcess, DraftProgram } from "../linker/finish-program.ts";
import type { HostRequirements } from "../linker/host-requirements.ts";
import { childrenOf } from "../linker/linked-children.ts";
import type { LinkedEntry, LinkedExpr, LinkedProgram, LinkedTypeDeclaration, ProcessRef } from "../linker/linked-program.ts";
import { withoutSpans } from "../types/without-spans.ts";
import { ArtifactError } from "./artifact-error.ts";

/** JSON. Names of locals are kept for messages; they are not part of any identity, nor are spans, which are not kept. */
export interface ModuleArtifact {
  readonly module_ref: string;
  readonly host_requirements_ref: string;
  readonly host_requirements: HostRequirements;
  readonly exports: { readonly processes: Readonly<Record<string, ProcessRef>> };
  readonly canonical_ir: CanonicalIr;
  readonly dependencies: readonly [];
}

export interface CanonicalIr {
  readonly version: string;
  readonly types: readonly LinkedTypeDeclaration[];
  readonly processes: readonly DraftProcess[];
  readonly main: DraftEntry;
}

export function artifactOf(program: LinkedProgram): ModuleArtifact {
  const draftEntry = ({ variables, namedSlots, body, sites }: LinkedEntry): DraftEntry => ({ variables, namedSlots, body, siteCount: sites.length });
  const canonicalIr: CanonicalIr = {
    version: SEMANTIC_VERSION,
    types: program.types,
    processes: program.processes.map(({ name, params, signals, returnType, outputType, label, entry }) => ({
      name,
      params,
      signals,
      returnType,
      outputType,
      label,
      entry: draftEntry(entry),
    })),
    main: draftEntry(program.main),
  };
  return {
    module_ref: program.moduleRef,
    host_requirements_ref: program.hostRequirementsRef,
    host_requirements: program.hostRequirements,
    exports: { processes: exportsOf(program) },
    canonical_ir: withoutSpans(canonicalIr),
    dependencies: [],
  };
}

function exportsOf(program: LinkedProgram): Readonly<Record<string, ProcessRef>> {
  return Object.fromEntries(program.processes.map(({ name, processRef }) => [name, processRef]));
}

/** UTF-8 JSON. Equal artifacts give equal bytes. */
export function encodeArtifact(artifact: ModuleArtifact): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(artifact));
}

/**
 * Reads an artifact back and checks that it is what it says it is.
 *
 * @throws ArtifactError `artifact_corrupt` - the bytes are no artifact; `artifact_mismatch` - its refs are not those of its content.
 */
export function decodeArtifact(bytes: Uint8Array): ModuleArtifact {
  const artifact = parseArtifact(bytes);
  programOfArtifact(artifact);
  return artifact;
}

/**
 * The program of an artifact, ready to compile.
 *
 * @throws ArtifactError as `decodeArtifact`.
 */
export function programOfArtifact(artifact: ModuleArtifact): LinkedProgram {
  const program = finish(artifact);
  checkRef("host_requirements_ref", artifact.host_requirements_ref, program.hostRequirementsRef);
  checkRef("module_ref", artifact.module_ref, program.moduleRef);
  checkRef("exports", JSON.stringify(artifact.exports.processes), JSON.stringify(exportsOf(program)));
  return program;
}

function parseArtifact(bytes: Uint8Array): ModuleArtifact {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new ArtifactError("artifact_corrupt", "module artifact is not valid JSON", { cause });
  }
  if (!isArtifactShaped(json)) throw new ArtifactError("artifact_corrupt", "module artifact has missing parts");
  if (json.canonical_ir.version !== SEMANTIC_VERSION) checkRef("version", String(json.canonical_ir.version), SEMANTIC_VERSION);
  return json;
}

function isArtifactShaped(json: unknown): json is ModuleArtifact {
  if (!isObject(json) || typeof json["module_ref"] !== "string" || typeof json["host_requirements_ref"] !== "string") return false;
  const { host_requirements: requirements, exports, canonical_ir: ir } = json;
  return isObject(requirements) && isObject(exports) && isObject(exports["processes"]) && isObject(ir) && Array.isArray(ir["processes"]) && Array.isArray(ir["types"]) && isObject(ir["main"]);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function finish({ host_requirements, canonical_ir }: ModuleArtifact): LinkedProgram {
  try {
    const hostRequirementsRef = hostRequirementsRefOf(host_requirements);
    const { types, processes, main } = canonical_ir;
    for (const entry of [...processes.map((process) => process.entry), main]) checkEntry(entry);
    const draft: DraftProgram = { hostRequirements: host_requirements, hostRequirementsRef, types, processes, main };
    return finishProgram(draft);
  } catch (cause) {
    throw new ArtifactError("artifact_corrupt", "module artifact holds no program", { cause });
  }
}

/** All there are: the compiler makes sure that none is missing here. */
const KINDS: Readonly<Record<LinkedExpr["kind"], true>> = {
  Null: true, Bool: true, Number: true, String: true, List: true, Tuple: true, Record: true, Comprehension: true,
  TypeLiteral: true, Variable: true, Resource: true, ProcessValue: true, TriggerEvent: true, Field: true, Index: true,
  Unwrap: true, Unary: true, Binary: true, Ternary: true, BuiltinCall: true, Construct: true, Operation: true, Batch: true,
  Await: true, Start: true, Sleep: true, WaitSignal: true, SignalRun: true, Block: true, Labeled: true, If: true, For: true,
  While: true, Break: true, Continue: true, Assign: true, Finish: true, Fail: true, Print: true, Cancel: true, Yield: true,
  Wake: true,
};

/** What the refs do not cover, because it follows from the rest: slots must name variables, sites must be told apart. */
function checkEntry({ body, variables, siteCount }: DraftEntry): void {
  const sites = new Set<number>();
  const visit = (node: LinkedExpr): void => {
    if (!Object.hasOwn(KINDS, node.kind)) throw new TypeError(`node of kind ${node.kind}`);
    if ("site" in node) {
      if (!Number.isInteger(node.site) || node.site < 0 || node.site >= siteCount || sites.has(node.site)) throw new RangeError(`site ${node.site}`);
      sites.add(node.site);
    }
    if ("slot" in node && typeof variables[node.slot] !== "string") throw new RangeError(`slot ${node.slot}`);
    childrenOf(node).forEach(visit);
  };
  visit(body);
}

function checkRef(field: string, expected: string, got: string): void {
  if (expected !== got) throw new ArtifactError("artifact_mismatch", `module artifact ${field} mismatch: expected ${expected}, got ${got}`);
}
