// Runs a VM the hard way: after every single instruction it is thrown away and restored from the JSON text of its snapshot.
// A case must end the same as when it runs through (`LL-99`).
import type { Projected } from "../values/projected.ts";
import type { LashHost } from "../vm/drive.ts";
import type { EffectOutcome } from "../vm/effects.ts";
import type { VmSnapshot } from "../vm/snapshot.ts";
import { Vm } from "../vm/vm.ts";
import type { RunVm } from "./fixture-host.ts";

/** Gives up after so many instructions: a restore per instruction is for short programs. */
const MAX_STEPS = 20_000;

export interface StepwiseOptions {
  /** The projected bindings the cell was started with. */
  readonly bindings?: ReadonlyMap<string, Projected>;
}

export function stepwise(options: StepwiseOptions = {}): RunVm {
  return async (first, host, signal, replaced) => {
    let vm = first;
    for (let steps = 0; steps < MAX_STEPS; steps += 1) {
      if (signal.aborted) return { kind: "cancelled" };
      const state = vm.step();
      if (state.kind === "done") {
        replaced?.(vm);
        return state.outcome;
      }
      vm = throughText(vm, options);
      if (state.kind === "parked") {
        const outcome = await Promise.race([answer(host, vm), abortOf(signal)]);
        if (outcome === null) return { kind: "cancelled" };
        vm.settle(state.effect.effectId, outcome);
        vm = throughText(vm, options);
      }
    }
    throw new RangeError(`the program takes more than ${MAX_STEPS} instructions`);
  };
}

function throughText(vm: Vm, { bindings = new Map<string, Projected>() }: StepwiseOptions): Vm {
  const snapshot = JSON.parse(JSON.stringify(vm.snapshot())) as VmSnapshot;
  const rehydrate = (name: string): Projected["source"] | undefined => bindings.get(name)?.source;
  return Vm.restore(vm.compiled, snapshot, { bindings, rehydrate });
}

async function answer(host: LashHost, vm: Vm): Promise<EffectOutcome> {
  if (vm.state.kind !== "parked") throw new Error("a parked program did not stay parked through its snapshot");
  return host.perform(vm.state.effect, undefined);
}

function abortOf(signal: AbortSignal): Promise<null> {
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(null), { once: true });
  });
}
