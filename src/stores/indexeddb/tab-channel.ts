// Messages between the tabs of one origin that use the same database.

import type { Json } from "../../domain/json.ts";
import type { PeerChannel } from "../store.ts";

/** @returns undefined where the browser has no BroadcastChannel. */
export function tabChannel(storeName: string): PeerChannel | undefined {
  if (typeof BroadcastChannel === "undefined") return undefined;
  const name = `lash:${storeName}`;
  let channel: BroadcastChannel | undefined = new BroadcastChannel(name);
  const listeners = new Set<(message: unknown) => void>();
  channel.addEventListener("message", ({ data }: MessageEvent) => {
    for (const listener of listeners) listener(data);
  });
  return {
    post: (message: Json) => {
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a BroadcastChannel has no target; it stays in its origin
      channel?.postMessage(message);
    },
    listen: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: () => {
      channel?.close();
      channel = undefined;
      listeners.clear();
    },
  };
}
