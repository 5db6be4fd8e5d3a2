// Lowers what calls: module operations, value constructors, builtins, processes, sleeps and signals
// (`LL-67`, `LL-68`, `LL-69`, `LL-73`).
import { builtinNames, builtinResultType } from "../builtins/table.ts";
import type { BuiltinCall, ReceiverCall, SignalRunExpr, SleepExpr, StartExpr, WaitSignalExpr } from "../syntax/ast.ts";
import type { Span } from "../syntax/span.ts";
import type { TypeExpr } from "../syntax/type-expr.ts";
import { ANY, DICT, NULL, unionOf, wrapperOf } from "../types/type-algebra.ts";
import type { ModuleInstance, ValueConstructor } from "./host-environment.ts";
import { showType } from "./link-context.ts";
import type { LinkedExpr } from "./linked-program.ts";
import { lookup } from "./lookup.ts";
import { lowerTriggerCall } from "./lower-trigger.ts";
import type { Lowering, Typed } from "./lowering.ts";
import { hostPathOf, lowerModule } from "./resolve-path.ts";
import { TRIGGERS_RESOURCE_TYPE } from "./triggers-module.ts";

/** `receiver.operation(args)`: a constructor if the whole path is one, else an operation of an authority. */
export function lowerReceiverCall(lowering: Lowering, call: ReceiverCall, unwrap: boolean): Typed {
  const path = hostPathOf(lowering, call.receiver);
  const { catalog } = lowering.context.environment;
  const constructor = path === null ? undefined : lookup(catalog.valueConstructors, `${path}.${call.operation}`);
  if (constructor !== undefined) return lowerConstructor(lowering, call, constructor);

  const module = (path === null ? undefined : lowering.context.modules.get(path)) ?? null;
  const receiver = module === null ? lowerReceiver(lowering, call, path) : lowerModule(lowering, module, call.receiver.span);
  const resourceType = lowering.context.resourceTypeOf(receiver.type);
  if (resourceType === null) return failReceiver(lowering, call);
  const signature = signatureOf(lowering, resourceType, module, call);

  const special = resourceType === TRIGGERS_RESOURCE_TYPE ? lowerTriggerCall(lowering, call) : null;
  const args = special?.args ?? call.args.map((argument) => lowering.lower(argument));
  if (special === null) {
    const given = argumentType(args);
    if (!lowering.context.isAssignable(given, signature.inputType)) {
      const expected = showType(signature.inputType);
      lowering.context.fail("ArgumentMismatch", `operation \`${call.operation}\` expects ${expected}, got ${showType(given)}`, argumentSpan(call));
    }
  }
  const output = special?.output ?? signature.outputType;
  const node: LinkedExpr = {
    kind: "Operation",
    receiver: receiver.node,
    operation: call.operation,
    args: args.map(({ node: argument }) => argument),
    unwrap,
    site: lowering.scope.nextSite(),
    span: call.span,
  };
  return { node, type: unwrap ? output : wrapperOf(output) };
}

/** None is null, one is itself, several are a list of what they may be. */
function argumentType(args: readonly Typed[]): TypeExpr {
  const [first, second] = args;
  if (first === undefined) return NULL;
  return second === undefined ? first.type : { kind: "List", item: unionOf(args.map(({ type }) => type)) };
}

function argumentSpan({ args, span }: ReceiverCall): Span {
  const [first, last] = [args[0], args.at(-1)];
  return first === undefined || last === undefined ? span : { start: first.span.start, end: last.span.end };
}

function lowerConstructor(lowering: Lowering, call: ReceiverCall, constructor: ValueConstructor): Typed {
  const { context } = lowering;
  const path = constructor.path.join(".");
  const args = call.args.map((argument) => lowering.lower(argument));
  const [argument, second] = args;
  if (argument === undefined || second !== undefined || !context.isAssignable(argument.type, constructor.inputType)) {
    const message = `constructor \`${path}\` expects ${showType(constructor.inputType)}, got ${showType(argumentType(args))}`;
    return context.fail("ArgumentMismatch", message, argumentSpan(call));
  }
  context.required.constructorOf(path, constructor);
  const type: TypeExpr = { ...constructor.outputType };
  context.meanings.set(type, { kind: "source", sourceType: path });
  return { node: { kind: "Construct", path, typeName: constructor.typeName, argument: argument.node, span: call.span }, type };
}

/** A receiver that is no module: it must hold an authority, or the path was meant to be a module. */
function lowerReceiver(lowering: Lowering, call: ReceiverCall, path: string | null): Typed {
  if (path !== null) {
    const paths = operationsBelow(lowering, `${path}.`, (operation) => operation === call.operation);
    if (paths.length > 0) {
      const message = `module \`${path}\` does not expose operation \`${call.operation}\`; available identity-qualified paths: ${paths.join(", ")}`;
      lowering.context.fail("UnknownOperation", message, call.span);
    }
    if (call.receiver.kind === "Variable" && !lowering.context.processes.has(path)) failReceiver(lowering, call);
  }
  return lowering.lower(call.receiver);
}

/** The paths of operations that fit, in modules whose path begins with `prefix`, sorted. */
function operationsBelow({ context }: Lowering, prefix: string, fits: (operation: string, hostOperation: string) => boolean): readonly string[] {
  const paths = Array.from(context.modules).flatMap(([path, { operations }]) => {
    const fitting = Object.keys(operations).filter((name) => fits(name, operations[name]?.hostOperation ?? ""));
    return path.startsWith(prefix) ? fitting.map((name) => `${path}.${name}`) : [];
  });
  return paths.sort();
}

function failReceiver({ context }: Lowering, call: ReceiverCall): never {
  return context.fail("NotAModule", `receiver for operation \`${call.operation}\` is not a module authority`, call.receiver.span);
}

function signatureOf({ context }: Lowering, resourceType: string, module: ModuleInstance | null, call: ReceiverCall): { inputType: TypeExpr; outputType: TypeExpr } {
  const signature = lookup(lookup(context.environment.catalog.resourceTypes, resourceType)?.operations ?? {}, call.operation);
  const operation = module === null ? undefined : lookup(module.operations, call.operation);
  if (signature === undefined || (module !== null && operation === undefined)) {
    return context.fail("UnknownOperation", `resource type \`${resourceType}\` does not expose operation \`${call.operation}\``, call.span);
  }
  if (resourceType === TRIGGERS_RESOURCE_TYPE) context.needAbility("triggers", call.span);
  context.required.operation(module, resourceType, call.operation, signature);
  return signature;
}

export function lowerBuiltinCall(lowering: Lowering, call: BuiltinCall): Typed {
  const { context } = lowering;
  if (!builtinNames.includes(call.name)) {
    // Where a tool that was called by its bare name can be reached (LL-68).
    const [tool] = operationsBelow(lowering, "", (_, hostOperation) => hostOperation === call.name);
    if (tool === undefined) return context.fail("UnknownBuiltin", `unknown builtin \`${call.name}\``, call.span);
    return context.fail("BareToolCall", `tools must be called through module paths, e.g. \`${tool}\``, call.span);
  }
  const args = call.args.map((argument) => lowering.lower(argument));
  const node: LinkedExpr = { ...call, args: args.map(({ node: argument }) => argument) };
  return { node, type: call.name === "validate" ? validatedType(lowering, args) : builtinResultType(call.name, args.map(({ type }) => type)) };
}

/** `validate` is how a value of unknown type gets one. */
function validatedType({ context }: Lowering, [value, type]: readonly Typed[]): TypeExpr {
  const meaning = type === undefined ? undefined : context.meanings.get(type.type);
  return meaning?.kind === "typeValue" ? meaning.described : (value?.type ?? ANY);
}

export function lowerStart(lowering: Lowering, { process: name, args, span }: StartExpr): Typed {
  const { context } = lowering;
  context.needAbility("processes", span);
  const process = context.processes.get(name);
  if (process === undefined) return context.fail("UnknownProcess", `unknown process \`${name}\``, span);
  const params = new Map(process.params.map((param) => [param.name, param.type]));
  const seen = new Set<string>();
  const lowered = args.map((argument) => {
    if (seen.has(argument.name)) context.fail("ArgumentMismatch", `duplicate process argument \`${argument.name}\``, argument.span);
    seen.add(argument.name);
    const expected = params.get(argument.name);
    if (expected === undefined) {
      return context.fail("ArgumentMismatch", `process \`${name}\` does not accept argument \`${argument.name}\``, argument.span);
    }
    const value = lowering.lower(argument.value);
    checkAuthority(lowering, name, argument, expected, value.type);
    return { name: argument.name, value: value.node };
  });
  for (const param of params.keys()) {
    if (!seen.has(param)) context.fail("ArgumentMismatch", `process \`${name}\` is missing argument \`${param}\``, span);
  }
  const type: TypeExpr = { ...DICT };
  context.meanings.set(type, { kind: "handle", output: lowering.outputOf(process) });
  return { node: { kind: "Start", process: name, args: lowered, site: lowering.scope.nextSite(), span }, type };
}

/** LL-69: of the arguments, only authorities are checked; other values are the process's own concern. */
function checkAuthority({ context }: Lowering, process: string, argument: { name: string; span: Span }, expected: TypeExpr, given: TypeExpr): void {
  const wanted = context.resourceTypeOf(expected);
  const got = context.resourceTypeOf(given);
  if (wanted === null || wanted === got) return;
  const message = `process \`${process}\` argument \`${argument.name}\` has incompatible authority type: expected ${wanted}, got ${got ?? "value"}`;
  context.fail("AuthorityMismatch", message, argument.span);
}

export function lowerSleep(lowering: Lowering, sleep: SleepExpr): Typed {
  lowering.context.needAbility("sleep", sleep.span);
  return { node: { ...sleep, value: lowering.lower(sleep.value).node, site: lowering.scope.nextSite() }, type: NULL };
}

export function lowerWaitSignal(lowering: Lowering, wait: WaitSignalExpr): Typed {
  const { name, span } = wait;
  lowering.context.needAbility("processSignals", span);
  if (!lowering.scope.inProcess) lowering.context.fail("OutsideProcess", "`wait_signal` can only be used inside a process body", span);
  checkSignalName(lowering, name, span);
  return { node: { ...wait, site: lowering.scope.nextSite() }, type: ANY };
}

export function lowerSignalRun(lowering: Lowering, signal: SignalRunExpr): Typed {
  lowering.context.needAbility("processSignals", signal.span);
  checkSignalName(lowering, signal.name, signal.span);
  const [run, payload] = [lowering.lower(signal.run).node, lowering.lower(signal.payload).node];
  return { node: { ...signal, run, payload, site: lowering.scope.nextSite() }, type: NULL };
}

function checkSignalName({ context }: Lowering, name: string, span: Span): void {
  if (!/^[A-Za-z0-9_-]+$/.test(name)) context.fail("InvalidSignalName", `invalid signal name \`${name}\`; use letters, digits, \`_\` and \`-\``, span); // LL-59
}
