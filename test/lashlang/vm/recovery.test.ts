// A run that dies is either restored from its snapshot or executed again from the start. Either way an effect whose outcome
// was recorded is not performed again, because it has the same name.
import { expect, test } from "vitest";
import type { CompiledEntry } from "../../../src/lashlang/compiler/compile.ts";
import type { AbilityOp, EffectOutcome, EffectRequest } from "../../../src/lashlang/vm/effects.ts";
import { effectKey, operationKey, startedProcessId, type ExecutionScope } from "../../../src/lashlang/vm/replay-keys.ts";
import type { VmSnapshot } from "../../../src/lashlang/vm/snapshot.ts";
import { type Outcome, Vm } from "../../../src/lashlang/vm/vm.ts";
import { cell, echo } from "./harness.ts";

const SOURCE = `
  process p(n: int) { finish n }
  out = []
  for i in range(3) {
    v = await tools.echo({ value: i })?
    if v % 2 == 0 { out = push(out, start p(n: v)) } else { sleep for v }
  }
  both = await [tools.echo({ value: "a" })?, tools.echo({ value: out })?]
  print both[0]
  joined = await out
  finish [both[0], len(joined), [j.value for j in joined]]`;

const scope: ExecutionScope = { kind: "cell", id: "exec-1" };

/** The names of a request: one per operation of a batch. */
function keysOf(op: AbilityOp): string[] {
  if (op.kind === "ResourceOperation") return [operationKey(scope, "echo", op)];
  if (op.kind === "ResourceOperationBatch") return op.operations.map((one, i) => operationKey(scope, "echo", one, i));
  if (op.kind === "StartProcess") return [startedProcessId("runtime-replay:exec-1", op)];
  return [effectKey(scope, op)];
}

/** A host with a journal that is asked before anything is performed. */
class JournaledHost {
  readonly performed: string[] = [];
  private readonly journal = new Map<string, EffectOutcome>();

  answer(request: EffectRequest): EffectOutcome {
    const name = keysOf(request.op).join(" ");
    const recorded = this.journal.get(name);
    if (recorded !== undefined) return recorded;
    this.performed.push(...keysOf(request.op));
    const outcome = echo(request);
    this.journal.set(name, JSON.parse(JSON.stringify(outcome)) as EffectOutcome);
    return outcome;
  }
}

/** Runs until the host has answered `effects` requests, and dies; or to the end. */
function runFor(vm: Vm, host: JournaledHost, effects: number): { outcome: Outcome | null; last: VmSnapshot | null } {
  let answered = 0;
  let last: VmSnapshot | null = null;
  for (;;) {
    const state = vm.run();
    if (state.kind === "done") return { outcome: state.outcome, last };
    if (state.kind === "ready") continue;
    last = JSON.parse(JSON.stringify(vm.snapshot())) as VmSnapshot;
    if (answered === effects) return { outcome: null, last };
    answered += 1;
    vm.settle(state.effect.effectId, host.answer(state.effect));
  }
}

const code: CompiledEntry = cell(SOURCE);
const whole = new JournaledHost();
const { outcome: expected } = runFor(Vm.start(code), whole, Infinity);

test("the program to be killed does what it says", () => {
  expect(expected).toEqual({ kind: "finished", value: ["a", 2, ["joined", "joined"]] });
  expect(new Set(whole.performed).size).toBe(whole.performed.length);
  expect(whole.performed).toHaveLength(12);
});

test.each(Array.from({ length: 12 }, (_, i) => i))(
  "killed after %i effects and executed again, it performs each effect once (LL-91, LL-93, LL-95)",
  (effects) => {
    const host = new JournaledHost();
    runFor(Vm.start(code), host, effects);
    // Killed twice, the second time one effect later.
    runFor(Vm.start(code), host, effects + 1);
    expect(runFor(Vm.start(code), host, Infinity).outcome).toEqual(expected);
    expect(host.performed).toEqual(whole.performed);
  },
);

test.each(Array.from({ length: 12 }, (_, i) => i))(
  "killed after %i effects and restored, it goes on under the same names (LL-92, LL-99, OP-24)",
  (effects) => {
    const host = new JournaledHost();
    const { last } = runFor(Vm.start(code), host, effects);
    if (last === null) throw new Error("expected the program to have parked");
    // The outcome was recorded, the snapshot after it was not: the request is open again and answered from the journal.
    const again = Vm.restore(code, last);
    expect(runFor(again, host, Infinity).outcome).toEqual(expected);
    expect(host.performed).toEqual(whole.performed);
  },
);

test("what earlier attempts spent counts (LL-101)", () => {
  const vm = Vm.start(cell("while true { x = 1 }"), { bounds: { instructions: 1000 }, spent: 990 });
  expect(vm.run(5).kind).toBe("ready");
  vm.run(100);
  expect(vm.run(100)).toMatchObject({ kind: "done", outcome: { error: { kind: "BoundExhausted" } } });
});
