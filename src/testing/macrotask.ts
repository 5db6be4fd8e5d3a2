// One round of the event loop, without the millisecond that a timer takes.

/** Lets every promise callback that is ready run, and what the event loop has ready by then. */
export const macrotask: () => Promise<void> = "setImmediate" in globalThis ? () => new Promise((resolve) => void setImmediate(resolve)) : overChannel;

/** Browsers have no `setImmediate`, and slow down timers that set timers. */
function overChannel(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    const end = (): void => {
      port1.close();
      resolve();
    };
    port1.addEventListener("message", end, { once: true });
    port1.start();
    port2.postMessage(null);
  });
}
