// From an app in the browser to a viewer page in another tab (BroadcastChannel) or in an iframe or opened window (postMessage).
//   W1. Idle until a viewer says hello, and again when none has been heard for a while: BroadcastChannel reports no leaving.
//   W2. What comes in from the channel is a greeting or is ignored; nothing that arrives is evaluated or kept.
import { RecordRing } from "./record-ring.ts";
import { createTap, type InspectObserver, type TapOptions } from "./tap.ts";

/** Messages of the channel. Lines are JSON text: cheaper to clone than objects, and what a recording holds. */
export type ViewerMessage =
  | { readonly type: "lash.viewer.hello" }
  | { readonly type: "lash.viewer.here" }
  | { readonly type: "lash.viewer.lines"; readonly run: string; readonly lines: readonly string[] };

export interface ViewerChannelOptions extends TapOptions {
  /** BroadcastChannel name; the viewer listens to the default, `lash-inspect`. */
  readonly name?: string;
  /** Happenings kept for a viewer that opens later. Default 0: it then starts with the state of every living actor. */
  readonly history?: number;
  /** A viewer in an iframe (`iframe.contentWindow`) or opened window; used beside the BroadcastChannel. */
  readonly window?: Window;
  /** Origin that window may have; default the page's own. Records go to no other. */
  readonly origin?: string;
}

export interface ViewerChannel extends InspectObserver {
  /** Whether a viewer has been heard from lately. */
  readonly watched: boolean;
  close(): void;
}

/** A viewer repeats itself every 2 s; background tabs are slowed to one timer a minute. */
const SILENCE_MS = 130_000;

/**
 * Lets viewer pages of the same origin follow this tab live.
 *
 * @example createLash({ provider, inspect: viewerChannel() }) // then open inspect/viewer.html in another tab
 */
export function viewerChannel(options: ViewerChannelOptions = {}): ViewerChannel {
  const now = options.now ?? Date.now;
  const history = options.history ?? 0;
  const ring = history > 0 ? new RecordRing(history) : undefined;
  let heard = Number.NEGATIVE_INFINITY;
  const watched = (): boolean => now() - heard < SILENCE_MS;

  const channel = typeof BroadcastChannel === "undefined" ? undefined : new BroadcastChannel(options.name ?? "lash-inspect");
  const origin = options.origin ?? globalThis.location?.origin ?? "null";
  const post = (message: ViewerMessage): void => {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a BroadcastChannel has no target; it stays in its origin
    channel?.postMessage(message);
    options.window?.postMessage(message, origin);
  };

  // Given here, because the tap speaks of its run before it exists.
  const run = options.run ?? crypto.randomUUID();
  const tap = createTap(
    (records) => {
      const lines = records.map((record) => (ring ? ring.add(record) : JSON.stringify(record)));
      if (watched()) post({ type: "lash.viewer.lines", run, lines });
      else if (!ring) tap.setListening(false);
    },
    { ...options, run },
    ring !== undefined,
  );

  const greet = (data: unknown): void => {
    const type = typeof data === "object" && data !== null ? (data as { type?: unknown }).type : undefined;
    if (type !== "lash.viewer.hello" && type !== "lash.viewer.here") return;
    heard = now();
    if (type !== "lash.viewer.hello") {
      if (!ring) tap.setListening(true);
      return;
    }
    if (ring) {
      tap.flush();
      post({ type: "lash.viewer.lines", run, lines: ring.lines() });
      return;
    }
    // Falling idle and waking hands on the run, the charts and all living actors, for the newcomer; others drop what they know.
    tap.setListening(false);
    tap.setListening(true);
  };
  const onChannel = (event: MessageEvent): void => greet(event.data);
  const onWindow = (event: MessageEvent): void => {
    if (event.source === options.window && event.origin === origin) greet(event.data);
  };
  channel?.addEventListener("message", onChannel);
  if (options.window) globalThis.addEventListener?.("message", onWindow);

  return {
    next: tap.next,
    get watched() {
      return watched();
    },
    close: () => {
      tap.close();
      channel?.removeEventListener("message", onChannel);
      channel?.close();
      globalThis.removeEventListener?.("message", onWindow);
    },
  };
}
