// The stored input of a process run and what may go wrong between it and a running body (`LL-96`).
// Checked twice: before the row is written, and by the worker that runs or recovers it.
import { ArtifactError } from "../artifact/artifact-error.ts";
import type { ArtifactStore } from "../artifact/artifact-store.ts";
import { programOfArtifact, type ModuleArtifact } from "../artifact/module-artifact.ts";
import { ProgramCache } from "../cache/program-cache.ts";
import type { CompiledEntry } from "../compiler/compile.ts";
import type { HostEnvironment } from "../linker/host-environment.ts";
import type { LinkedProgram, ProcessRef } from "../linker/linked-program.ts";
import { firstUnmetRequirement } from "../linker/satisfies.ts";
import type { Json } from "../values/json-value.ts";
import type { DriveResult } from "../vm/drive.ts";
import type { AbilityOp } from "../vm/effects.ts";

export interface ProcessPayload {
  readonly module_ref: string;
  readonly process_ref: ProcessRef;
  readonly host_requirements_ref: string;
  readonly process_name: string;
  readonly args: { readonly [name: string]: Json };
}

/** What a process row keeps of a lashlang process. Such a run may be run again from its start. */
export interface ProcessInput {
  readonly kind: "lashlang";
  readonly payload: ProcessPayload;
}

export type ProcessFailureCode =
  | "process_payload_invalid"
  | "process_module_artifact_missing"
  | "process_module_artifact_load_failed"
  | "process_host_requirements_mismatch"
  | "process_ref_mismatch"
  | "process_host_environment_incompatible"
  | "process_compile_failed"
  | "process_failed"
  | "process_runtime_error"
  | "process_execution_bound_exhausted";

/** `raw` is the value of an explicit `fail`. */
export interface ProcessFailure {
  readonly class: "execution";
  readonly code: ProcessFailureCode;
  readonly message: string;
  readonly raw?: Json;
}

export type PreparedProcess =
  | { readonly ok: true; readonly body: CompiledEntry; readonly args: ProcessPayload["args"] }
  | { readonly ok: false; readonly failure: ProcessFailure };

/** The input that a `start` registers. */
export function processInputOf(op: Extract<AbilityOp, { kind: "StartProcess" }>): ProcessInput {
  return {
    kind: "lashlang",
    payload: {
      module_ref: op.moduleRef,
      process_ref: op.processRef,
      host_requirements_ref: op.hostRequirementsRef,
      process_name: op.processName,
      args: op.args,
    },
  };
}

/** Loads and compiles what an input names, against the host as it is now. Never throws: failures are outcomes. */
export async function prepareProcess(
  input: unknown,
  host: { readonly store: ArtifactStore; readonly environment: HostEnvironment; readonly cache?: ProgramCache },
): Promise<PreparedProcess> {
  const payload = payloadOf(input);
  if (payload === null) return failed("process_payload_invalid", "process input is no lashlang payload");
  let artifact: ModuleArtifact | null;
  let program: LinkedProgram;
  try {
    artifact = await host.store.getModule(payload.module_ref);
    if (artifact === null) return failed("process_module_artifact_missing", `module artifact ${payload.module_ref} is missing`);
    program = programOfArtifact(artifact);
  } catch (error) {
    return failed("process_module_artifact_load_failed", messageOf(error));
  }
  if (program.hostRequirementsRef !== payload.host_requirements_ref) {
    const message = `host requirements mismatch: expected ${payload.host_requirements_ref}, got ${program.hostRequirementsRef}`;
    return failed("process_host_requirements_mismatch", message);
  }
  const process = program.processes.find((candidate) => candidate.name === payload.process_name);
  const { component, pos } = payload.process_ref;
  if (process === undefined || process.processRef.component !== component || process.processRef.pos !== pos) {
    return failed("process_ref_mismatch", `module ${payload.module_ref} has no process \`${payload.process_name}\` of that ref`);
  }
  const unmet = firstUnmetRequirement(host.environment, program.hostRequirements);
  if (unmet !== null) return failed("process_host_environment_incompatible", `host no longer offers what the process needs: ${unmet}`);
  try {
    const body = (host.cache ?? new ProgramCache()).process(program, process.name);
    return { ok: true, body, args: payload.args };
  } catch (error) {
    return failed("process_compile_failed", messageOf(error));
  }
}

export type ProcessOutcome =
  | { readonly kind: "completed"; readonly value: Json }
  | { readonly kind: "failed"; readonly failure: ProcessFailure }
  | { readonly kind: "cancelled"; readonly message: string };

/** How a driven body ends its run. */
export function processOutcomeOf(result: DriveResult): ProcessOutcome {
  switch (result.kind) {
    case "finished":
      return { kind: "completed", value: result.value };
    case "continued":
      return { kind: "completed", value: null };
    case "cancelled":
      return { kind: "cancelled", message: "lashlang process was cancelled" };
    case "failed": {
      const message = typeof result.value === "string" ? result.value : JSON.stringify(result.value);
      return { kind: "failed", failure: { class: "execution", code: "process_failed", message, raw: result.value } };
    }
    case "error": {
      const { kind, message } = result.error;
      const code = kind === "BoundExhausted" ? "process_execution_bound_exhausted" : "process_runtime_error";
      return { kind: "failed", failure: { class: "execution", code, message } };
    }
  }
}

const failed = (code: ProcessFailureCode, message: string): PreparedProcess => ({
  ok: false,
  failure: { class: "execution", code, message },
});

const messageOf = (error: unknown): string =>
  ArtifactError.is(error) || error instanceof Error ? error.message : String(error);

function payloadOf(input: unknown): ProcessPayload | null {
  if (!isObject(input) || input["kind"] !== "lashlang" || !isObject(input["payload"])) return null;
  const { module_ref, process_ref, host_requirements_ref, process_name, args } = input["payload"];
  if (typeof module_ref !== "string" || typeof host_requirements_ref !== "string" || typeof process_name !== "string") return null;
  if (!isObject(process_ref) || !isObject(args)) return null;
  const { component, pos } = process_ref;
  if (typeof component !== "string" || typeof pos !== "number") return null;
  const values = args as { readonly [name: string]: Json };
  return { module_ref, process_ref: { component, pos }, host_requirements_ref, process_name, args: values };
}

function isObject(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
