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
import { toJson } from "../values/to-json.ts";
import { failure, success } from "../values/wrapper.ts";
import type { AbilityOp, EffectOutcome, EffectSite, OperationOutcome, ResourceOperation } from "../vm/effects.ts";
import { observation } from "../vm/observation.ts";
import { hostJson, namedJson, operationPayload, printText } from "../vm/payload.ts";
import type { Eval, Frame, Slots } from "../vm/frame.ts";
import type { Context } from "./context.ts";
import { takeTemp } from "./read.ts";

type Of<K extends LinkedExpr["kind"]> = Extract<LinkedExpr, { kind: K }>;

/** Emits a request and what is done with its outcome. */
export function request(
  c: Context,
  open: (s: Slots, f: Frame) => AbilityOp,
  receive: (outcome: EffectOutcome, f: Frame) => void,
): void {
  c.code.emit((next) => (s, f) => f.park(open(s, f), next));
  c.code.emit((next) => (_, f) => {
    receive(f.settled(), f);
    return next;
  });
}

/** The site of an effect and its count; an observer hears that it starts. */
export function visit(c: Context, f: Frame, site: number): EffectSite {
  const callSite = c.entry.sites[site];
  if (callSite === undefined) throw new Error("linked program has an effect without a site");
  const occurrence = f.occurrence(site);
  f.observer?.(observation("node.started", callSite, occurrence));
  return { site: callSite, occurrence };
}

/** Tells an observer how the last visit of a site ended. */
export function leave(c: Context, f: Frame, site: number, outcome: EffectOutcome): void {
  const callSite = c.entry.sites[site];
  if (f.observer === null || callSite === undefined) return;
  const occurrence = f.counts[site] ?? 0;
  if ("error" in outcome) f.observer(observation("node.failed", callSite, occurrence, { error: outcome.error }));
  else f.observer(observation("node.completed", callSite, occurrence));
}

/** The value of an outcome that is not an error. */
export function outcomeValue(outcome: EffectOutcome, f: Frame): Value {
  if ("value" in outcome) return fromJson(outcome.value, f);
  if ("projected" in outcome) return new Projected(outcome.projected.name, outcome.projected.source);
  return null;
}

/** A request whose failure ends the program as `{prefix}: {message}`. */
function mustSucceed(outcome: EffectOutcome, prefix: string): void {
  if ("error" in outcome) throw valueError(`${prefix}: ${outcome.error}`);
}

export function openOperation(
  c: Context,
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
    ...visit(c, f, expr.site),
    receiver: { resourceType: receiver.resourceType, alias: receiver.alias },
    operation: expr.operation,
    payload: json,
    projections,
  };
}

/** The raw value or an abort with `?`, a wrapper without it (`LL-48`). */
export function operationResult(outcome: OperationOutcome | EffectOutcome, expr: Of<"Operation">, f: Frame): Value {
  if ("error" in outcome) {
    if (!expr.unwrap) return failure(outcome.error, f);
    throw valueError(`\`?\` unwrapped failed module operation: ${outcome.error}`, expr.span);
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
      return { kind: "ResourceOperation", ...openOperation(c, f, expr, authority, values) };
    },
    (outcome, f) => {
      leave(c, f, expr.site, outcome);
      f.store(result, operationResult(outcome, expr, f));
    },
  );
  return takeTemp(result);
}

function start(c: Context, expr: Of<"Start">): Eval {
  const target = c.program.processes.find((process) => process.name === expr.process);
  if (target === undefined) throw new Error(`linked program has no process ${expr.process}`);
  const names = expr.args.map((arg) => arg.name);
  const args = c.operands(expr.args.map((arg) => arg.value));
  const result = c.code.temp();
  request(
    c,
    (s, f) => {
      const values = args.map((arg) => arg(s, f));
      return {
        kind: "StartProcess",
        moduleRef: c.program.moduleRef,
        processRef: target.processRef,
        hostRequirementsRef: c.program.hostRequirementsRef,
        processName: target.name,
        args: namedJson(names, values, f),
        ...visit(c, f, expr.site),
      };
    },
    (outcome, f) => {
      leave(c, f, expr.site, outcome);
      mustSucceed(outcome, "process start failed");
      const handle = outcomeValue(outcome, f);
      const callSite = c.entry.sites[expr.site];
      const id = handle instanceof Rec ? recGet(handle, "id") : undefined;
      if (f.observer !== null && callSite !== undefined && typeof id === "string") {
        f.observer(observation("child.started", callSite, f.counts[expr.site] ?? 0, { childId: id }));
      }
      f.store(result, handle);
    },
  );
  return takeTemp(result);
}

function sleep(c: Context, expr: Of<"Sleep">): Eval {
  const value = c.expr(expr.value);
  request(
    c,
    (s, f) => {
      const raw = value(s, f);
      const milliseconds = expr.mode === "For" ? sleepFor(raw, f) : sleepUntil(raw, f);
      f.ordinals.sleeps += 1;
      const ordinal = f.ordinals.sleeps - 1;
      return { kind: "Sleep", mode: expr.mode, milliseconds, ordinal, ...visit(c, f, expr.site) };
    },
    (outcome, f) => {
      leave(c, f, expr.site, outcome);
      mustSucceed(outcome, "sleep failed");
    },
  );
  return () => null;
}

function waitSignal(c: Context, expr: Of<"WaitSignal">): Eval {
  const result = c.code.temp();
  request(
    c,
    (_, f) => {
      const ordinal = (f.ordinals.waits.get(expr.name) ?? 0) + 1;
      f.ordinals.waits.set(expr.name, ordinal);
      return { kind: "WaitSignal", name: expr.name, ordinal, ...visit(c, f, expr.site) };
    },
    (outcome, f) => {
      leave(c, f, expr.site, outcome);
      mustSucceed(outcome, "wait_signal failed");
      f.store(result, outcomeValue(outcome, f));
    },
  );
  return takeTemp(result);
}

function signalRun(c: Context, expr: Of<"SignalRun">): Eval {
  const [run, payload] = c.operands([expr.run, expr.payload]) as [Eval, Eval];
  request(
    c,
    (s, f) => {
      const handle = materialize(run(s, f), f);
      const value = payload(s, f);
      if (!isProcessHandle(handle)) throw typeError("signal_run expects a process handle");
      f.ordinals.sends += 1;
      return {
        kind: "SignalRun",
        run: hostJson(handle, f),
        name: expr.name,
        payload: hostJson(value, f),
        ordinal: f.ordinals.sends - 1,
        ...visit(c, f, expr.site),
      };
    },
    (outcome, f) => {
      leave(c, f, expr.site, outcome);
      mustSucceed(outcome, "signal_run failed");
    },
  );
  return () => null;
}

/** The statements that hand one value to the host. */
export function emit(c: Context, expr: Of<"Finish" | "Fail" | "Print" | "Cancel" | "Yield" | "Wake">): void {
  const value = c.expr(expr.value);
  const foreground = expr.kind === "Print";
  const background = expr.kind === "Fail" || expr.kind === "Yield" || expr.kind === "Wake";
  if ((foreground && c.mode === "process") || (background && c.mode === "cell")) {
    refuse(c, expr.kind.toLowerCase(), foreground);
    return;
  }
  if (expr.kind === "Finish" || expr.kind === "Fail") terminate(c, expr, expr.kind, value);
  else if (expr.kind === "Print") print(c, expr, value);
  else if (expr.kind === "Cancel") cancel(c, expr, value);
  else processEvent(c, expr, expr.kind as "Yield" | "Wake", value);
}

function refuse(c: Context, keyword: string, foreground: boolean): void {
  const error = foreground
    ? new ProgramError("ForegroundControlInsideProcess", `\`${keyword}\` can't be used inside a \`process\` body`)
    : new ProgramError("SessionProcessAdminOutsideProcess", `\`${keyword}\` can only be used inside a process body`);
  c.code.emit(() => () => {
    throw error;
  });
}

/** The host may replace the value but not keep the program going (`LL-56`). */
function terminate(c: Context, expr: { readonly site: number }, kind: "Finish" | "Fail", value: Eval): void {
  const verb = kind.toLowerCase();
  c.code.emit((next) => (s, f) => {
    const json = hostJson(value(s, f), f);
    return f.park({ kind, value: json, ...visit(c, f, expr.site) }, next);
  });
  c.code.emit(() => (_, f) => {
    const outcome = f.settled();
    leave(c, f, expr.site, outcome);
    mustSucceed(outcome, `${verb} failed`);
    if ("unit" in outcome || "batch" in outcome) throw valueError(`${verb} failed: ${verb} returned no value`);
    const result = "value" in outcome ? outcome.value : toJson(outcomeValue(outcome, f));
    return f.end({ kind: kind === "Finish" ? "finished" : "failed", value: result });
  });
}

function print(c: Context, expr: { readonly site: number }, value: Eval): void {
  request(
    c,
    (s, f) => {
      const shown = value(s, f);
      const text = printText(shown, f);
      f.print(text);
      f.ordinals.prints += 1;
      const ordinal = f.ordinals.prints - 1;
      return { kind: "Print", value: hostJson(shown, f), text, ordinal, ...visit(c, f, expr.site) };
    },
    (outcome, f) => {
      leave(c, f, expr.site, outcome);
      mustSucceed(outcome, "print failed");
    },
  );
}

function cancel(c: Context, expr: { readonly site: number }, value: Eval): void {
  request(
    c,
    (s, f) => {
      const handle = hostJson(value(s, f), f);
      f.ordinals.cancels += 1;
      return { kind: "Cancel", handle, ordinal: f.ordinals.cancels - 1, ...visit(c, f, expr.site) };
    },
    (outcome, f) => {
      leave(c, f, expr.site, outcome);
      mustSucceed(outcome, "cancel failed");
    },
  );
}

function processEvent(c: Context, expr: { readonly site: number }, event: "Yield" | "Wake", value: Eval): void {
  request(
    c,
    (s, f) => {
      const shown = value(s, f);
      const text = display(shown, f);
      f.print(text);
      f.ordinals.events += 1;
      const ordinal = f.ordinals.events - 1;
      return { kind: "ProcessEvent", event, value: hostJson(shown, f), text, ordinal, ...visit(c, f, expr.site) };
    },
    (outcome, f) => {
      leave(c, f, expr.site, outcome);
      mustSucceed(outcome, `${event.toLowerCase()} failed`);
    },
  );
}
