// The bridge to Stately's viewer in the browser. An entry of its own: bundlers resolve even a lazy import, and the
// package behind this one is optional.
import type { createBrowserInspector } from "@statelyai/inspect";
import { statelyConverter } from "./stately.ts";
import { createTap, type InspectObserver, type TapOptions } from "./tap.ts";

export interface StatelyInspectorOptions extends TapOptions {
  /** Where the viewer lives; default the one of stately.ai, which needs the network. */
  readonly url?: string;
  /** Shows the viewer in this iframe; default a window of its own. */
  readonly iframe?: HTMLIFrameElement;
}

export interface StatelyInspector extends InspectObserver {
  close(): void;
}

/**
 * Opens Stately's inspector from a browser tab and feeds it, redacted and bounded.
 *
 * @throws Error when the optional package `@statelyai/inspect` is not installed.
 */
export async function statelyInspector(options: StatelyInspectorOptions = {}): Promise<StatelyInspector> {
  const stately = await loadStately();
  const { url, iframe, ...tapOptions } = options;
  const inspector = stately.createBrowserInspector({
    ...(url === undefined ? {} : { url }),
    ...(iframe === undefined ? {} : { iframe }),
  });
  const convert = statelyConverter();
  const tap = createTap((records) => {
    for (const record of records) {
      const converted = convert(record);
      // Straight to the adapter: the inspector's own path would stringify the live snapshot again, unredacted.
      if (converted) inspector.adapter.send(converted as unknown as Parameters<typeof inspector.adapter.send>[0]);
    }
  }, tapOptions);
  return {
    next: tap.next,
    close: () => {
      tap.close();
      inspector.stop();
    },
  };
}

async function loadStately(): Promise<{ readonly createBrowserInspector: typeof createBrowserInspector }> {
  try {
    return await import("@statelyai/inspect");
  } catch (cause) {
    throw new Error("statelyInspector() needs the package @statelyai/inspect: npm install @statelyai/inspect (or use viewerChannel(), which needs nothing)", { cause });
  }
}
