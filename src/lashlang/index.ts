// Public names of `lash-runtime/lashlang`: read a program, link it against a host, run it, suspend and resume it.
// Everything here runs in Node and in the browser tab. What outlives the page (stored programs, processes, replay keys) is in
// durable.ts, what prints and draws programs in tools.ts, so that a page that only runs cells loads neither.
// The order counts: bundles follow it, and values beside what runs on them, syntax beside the linker compress 1 % better.

// Values, and what the host may put in and take out.
export { DEFAULT_BOUNDS } from "./values/bounds.ts";
export type { Bounds } from "./values/bounds.ts";
export { inlineProjection } from "./values/projected.ts";
export type { ProjectionQuestion, ProjectionRef, ProjectionSource } from "./values/projected.ts";
export { fromJson } from "./values/from-json.ts";
export { toJson } from "./values/to-json.ts";
export type { Json } from "./values/json-value.ts";
export { builtinNames } from "./builtins/table.ts";

// Compile and run.
export { Session } from "./session/session.ts";
export type { CellOptions, SessionSnapshot } from "./session/session.ts";
export { Projections } from "./session/projections.ts";
export { drive } from "./vm/drive.ts";
export type { DriveOptions, DriveResult, LashHost } from "./vm/drive.ts";
export { Vm } from "./vm/vm.ts";
export type { Outcome, RuntimeError, VmOptions, VmRestore, VmState } from "./vm/vm.ts";
export type { VmSnapshot } from "./vm/snapshot.ts";
export type { AbilityOp, EffectOutcome, EffectRequest, EffectSite, OperationOutcome, ProjectionUse, ResourceOperation } from "./vm/effects.ts";
export type { Observation, Observer } from "./vm/observation.ts";
export { compileCell } from "./compiler/compile.ts";
export type { CompiledEntry } from "./compiler/compile.ts";
export { renderRuntimeError } from "./vm/error-report.ts";

// Describe a host.
export { createHostEnvironment, HostCatalogError } from "./linker/environment-builder.ts";
export type { ConstructorInput, HostEnvironmentInput, ModuleInput, TypeInput } from "./linker/environment-builder.ts";
export type { HostAbilities, HostCatalog, HostEnvironment, LanguageFeatures } from "./linker/host-environment.ts";
export type { HostRequirements } from "./linker/host-requirements.ts";

// Read source.
export { SourceError } from "./diagnostics/source-error.ts";
export type { LinkErrorCode, ParseErrorCode, SourceErrorCode } from "./diagnostics/source-error.ts";
export { positionAt, renderDiagnostic } from "./diagnostics/render.ts";
export type { Diagnostic, Position } from "./diagnostics/render.ts";
export { parse, parseTypeText } from "./syntax/parser.ts";
export type { ParseOptions } from "./syntax/parser.ts";
export type * from "./syntax/ast.ts";
export type { TypeExpr } from "./syntax/type-expr.ts";
export type { Span } from "./syntax/span.ts";

// Link a program against a host.
export { link } from "./linker/link.ts";
export type { CallSite, LinkedEntry, LinkedProcess, LinkedProgram, ProcessRef, SiteKind } from "./linker/linked-program.ts";
