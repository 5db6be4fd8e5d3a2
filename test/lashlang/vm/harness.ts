// Small ways to run a program in tests: linked against the fixture, effects answered by hand.
import { fixtureEnvironment } from "../../../src/lashlang/cases/fixture-environment.ts";
import { compileCell, compileProcess, type CompiledEntry } from "../../../src/lashlang/compiler/compile.ts";
import { link } from "../../../src/lashlang/linker/link.ts";
import { parse } from "../../../src/lashlang/syntax/parser.ts";
import type { EffectOutcome, EffectRequest } from "../../../src/lashlang/vm/effects.ts";
import type { Outcome, Vm } from "../../../src/lashlang/vm/vm.ts";

export const linked = (source: string, labels = false) => link(parse(source), fixtureEnvironment({ labels }), source);

export const cell = (source: string, labels = false): CompiledEntry => compileCell(linked(source, labels));

export const processBody = (source: string, name: string): CompiledEntry => compileProcess(linked(source), name);

/** Answers operations with `value`'s JSON or null, finishes with what was given, all else with nothing. */
export function echo({ op }: EffectRequest): EffectOutcome {
  switch (op.kind) {
    case "ResourceOperation":
      return { value: op.payload["value"] ?? null };
    case "ResourceOperationBatch":
      return { batch: op.operations.map((operation) => ({ value: operation.payload["value"] ?? null })) };
    case "Finish":
    case "Fail":
      return { value: op.value };
    case "StartProcess":
      return { value: { __handle__: "process", id: `run-${op.occurrence}` } };
    case "Await":
      return { value: "joined" };
    case "WaitSignal":
      return { value: op.ordinal };
    default:
      return { unit: true };
  }
}

export interface Run {
  readonly outcome: Outcome;
  readonly requests: readonly EffectRequest[];
}

/** Runs to the end, noting every request. */
export function runThrough(vm: Vm, answer: (request: EffectRequest) => EffectOutcome = echo, slice?: number): Run {
  const requests: EffectRequest[] = [];
  for (;;) {
    const state = vm.run(slice);
    if (state.kind === "done") return { outcome: state.outcome, requests };
    if (state.kind === "ready") continue;
    requests.push(state.effect);
    vm.settle(state.effect.effectId, answer(state.effect));
  }
}

/** Runs until the first request. */
export function park(vm: Vm): EffectRequest {
  for (;;) {
    const state = vm.run();
    if (state.kind === "parked") return state.effect;
    if (state.kind === "done") throw new Error(`the program ended: ${JSON.stringify(state.outcome)}`);
  }
}
