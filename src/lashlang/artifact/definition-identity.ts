// Which process, of which module, linked against which host: what a handle, a trigger or a process row points at (`LL-85`).
import type { LinkedProcess, LinkedProgram, ProcessRef } from "../linker/linked-program.ts";
import { ArtifactError } from "./artifact-error.ts";

/** Field names as in process rows and in values of the language. */
export interface DefinitionIdentity {
  readonly module_ref: string;
  readonly host_requirements_ref: string;
  readonly process_ref: ProcessRef;
  readonly process_name: string;
}

/** What a process named as a value evaluates to. */
export type DefinitionValue = DefinitionIdentity & { readonly $lash_process: true };

export function definitionOf(program: Pick<LinkedProgram, "moduleRef" | "hostRequirementsRef">, process: Pick<LinkedProcess, "name" | "processRef">): DefinitionIdentity {
  return {
    module_ref: program.moduleRef,
    host_requirements_ref: program.hostRequirementsRef,
    process_ref: process.processRef,
    process_name: process.name,
  };
}

export function definitionValueOf(identity: DefinitionIdentity): DefinitionValue {
  return { $lash_process: true, ...identity };
}

/** All four parts are compared. */
export function sameDefinition(left: DefinitionIdentity, right: DefinitionIdentity): boolean {
  return (
    left.module_ref === right.module_ref &&
    left.host_requirements_ref === right.host_requirements_ref &&
    left.process_ref.component === right.process_ref.component &&
    left.process_ref.pos === right.process_ref.pos &&
    left.process_name === right.process_name
  );
}

/**
 * Reads an identity out of a process definition value.
 *
 * @throws ArtifactError `definition_invalid` naming the field that is missing or wrong.
 */
export function decodeDefinition(value: unknown): DefinitionIdentity {
  if (!isObject(value) || value["$lash_process"] !== true) fail("definition must be a process definition value");
  return {
    module_ref: text(value, "module_ref", "lashlang:v1:sha256:"),
    host_requirements_ref: text(value, "host_requirements_ref", "lashlang-host-requirements:v1:sha256:"),
    process_ref: processRef(value),
    process_name: text(value, "process_name", ""),
  };
}

type Fields = { readonly [field: string]: unknown };

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function text(value: Fields, field: string, prefix: string): string {
  const found = read(value, field);
  if (typeof found !== "string" || found === "") return fail(`definition has invalid ${field}: expected text`);
  if (!found.startsWith(prefix)) fail(`definition has invalid ${field}: expected it to start with ${prefix}`);
  return found;
}

function processRef(value: Fields): ProcessRef {
  const found = read(value, "process_ref");
  if (!isObject(found)) return fail("definition has invalid process_ref: expected a record");
  const { component, pos } = found;
  if (typeof component !== "string") return fail("definition has invalid process_ref: expected component to be text");
  if (typeof pos !== "number" || !Number.isInteger(pos) || pos < 0) return fail("definition has invalid process_ref: expected pos to be a whole number");
  return { component, pos };
}

function read(value: Fields, field: string): unknown {
  if (!Object.hasOwn(value, field)) fail(`definition is missing ${field}`);
  return value[field];
}

function fail(message: string): never {
  throw new ArtifactError("definition_invalid", message);
}
