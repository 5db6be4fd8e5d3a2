// Drives a VM with a host that answers in its own time. Everything that is asynchronous about a program is here.
import { boundExhausted } from "../values/bounds.ts";
import type { EffectOutcome, EffectRequest } from "./effects.ts";
import type { Outcome, Vm } from "./vm.ts";
import { SLICE } from "./vm.ts";

/** The one door between a program and the world. */
export interface LashHost {
  /**
   * Performs a request. Answer directly when there is nothing to wait for: that costs no turn of the event loop.
   * A throw or rejection is an operation's failure, as if `{ error: message }` had been answered.
   */
  perform(request: EffectRequest, signal: AbortSignal | undefined): EffectOutcome | Promise<EffectOutcome>;
}

export interface DriveOptions {
  /** Aborting ends the drive as `cancelled`; an open request is left to the host. */
  readonly signal?: AbortSignal;
  /** Longest time in milliseconds that the program itself may run, waits for the host not counted. Default: none. */
  readonly maxActiveMs?: number;
  /** A clock in milliseconds. Default `performance.now`. */
  readonly now?: () => number;
  /** Lets other work of the event loop run. Default: one macrotask. */
  readonly pause?: () => Promise<void>;
  /** Called whenever the program waits for the host, before it does: the moment to make its state durable. */
  readonly onParked?: (vm: Vm, request: EffectRequest) => void | Promise<void>;
}

export type DriveResult = Outcome | { readonly kind: "cancelled" };

/** A program may hold the event loop this long; macrotasks per slice would cost more than the slices themselves. */
const HOLD_MS = 4;

/**
 * Runs a VM to its end. It looks at the clock every 1024 instructions and lets others run when it has held the event loop
 * for 4 ms.
 */
export async function drive(vm: Vm, host: LashHost, options: DriveOptions = {}): Promise<DriveResult> {
  const { signal, maxActiveMs = Infinity, now = () => performance.now(), pause = macrotask } = options;
  const over = new AbortController(); // takes the listener off a signal that lives longer
  const aborted = new Promise<null>((resolve) => {
    signal?.addEventListener("abort", () => resolve(null), { signal: over.signal });
  });
  let active = 0;
  let since = now();
  try {
    for (;;) {
      if (signal?.aborted === true) return { kind: "cancelled" };
      const state = vm.run(SLICE);
      const held = now() - since;
      if (state.kind === "done") return state.outcome;
      if (active + held > maxActiveMs) return overtime(maxActiveMs);
      const answer = state.kind === "parked" ? askHost(vm, host, state.effect, options) : null;
      const waits = answer instanceof Promise;
      const outcome = waits ? await Promise.race([answer, aborted]) : answer;
      if (state.kind === "parked" && outcome !== null) vm.settle(state.effect.effectId, outcome);
      if (!waits && held < HOLD_MS) continue;
      active += held;
      if (!waits) await pause();
      since = now();
    }
  } finally {
    over.abort();
  }
}

function askHost(vm: Vm, host: LashHost, request: EffectRequest, options: DriveOptions): EffectOutcome | Promise<EffectOutcome> {
  const { signal, onParked } = options;
  const failed = (error: unknown): EffectOutcome => ({ error: error instanceof Error ? error.message : String(error) });
  const perform = (): EffectOutcome | Promise<EffectOutcome> => {
    try {
      const answer = host.perform(request, signal);
      return answer instanceof Promise ? answer.catch(failed) : answer;
    } catch (error) {
      return failed(error);
    }
  };
  const durable = onParked?.(vm, request);
  return durable instanceof Promise ? durable.then(perform) : perform();
}

function overtime(limit: number): DriveResult {
  const { kind, message } = boundExhausted("active time", `${limit} ms`);
  return { kind: "error", error: { kind, message } };
}

function macrotask(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.addEventListener("message", () => {
      port1.close();
      resolve();
    });
    port1.start();
    port2.postMessage(null);
  });
}
