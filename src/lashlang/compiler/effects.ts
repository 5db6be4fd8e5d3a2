// Host requests. Each is two instructions: one that opens the request and parks, one that takes the outcome.
//   E1. Everything the request needs is evaluated before it opens, in source order (LL-50).
//   E2. Between the two instructions the request and its outcome are in the frame, so a snapshot may be taken there.
import type { LinkedExpr } from "../linker/linked-program.ts";
import { sleepFor, sleepUntil } from "../values/duration.ts";
import { display } from "../values/display.ts";
import { ProgramError, typeError, valueError } from "../values/errors.ts";
import { fromJson } from "../values/from-json.ts";
import { isProcessHandle } from "../values/handles.ts";
import { materialize } from "../values/materialize.ts";
import { Projected } from "../values/projected.ts";
import { Resource, type Value, recGet, Rec } from "../values/value.ts";
import type { Json } from "../values/json-value.ts";
import { toJson } from "../values/to-json.ts";
import { failure, success } from "../values/wrapper.ts";
import type { AbilityOp, EffectOutcome, EffectSite, OperationOutcome, ResourceOperation } from "../vm/effects.ts";
import { hostJson, namedJson, operationPayload, printText } from "../vm/payload.ts";
import type { Eval, Frame, Slots } from "../vm/frame.ts";
import type { Context } from "./context.ts";
import { takeTemp } from "./read.ts";

type Of<K extends LinkedExpr["kind"]> = Extract<LinkedExpr, { kind: K }>;

/** Emits a request and what is done with its outcome: goes on, unless `receive` says where to. */
export function request(
  c: Context,
  open: (s: Slots, f: Frame) => AbilityOp,
  receive: (outcome: EffectOutcome, f: Frame) => number | void,
): void {
  c.code.emit((next) => (s, f) => f.park(open(s, f), next));
  c.code.emit((next) => (_, f) => receive(f.settled(), f) ?? next);
}

type WithoutSite<Op> = Op extends EffectSite ? Omit<Op, keyof EffectSite> : never;

/** Emits a request at a site of its own. A failure ends the program as `{what} failed: {message}`. */
function requestAt(
  c: Context,
  site: number,
  what: string,
  open: (s: Slots, f: Frame) => WithoutSite<AbilityOp>,
  receive: (outcome: EffectOutcome, f: Frame) => number | void = () => {},
): void {
  request(
    c,
    (s, f) => ({ ...open(s, f), ...visit(f, site) }) as AbilityOp,
    (outcome, f) => {
      leave(f, site, outcome);
      if ("error" in outcome) throw valueError(`${what} failed: ${outcome.error}`);
      return receive(outcome, f);
    },
  );
}

/** Counts an evaluation of an effect; an observer hears that it starts. */
function visit(f: Frame, site: number): EffectSite {
  const occurrence = f.occurrence(site);
  f.observe("node.started", site);
  return { site: f.siteAt(site), occurrence };
}

/** Tells an observer how the last visit of a site ended. */
export function leave(f: Frame, site: number, outcome: EffectOutcome): void {
  if ("error" in outcome) f.observe("node.failed", site, { error: outcome.error });
  else f.observe("node.completed", site);
}

/** The value of an outcome that is not an error. */
export function outcomeValue(outcome: EffectOutcome, f: Frame): Value {
  if ("value" in outcome) return fromJson(outcome.value, f);
  if ("projected" in outcome) return new Projected(outcome.projected.name, outcome.projected.source);
  return null;
}

export function openOperation(
  f: Frame,
  expr: Of<"Operation">,
  receiver: Value,
  args: readonly Value[],
): ResourceOperation {
  if (!(receiver instanceof Resource)) {
    throw typeError(`module operation \`${expr.operation}\` requires a module authority receiver`);
  }
  const { json, projections } = operationPayload(args, f);
  return {
    ...visit(f, expr.site),
    receiver: { resourceType: receiver.resourceType, alias: receiver.alias },
    operation: expr.operation,
    payload: json,
    projections,
  };
}

/** The raw value or an error to end with for `?`, a wrapper without it. */
export function operationResult(outcome: OperationOutcome | EffectOutcome, expr: Of<"Operation">, f: Frame): Value | ProgramError {
  if ("error" in outcome) {
    return expr.unwrap ? valueError(`\`?\` unwrapped failed module operation: ${outcome.error}`, expr.span) : failure(outcome.error, f);
  }
  const value = outcomeValue(outcome, f);
  return expr.unwrap ? value : success(value, f);
}

/** The effects that are expressions. Undefined for other kinds. */
export function effect(c: Context, expr: LinkedExpr): Eval | undefined {
  switch (expr.kind) {
    case "Operation":
      return operation(c, expr);
    case "Start":
      return start(c, expr);
    case "Sleep":
      return sleep(c, expr);
    case "WaitSignal":
      return waitSignal(c, expr);
    case "SignalRun":
      return signalRun(c, expr);
    default:
      return undefined;
  }
}

function operation(c: Context, expr: Of<"Operation">): Eval {
  const [receiver, ...args] = c.operands([expr.receiver, ...expr.args]) as [Eval, ...Eval[]];
  const result = c.code.temp();
  request(
    c,
    (s, f) => {
      const authority = receiver(s, f);
      const values = args.map((arg) => arg(s, f));
      return { kind: "ResourceOperation", ...openOperation(f, expr, authority, values) };
    },
    (outcome, f) => {
      leave(f, expr.site, outcome);
      const value = operationResult(outcome, expr, f);
      if (value instanceof ProgramError) throw value;
      f.store(result, value);
    },
  );
  return takeTemp(result);
}

function start(c: Context, expr: Of<"Start">): Eval {
  const target = c.process(expr.process);
  const names = expr.args.map((arg) => arg.name);
  const args = c.operands(expr.args.map((arg) => arg.value));
  const result = c.code.temp();
  requestAt(
    c,
    expr.site,
    "process start",
    (s, f) => ({
      kind: "StartProcess",
      moduleRef: c.program.moduleRef,
      processRef: target.processRef,
      hostRequirementsRef: c.program.hostRequirementsRef,
      processName: target.name,
      args: namedJson(names, args.map((arg) => arg(s, f)), f),
    }),
    (outcome, f) => {
      const handle = outcomeValue(outcome, f);
      const id = handle instanceof Rec ? recGet(handle, "id") : undefined;
      if (typeof id === "string") f.observe("child.started", expr.site, { childId: id });
      f.store(result, handle);
    },
  );
  return takeTemp(result);
}

function sleep(c: Context, { value, mode, site }: Of<"Sleep">): Eval {
  const read = c.expr(value);
  requestAt(c, site, "sleep", (s, f) => {
    const raw = read(s, f);
    const milliseconds = mode === "For" ? sleepFor(raw, f) : sleepUntil(raw, f);
    return { kind: "Sleep", mode, milliseconds, ordinal: f.ordinal("sleeps") };
  });
  return () => null;
}

function waitSignal(c: Context, { name, site }: Of<"WaitSignal">): Eval {
  const result = c.code.temp();
  requestAt(
    c,
    site,
    "wait_signal",
    (_, f) => {
      const ordinal = (f.ordinals.waits.get(name) ?? 0) + 1;
      f.ordinals.waits.set(name, ordinal);
      return { kind: "WaitSignal", name, ordinal };
    },
    (outcome, f) => f.store(result, outcomeValue(outcome, f)),
  );
  return takeTemp(result);
}

function signalRun(c: Context, expr: Of<"SignalRun">): Eval {
  const [run, payload] = c.operands([expr.run, expr.payload]) as [Eval, Eval];
  requestAt(c, expr.site, "signal_run", (s, f) => {
    const handle = materialize(run(s, f), f);
    const value = payload(s, f);
    if (!isProcessHandle(handle)) throw typeError("signal_run expects a process handle");
    return { kind: "SignalRun", run: hostJson(handle, f), name: expr.name, payload: hostJson(value, f), ordinal: f.ordinal("sends") };
  });
  return () => null;
}

/** The statements that hand one value to the host. */
export function emit(c: Context, { kind, value, site }: Of<"Finish" | "Fail" | "Print" | "Cancel" | "Yield" | "Wake">): void {
  const read = c.expr(value);
  const keyword = kind.toLowerCase();
  const foreground = kind === "Print";
  const background = kind === "Fail" || kind === "Yield" || kind === "Wake";
  if ((foreground && c.mode === "process") || (background && c.mode === "cell")) {
    refuse(c, keyword, foreground);
    return;
  }
  if (kind === "Finish" || kind === "Fail") {
    requestAt(
      c,
      site,
      keyword,
      (s, f) => ({ kind, value: hostJson(read(s, f), f) }),
      (outcome, f) => f.end({ kind: kind === "Finish" ? "finished" : "failed", value: replacement(outcome, keyword, f) }),
    );
  } else {
    requestAt(c, site, keyword, (s, f) => {
      const shown = read(s, f);
      if (kind === "Cancel") return { kind, handle: hostJson(shown, f), ordinal: f.ordinal("cancels") };
      const text = kind === "Print" ? printText(shown, f) : display(shown, f);
      f.print(text);
      if (kind === "Print") return { kind, value: hostJson(shown, f), text, ordinal: f.ordinal("prints") };
      return { kind: "ProcessEvent", event: kind, value: hostJson(shown, f), text, ordinal: f.ordinal("events") };
    });
  }
}

function refuse(c: Context, keyword: string, foreground: boolean): void {
  const error = foreground
    ? new ProgramError("ForegroundControlInsideProcess", `\`${keyword}\` can't be used inside a \`process\` body`)
    : new ProgramError("SessionProcessAdminOutsideProcess", `\`${keyword}\` can only be used inside a process body`);
  c.code.emit(() => () => {
    throw error;
  });
}

/** The host may replace the value that a program ends with but not keep the program going (`LL-56`). */
function replacement(outcome: EffectOutcome, keyword: string, f: Frame): Json {
  if ("value" in outcome) return outcome.value;
  if ("projected" in outcome) return toJson(outcomeValue(outcome, f));
  throw valueError(`${keyword} failed: ${keyword} returned no value`);
}
