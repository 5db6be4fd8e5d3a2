// The host that case files run against (section 16): tools answer at once, processes really run, sleeps return at once.
import { compileProcess } from "../compiler/compile.ts";
import type { HostEnvironment } from "../linker/host-environment.ts";
import type { LinkedProgram } from "../linker/linked-program.ts";
import { startProcess } from "../session/process.ts";
import { fixedMeter } from "../values/bounds.ts";
import { display } from "../values/display.ts";
import { fromJson } from "../values/from-json.ts";
import type { Json } from "../values/json-value.ts";
import type { AbilityOp, EffectOutcome, EffectRequest, OperationOutcome, ResourceOperation } from "../vm/effects.ts";
import type { DriveResult, LashHost } from "../vm/drive.ts";
import { startedProcessId } from "../vm/replay-keys.ts";
import type { Vm } from "../vm/vm.ts";
import { callTool } from "./fixture-tools.ts";
import { FixtureTriggers } from "./fixture-triggers.ts";

/** How a VM is run to its end; tests put a snapshot between any two instructions here. */
export type RunVm = (
  vm: Vm,
  host: LashHost,
  signal: AbortSignal,
  /** Told the VM that reached the end, when that is not the one given. */
  replaced?: (last: Vm) => void,
) => Promise<DriveResult>;

interface ProcessRun {
  readonly ended: Promise<EffectOutcome>;
  readonly cancel: AbortController;
  /** Payloads by signal name, in the order they came, and who waits for them. */
  readonly signals: Map<string, Json[]>;
  readonly waiting: Map<string, () => void>;
}

type Op<K extends AbilityOp["kind"]> = Extract<AbilityOp, { kind: K }>;

export class FixtureHost {
  readonly printed: Json[] = [];
  /** `[event, value]` of every process, in order. */
  readonly events: [string, Json][] = [];
  private readonly runs = new Map<string, ProcessRun>();
  private readonly triggers = new FixtureTriggers();
  private readonly program: LinkedProgram;
  private readonly environment: HostEnvironment;
  private readonly run: RunVm;

  constructor(program: LinkedProgram, environment: HostEnvironment, run: RunVm) {
    this.program = program;
    this.environment = environment;
    this.run = run;
  }

  /** The host of the cell, or of the process `id`. */
  for(id: string | null): LashHost {
    return { perform: (request) => this.perform(request, id) };
  }

  /** Ends every process that still runs. */
  stop(): void {
    for (const { cancel } of this.runs.values()) cancel.abort();
  }

  private perform({ op }: EffectRequest, self: string | null): EffectOutcome | Promise<EffectOutcome> {
    switch (op.kind) {
      case "ResourceOperation":
        return this.operation(op);
      case "ResourceOperationBatch":
        return { batch: op.operations.map((operation) => this.operation(operation)) };
      case "StartProcess":
        return this.start(op, self);
      case "Await":
        return this.find(op.handle)?.ended ?? { error: "expected handle record" };
      case "Cancel":
        return this.cancel(op);
      case "Print":
        this.printed.push(op.value);
        return { unit: true };
      case "Finish":
      case "Fail":
        return { value: op.value };
      case "ProcessEvent":
        this.events.push([`process.${op.event.toLowerCase()}`, op.value]);
        return { unit: true };
      case "Sleep":
        return { unit: true };
      case "WaitSignal":
        return this.waitSignal(op, self);
      case "SignalRun":
        return this.signal(op);
    }
  }

  private operation(operation: ResourceOperation): OperationOutcome {
    const { alias, resourceType } = operation.receiver;
    const { modules } = this.environment.catalog;
    const module = Object.hasOwn(modules, alias) ? modules[alias] : undefined;
    // An authority is data once it has been through JSON, so it is looked up, not believed.
    if (module?.resourceType !== resourceType) return { error: `unknown module authority: ${alias}` };
    if (!Object.hasOwn(module.operations, operation.operation)) return { error: `unknown tool: ${operation.operation}` };
    if (alias === "triggers") return this.triggers.call(operation.operation, operation.payload);
    return callTool(module.operations[operation.operation]?.hostOperation ?? "", operation.payload);
  }

  private start(op: Op<"StartProcess">, self: string | null): EffectOutcome {
    const id = startedProcessId(self === null ? "runtime-scope:case" : `parent-process:${self}`, op);
    const handle = { value: { __handle__: "process", id } };
    if (this.runs.has(id)) return handle;
    const cancel = new AbortController();
    const vm = startProcess(compileProcess(this.program, op.processName), op.args);
    // Runs no earlier than the next microtask, when it is registered: it may signal or end at once.
    const ended = Promise.resolve()
      .then(() => this.run(vm, this.for(id), cancel.signal))
      .then(processOutcome);
    this.runs.set(id, { ended, cancel, signals: new Map(), waiting: new Map() });
    return handle;
  }

  private cancel(op: Op<"Cancel">): EffectOutcome {
    const run = this.find(op.handle);
    if (run === undefined) return { error: "expected handle record" };
    run.cancel.abort();
    return { unit: true };
  }

  private async waitSignal(op: Op<"WaitSignal">, self: string | null): Promise<EffectOutcome> {
    const run = self === null ? undefined : this.runs.get(self);
    if (run === undefined) return { error: "no process waits here" };
    for (;;) {
      const payload = run.signals.get(op.name)?.[op.ordinal - 1];
      if (payload !== undefined) return { value: payload };
      await new Promise<void>((resolve) => run.waiting.set(op.name, resolve));
    }
  }

  private signal(op: Op<"SignalRun">): EffectOutcome {
    const run = this.find(op.run);
    if (run === undefined) return { error: "unknown process" };
    run.signals.set(op.name, [...(run.signals.get(op.name) ?? []), op.payload]);
    run.waiting.get(op.name)?.();
    return { unit: true };
  }

  private find(handle: Json): ProcessRun | undefined {
    if (typeof handle !== "object" || handle === null || Array.isArray(handle)) return undefined;
    const { id } = handle as { readonly id?: Json };
    return typeof id === "string" ? this.runs.get(id) : undefined;
  }
}

/** What an awaiting program sees of a process that ended. */
function processOutcome(result: DriveResult): EffectOutcome {
  const meter = fixedMeter();
  switch (result.kind) {
    case "finished":
      return { value: result.value };
    case "failed":
      return { error: display(fromJson(result.value, meter), meter) };
    case "error":
      return { error: result.error.message };
    case "cancelled":
      return { error: "lashlang process was cancelled" };
    case "continued":
      return { value: null };
  }
}
