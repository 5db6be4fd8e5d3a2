// Names of effects across restarts (`LL-93` to `LL-95`): the same call of the same run always has the same key.
//   R1. Keys are made of call sites, their counts and ordinals, all of them VM state; never of time or chance.
import { sha256OfParts } from "../identity/digest.ts";
import type { Json } from "../values/json-value.ts";
import { compareText } from "../values/unicode.ts";
import type { AbilityOp, ResourceOperation } from "./effects.ts";

/** Who runs: a process by id, or a cell by the replay key of the effect that executes it. */
export type ExecutionScope =
  | { readonly kind: "process"; readonly id: string }
  | { readonly kind: "cell"; readonly id: string };

/** The id of a tool call; `child` is the index within a batch. */
export function operationKey(scope: ExecutionScope, hostOperation: string, call: ResourceOperation, child?: number): string {
  const key = `lashlang:${scope.id}:resource:${hostOperation}:${call.site.nodeId}:${call.occurrence}`;
  return child === undefined ? key : `${key}:child:${child}`;
}

/** Keys of the requests that are no tool calls and no starts. */
export function effectKey(scope: ExecutionScope, op: Exclude<AbilityOp, { kind: "ResourceOperation" | "ResourceOperationBatch" | "StartProcess" }>): string {
  const owner = scope.kind === "process" ? `process:${scope.id}` : `lashlang:${scope.id}`;
  switch (op.kind) {
    case "Sleep":
      return `process:${scope.kind === "process" ? `process:${scope.id}` : "foreground"}:sleep:${op.ordinal}`;
    case "ProcessEvent":
      return `${owner}:event:${op.ordinal}`;
    case "WaitSignal":
      return `${owner}:signal.${op.name}:${op.ordinal}`;
    case "SignalRun":
      return `lashlang:${scope.id}:signal.${op.name}:${op.ordinal}`;
    case "Await":
      return `${owner}:await:${op.site.nodeId}:${op.occurrence}:${op.leaf}`;
    case "Cancel":
      return `${owner}:cancel:${op.site.nodeId}:${op.occurrence}`;
    case "Print":
      return `${owner}:print:${op.ordinal}`;
    default:
      return `${owner}:${op.kind.toLowerCase()}`;
  }
}

/** `parent-process:{id}`, or in a cell the first of replay key, effect id and scope id that the host has. */
export type ParentSeed = `parent-process:${string}` | `runtime-${"replay" | "effect" | "scope"}:${string}`;

/** The id of the process that a `start` registers: a replayed start finds the run it began before. */
export function startedProcessId(parent: ParentSeed, op: Extract<AbilityOp, { kind: "StartProcess" }>): string {
  const parts = [
    "lashlang-process-start:v1",
    parent,
    op.site.nodeId,
    String(op.occurrence),
    op.moduleRef,
    `${op.processRef.component}:${op.processRef.pos}`,
    op.hostRequirementsRef,
    op.processName,
    canonicalText(op.args),
  ];
  return `process:lashlang:sha256:${sha256OfParts(parts)}`;
}

/** Compact JSON with keys in ascending order. */
function canonicalText(json: Json): string {
  if (json === null || typeof json !== "object") return JSON.stringify(json);
  if (Array.isArray(json)) return `[${json.map(canonicalText).join(",")}]`;
  const object = json as { readonly [key: string]: Json };
  const keys = Object.keys(object).sort(compareText);
  return `{${keys.map((key) => `${JSON.stringify(key)}:${canonicalText(object[key] ?? null)}`).join(",")}}`;
}
