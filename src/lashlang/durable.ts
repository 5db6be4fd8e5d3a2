// Programs that outlive the page they were written on: stored by content, run as processes, their effects found again after
// a crash. For hosts that keep such things; what runs a cell is in index.ts. Node and browser alike.

// Store programs and refer to their processes.
export { artifactOf, decodeArtifact, encodeArtifact, programOfArtifact } from "./artifact/module-artifact.ts";
export type { ModuleArtifact } from "./artifact/module-artifact.ts";
export { createArtifactStore, createMemoryBytes } from "./artifact/artifact-store.ts";
export type { ArtifactBytes, ArtifactNamespace, ArtifactStore } from "./artifact/artifact-store.ts";
export { ArtifactError } from "./artifact/artifact-error.ts";
export type { ArtifactErrorCode } from "./artifact/artifact-error.ts";
export { decodeDefinition, definitionOf, definitionValueOf, sameDefinition } from "./artifact/definition-identity.ts";
export type { DefinitionIdentity, DefinitionValue } from "./artifact/definition-identity.ts";
export { processRefKey } from "./identity/refs.ts";
export { ProgramCache } from "./cache/program-cache.ts";
export { COMPILER_VERSION } from "./compiler/compile.ts";
export { VM_VERSION } from "./vm/snapshot.ts";

// Run them as processes, on a host that still offers what they need.
export { firstUnmetRequirement, satisfies } from "./linker/satisfies.ts";
export { compileProcess } from "./compiler/compile.ts";
export { startProcess } from "./session/process.ts";
export { prepareProcess, processInputOf, processOutcomeOf } from "./session/process-input.ts";
export type { PreparedProcess, ProcessFailure, ProcessFailureCode, ProcessInput, ProcessOutcome, ProcessPayload } from "./session/process-input.ts";

// Name their effects across restarts.
export { effectKey, operationKey, startedProcessId } from "./vm/replay-keys.ts";
export type { ExecutionScope, ParentSeed } from "./vm/replay-keys.ts";
