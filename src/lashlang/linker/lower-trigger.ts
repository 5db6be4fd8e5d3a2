// Calls of the `triggers` module, whose arguments must be written out so that they can be checked (`LL-76`, `LL-77`, `LL-78`).
import type { Expr, ProcessDeclaration, ReceiverCall, RecordExpr } from "../syntax/ast.ts";
import type { TypeExpr } from "../syntax/type-expr.ts";
import { ANY, BOOL, listOf } from "../types/type-algebra.ts";
import { showType } from "./link-context.ts";
import type { LinkedExpr } from "./linked-program.ts";
import { lookup } from "./lookup.ts";
import type { Lowering, Typed } from "./lowering.ts";
import { hostPathOf } from "./resolve-path.ts";

interface TriggerCall {
  /** Unless the call's own arguments are lowered like any others. */
  readonly args?: readonly Typed[];
  readonly output: TypeExpr;
}

/** Null for operations that a host adds to the module and that need no checks of their own. */
export function lowerTriggerCall(lowering: Lowering, call: ReceiverCall): TriggerCall | null {
  switch (call.operation) {
    case "register":
      return lowerRegister(lowering, call);
    case "list":
      literalArgument(lowering, call, [], ["target", "name", "source_type", "enabled"], "trigger listing requires { target }");
      return { output: listOf(ANY) };
    case "cancel":
      literalArgument(lowering, call, ["handle"], [], "trigger cancellation requires { handle }");
      return { output: BOOL };
    default:
      return null;
  }
}

/** The literal record argument, its keys checked; null for none, and for a variable, which can only be checked by its type. */
function literalArgument(lowering: Lowering, call: ReceiverCall, required: readonly string[], optional: readonly string[], message: string): RecordExpr | null {
  const [argument, second] = call.args;
  const record = argument?.kind === "Record" ? argument : null;
  const keys = record?.entries.map(({ key }) => key) ?? [];
  const allowed = [...required, ...optional];
  const fits =
    argument?.kind === "Variable" ||
    ((argument === undefined || record !== null) &&
      required.every((key) => keys.includes(key)) &&
      keys.every((key, index) => allowed.includes(key) && keys.indexOf(key) === index));
  if (second !== undefined || !fits) lowering.context.fail("InvalidTrigger", message, call.span);
  return record;
}

function lowerRegister(lowering: Lowering, call: ReceiverCall): TriggerCall {
  const { context } = lowering;
  const message = "trigger registration requires { source, target, inputs, name? }";
  const argument = literalArgument(lowering, call, ["source", "target", "inputs"], ["name"], message);
  if (argument === null) return context.fail("InvalidTrigger", message, call.span);

  const written = new Map(argument.entries.map(({ key, value }) => [key, value]));
  const [source, target, inputs] = ["source", "target", "inputs"].map((key) => written.get(key)) as [Expr, Expr, Expr];
  const parts = new Map(Array.from(written, ([key, value]) => [key, value === inputs ? null : lowering.lower(value)]));
  const targetType = (parts.get("target") as Typed).type;

  const eventType = eventTypeOf(lowering, parts.get("source") as Typed, source.span);
  if (targetType.kind !== "Process") {
    context.fail("InvalidTrigger", `trigger target must be a process value, got ${showType(targetType)}`, target.span);
  }
  if (inputs.kind !== "Record") return context.fail("InvalidTrigger", "trigger registration `inputs` must be a literal record", inputs.span);
  const meaning = context.meanings.get(targetType);
  const process = meaning?.kind === "process" ? (context.processes.get(meaning.process) ?? null) : null;
  const mapped = lowerInputs(lowering, inputs, process, eventType);

  const entries = Array.from(parts, ([key, part]) => ({ key, value: part?.node ?? mapped }));
  return {
    args: [{ node: { kind: "Record", entries, span: argument.span }, type: ANY }],
    output: { kind: "TriggerHandle", event: eventType },
  };
}

function eventTypeOf({ context }: Lowering, source: Typed, span: Expr["span"]): TypeExpr {
  const meaning = context.meanings.get(source.type);
  const sourceType = meaning?.kind === "source" ? meaning.sourceType : showType(source.type);
  const found = lookup(context.environment.catalog.triggerSources, sourceType);
  if (found === undefined) return context.fail("InvalidTrigger", `trigger source type \`${sourceType}\` is not registered as a TriggerSource`, span);
  context.required.triggerSource(sourceType, found.eventType);
  return found.eventType;
}

/** Each param of the target exactly once, at least one of them from the event. `process` is null when only its type is known. */
function lowerInputs(lowering: Lowering, inputs: RecordExpr, process: ProcessDeclaration | null, eventType: TypeExpr): LinkedExpr {
  const { context } = lowering;
  const seen = new Set<string>();
  let fromEvent = 0;
  const entries = inputs.entries.map(({ key, value }) => {
    if (seen.has(key)) context.fail("InvalidTrigger", `trigger registration input \`${key}\` is duplicated`, value.span);
    seen.add(key);
    const param = process?.params.find(({ name }) => name === key);
    if (process !== null && param === undefined) {
      context.fail("InvalidTrigger", `trigger target \`${process.name}\` has no input \`${key}\``, value.span);
    }
    if (hostPathOf(lowering, value) !== "trigger.event") return { key, value: lowering.lower(value).node };
    fromEvent += 1;
    if (param !== undefined && !context.isAssignable(eventType, param.type)) {
      const message = `trigger source emits ${showType(eventType)}, but target input \`${key}\` expects ${showType(param.type)}`;
      context.fail("InvalidTrigger", message, value.span);
    }
    return { key, value: { kind: "TriggerEvent" as const, span: value.span } };
  });
  for (const { name } of process?.params ?? []) {
    if (process !== null && !seen.has(name)) {
      context.fail("InvalidTrigger", `trigger target \`${process.name}\` input \`${name}\` is not mapped`, inputs.span);
    }
  }
  if (fromEvent === 0) {
    context.fail("InvalidTrigger", "trigger registration `inputs` must map at least one param to `trigger.event`", inputs.span);
  }
  return { kind: "Record", entries, span: inputs.span };
}
