// What inspection costs the runtime per event, and whether the viewer keeps up: node bench/inspect.ts
import { assign, createActor, setup, type InspectionEvent } from "xstate";
import { chromium } from "playwright";
import { buildViewer } from "../scripts/build-viewer.ts";
import { findChromium } from "../scripts/chromium.mjs";
import { inspectServer } from "../src/inspect/node.ts";
import { RecordRing } from "../src/inspect/record-ring.ts";
import { createTap } from "../src/inspect/tap.ts";
import { viewerChannel } from "../src/inspect/viewer-channel.ts";
import { fakeRuntime } from "../test/inspect/machines/system.ts";

const turns = setup({ types: { context: {} as { step: number; open: readonly { effectId: number; kind: string }[]; usage: { inputTokens: number } }, events: {} as { type: "effect.settled"; effectId: number } } }).createMachine({
  id: "turn",
  context: { step: 0, open: [{ effectId: 1, kind: "llm_call" }], usage: { inputTokens: 412 } },
  initial: "callingModel",
  states: {
    callingModel: { on: { "effect.settled": { target: "runningTools", actions: assign(({ context }) => ({ step: context.step + 1 })) } } },
    runningTools: { on: { "effect.settled": "callingModel" } },
  },
});

/** Microseconds of one `send`, the best of five passes; what is put off until later is timed apart. */
function sendCost(inspect: ((event: InspectionEvent) => void) | undefined, later: () => void = () => undefined): { readonly send: number; readonly later: number } {
  let best = { send: Number.POSITIVE_INFINITY, later: 0 };
  for (let pass = 0; pass < 5; pass += 1) {
    const actor = createActor(turns, inspect ? { inspect } : {}).start();
    const event = { type: "effect.settled", effectId: 1 } as const;
    let sending = 0;
    let converting = 0;
    // As many as a flush takes at 10,000 events a second.
    for (let batch = 0; batch < 100; batch += 1) {
      const start = performance.now();
      for (let count = 0; count < 250; count += 1) actor.send(event);
      const between = performance.now();
      later();
      sending += between - start;
      converting += performance.now() - between;
    }
    actor.stop();
    if (sending < best.send * 25) best = { send: sending / 25, later: converting / 25 };
  }
  return best;
}

const quiet = { schedule: () => undefined };
const print = (name: string, cost: { readonly send: number; readonly later: number }): void => console.log(`${name.padEnd(46)} ${cost.send.toFixed(2).padStart(7)} µs a send ${cost.later.toFixed(2).padStart(8)} µs later`);
sendCost(undefined);
print("no inspection", sendCost(undefined));
print("an empty observer", sendCost(() => undefined));
const idle = createTap(() => undefined, quiet, false);
print("viewerChannel(), nobody listens (idle tap)", sendCost(idle.next, () => idle.flush()));
const ring = new RecordRing(10_000);
const listening = createTap((records) => records.forEach((record) => ring.add(record)), quiet);
print("recorder() or inspectServer() (listening tap)", sendCost(listening.next, () => listening.flush()));
const channel = viewerChannel();
print("viewerChannel() as an app has it", sendCost(channel.next));
channel.close();

const found = await findChromium();
if (found) await frames(Number(process.argv[2] ?? 1000), 50);

/** Frame times of the page while `rate` events a second come from `sessions` sessions. */
async function frames(rate: number, sessions: number): Promise<void> {
  await buildViewer();
  const server = await inspectServer();
  let turn = 0;
  let sent = 0;
  const count = { next: (event: InspectionEvent) => { if (event.type === "@xstate.event") sent += 1; server.next(event); } };
  const counted = fakeRuntime(count);
  const startAll = (): void => {
    turn += 1;
    for (let index = 1; index <= sessions; index += 1) counted.start(`chat-${index}`, `t${turn}`, { rounds: 2 });
  };
  startAll();
  const browser = await chromium.launch({ executablePath: found?.executablePath ?? "", env: { ...(process.env as Record<string, string>), ...found?.env } });
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  await page.goto(server.url);
  await page.locator(".state.active").first().waitFor();
  const started = performance.now();
  const before = sent;
  const timer = setInterval(() => {
    // One round of all sessions is about five messages for each: as many rounds as the rate asks for.
    while (sent - before < ((performance.now() - started) / 1000) * rate) if (!counted.advance()) startAll();
  }, 20);
  const measured = await page.evaluate(
    () =>
      new Promise<{ readonly frames: number; readonly p50: number; readonly p95: number; readonly worst: number; readonly busy: number }>((resolve) => {
        const gaps: number[] = [];
        let busy = 0;
        new PerformanceObserver((list) => list.getEntries().forEach((entry) => (busy += entry.duration))).observe({ entryTypes: ["longtask"] });
        let last = performance.now();
        const end = last + 10_000;
        const frame = (): void => {
          const now = performance.now();
          gaps.push(now - last);
          last = now;
          if (now < end) requestAnimationFrame(frame);
          else {
            gaps.sort((a, b) => a - b);
            const at = (part: number): number => gaps[Math.min(gaps.length - 1, Math.floor(gaps.length * part))] ?? 0;
            resolve({ frames: gaps.length, p50: at(0.5), p95: at(0.95), worst: at(1), busy });
          }
        };
        requestAnimationFrame(frame);
      }),
  );
  clearInterval(timer);
  const seconds = (performance.now() - started) / 1000;
  console.log(`viewer, ${sessions} sessions, ${Math.round((sent - before) / seconds)} messages/s: ${measured.frames} frames in 10 s, p50 ${measured.p50.toFixed(1)} ms, p95 ${measured.p95.toFixed(1)} ms, worst ${measured.worst.toFixed(0)} ms, long tasks ${measured.busy.toFixed(0)} ms`);
  console.log(await page.locator("#where").textContent());
  await browser.close();
  await server.close();
}
