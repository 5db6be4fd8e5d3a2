// RateLimiter: holds calls back on this side, so that a provider need not refuse them (PP-20).
//   R1. Calls are admitted in the order they asked.
//   R2. A permit is given back exactly once, however the attempt ends; an aborted waiter leaves nothing behind.

import type { Clock } from "../domain/clock.ts";
import type { LlmRequest, RateLimits } from "./contract.ts";

const DEFAULT_WINDOW_MS = 60_000;
const CHARS_PER_TOKEN = 4;
const IMAGE_CHARS = 256;

interface Waiter {
  readonly limits: RateLimits;
  readonly tokens: number;
  readonly clock: Clock;
  admit(): void;
}

/** A fixed window: it opens with the first call it counts and empties when its time is over. */
class Window {
  private openedAtMs = 0;
  private used = 0;
  private open = false;

  /** Milliseconds until `cost` fits; 0 is now. Counts nothing. */
  waitMs(cost: number, limit: number, windowMs: number, nowMs: number): number {
    const endsInMs = this.openedAtMs + windowMs - nowMs;
    if (!this.open || endsInMs <= 0) return 0;
    return this.used + cost <= limit ? 0 : endsInMs;
  }

  charge(cost: number, windowMs: number, nowMs: number): void {
    if (!this.open || nowMs >= this.openedAtMs + windowMs) {
      this.open = true;
      this.openedAtMs = nowMs;
      this.used = 0;
    }
    this.used += cost;
  }
}

export class RateLimiter {
  private readonly queue: Waiter[] = [];
  private readonly requests = new Window();
  private readonly tokens = new Window();
  private active = 0;
  private cancelTimer: (() => void) | null = null;

  /**
   * Waits until a call of this size may go out.
   *
   * @returns gives the concurrency permit back; further calls of it do nothing.
   * @throws the signal's reason when it aborts first.
   */
  acquire(limits: RateLimits, tokens: number, clock: Clock, signal: AbortSignal): Promise<() => void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason);
        return;
      }
      const admit = (): void => {
        signal.removeEventListener("abort", onAbort);
        resolve(this.permit());
      };
      const waiter: Waiter = { limits, tokens, clock, admit };
      const onAbort = (): void => {
        this.queue.splice(this.queue.indexOf(waiter), 1);
        reject(signal.reason);
        this.admitNext();
      };
      signal.addEventListener("abort", onAbort, { once: true });
      this.queue.push(waiter);
      this.admitNext();
    });
  }

  private permit(): () => void {
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.active -= 1;
      this.admitNext();
    };
  }

  private admitNext(): void {
    this.cancelTimer?.();
    this.cancelTimer = null;
    for (let first = this.queue[0]; first !== undefined; first = this.queue[0]) {
      const { limits, clock } = first;
      if (this.active >= (limits.maxConcurrency ?? Infinity)) return;
      const waitMs = this.windowWaitMs(first);
      if (waitMs > 0) {
        this.cancelTimer = clock.setTimer(waitMs, () => this.admitNext());
        return;
      }
      this.queue.shift();
      this.active += 1;
      first.admit();
    }
  }

  /** Charges both windows when the call fits both, else tells how long it has to wait. */
  private windowWaitMs({ limits, tokens, clock }: Waiter): number {
    const nowMs = clock.monotonic();
    const requestLimit = limits.requestsPerWindow ?? Infinity;
    const tokenLimit = limits.tokensPerWindow ?? Infinity;
    const requestWindowMs = limits.requestWindowMs ?? DEFAULT_WINDOW_MS;
    const tokenWindowMs = limits.tokenWindowMs ?? DEFAULT_WINDOW_MS;
    // A call larger than a whole window would wait for ever.
    const cost = Math.min(tokens, tokenLimit);
    const waitMs = Math.max(
      this.requests.waitMs(1, requestLimit, requestWindowMs, nowMs),
      this.tokens.waitMs(cost, tokenLimit, tokenWindowMs, nowMs),
    );
    if (waitMs > 0) return waitMs;
    this.requests.charge(1, requestWindowMs, nowMs);
    this.tokens.charge(cost, tokenWindowMs, nowMs);
    return 0;
  }
}

/** A rough count of what a request costs, good enough to stay below a provider's window. */
export function estimateTokens(request: LlmRequest): number {
  let chars = 0;
  for (const message of request.messages) {
    for (const block of message.blocks) {
      if (block.type === "image") chars += IMAGE_CHARS;
      else if (block.type === "toolCall") chars += block.toolName.length + block.inputJson.length;
      else if (block.type === "toolResult") chars += block.content.length;
      else if (block.type === "text" || block.type === "reasoning") chars += block.text.length;
      else if (block.type === "opaque") chars += JSON.stringify(block.content.json).length;
      else chars += IMAGE_CHARS;
    }
  }
  for (const tool of request.tools) {
    chars += tool.name.length + tool.description.length + JSON.stringify(tool.inputSchema).length;
  }
  return Math.ceil(chars / CHARS_PER_TOKEN);
}
