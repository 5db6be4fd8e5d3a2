// Process bodies: how a run of a process begins (`LL-97`).
import type { CompiledEntry } from "../compiler/compile.ts";
import { fixedMeter } from "../values/bounds.ts";
import { fromJson } from "../values/from-json.ts";
import type { Json } from "../values/json-value.ts";
import { type Value, recordOf } from "../values/value.ts";
import { Vm, type VmOptions } from "../vm/vm.ts";

/**
 * A VM for a process body. Args are bound by parameter name; `inputs` is the record of them all, `input` the only one,
 * null when there is none, else the record.
 */
export function startProcess(body: CompiledEntry, args: { readonly [name: string]: Json }, options: VmOptions = {}): Vm {
  const meter = fixedMeter();
  const values = Object.keys(args).map((name) => [name, fromJson(args[name] ?? null, meter)] as const);
  const inputs = recordOf(values, meter);
  inputs.shared = true;
  const [only] = values;
  const input = values.length > 1 ? inputs : (only?.[1] ?? null);
  // Parameters last: one that is called `input` or `inputs` is what the program means.
  const globals = new Map<string, Value>([["inputs", inputs], ["input", input], ...values]);
  return Vm.start(body, { ...options, globals });
}
