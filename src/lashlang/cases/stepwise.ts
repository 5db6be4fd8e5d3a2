// Runs a VM the hard way: after every instruction it is thrown away and restored from the JSON text of its snapshot.
// A case must end the same as when it runs through (`LL-99`).
import type { LashHost } from "../vm/drive.ts";
import type { EffectOutcome } from "../vm/effects.ts";
import type { VmSnapshot } from "../vm/snapshot.ts";
import { Vm } from "../vm/vm.ts";
import type { RunVm } from "./fixture-host.ts";

/** @param every - instructions between two snapshots; 1 is the whole proof, more is for programs that loop long. */
export function stepwise(every = 1): RunVm {
  return async (first, host, signal, replaced) => {
    let vm = first;
    let turns = 0;
    while (!signal.aborted) {
      const state = vm.run(every);
      if (state.kind === "done") {
        replaced?.(vm);
        return state.outcome;
      }
      vm = throughText(vm);
      if (state.kind === "parked") {
        const outcome = await Promise.race([answer(host, vm), abortOf(signal)]);
        if (outcome === null) break;
        vm.settle(state.effect.effectId, outcome);
        vm = throughText(vm);
      }
      turns += 1;
      // A loop without effects would keep the timer that ends a hanging case from ever firing.
      if (turns % 1000 === 0) await new Promise((resolve) => setTimeout(resolve));
    }
    return { kind: "cancelled" };
  };
}

/** The VM that comes back from the text of this one's snapshot. */
export function throughText(vm: Vm): Vm {
  const snapshot = JSON.parse(JSON.stringify(vm.snapshot())) as VmSnapshot;
  return Vm.restore(vm.compiled, snapshot, { bindings: vm.bindings() });
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
