// Tabs without a browser: channels that hear each other, and liveness that a test ends.

import type { LeaseOwner } from "../../src/stores/contract.ts";
import { aborted, type Liveness, type PeerChannel } from "../../src/stores/store.ts";

/** Channels that deliver at once and by value, never to the sender. */
export function peerBus(): { join(): PeerChannel; /** The next message gets lost. */ loseNext(): void } {
  let isLosing = false;
  const members = new Map<PeerChannel, Set<(message: unknown) => void>>();
  return {
    loseNext: () => void (isLosing = true),
    join() {
      const listeners = new Set<(message: unknown) => void>();
      const channel: PeerChannel = {
        post: (message) => {
          if (isLosing) return void (isLosing = false);
          for (const [member, theirs] of members) if (member !== channel) for (const listener of theirs) listener(structuredClone(message));
        },
        listen: (listener) => {
          listeners.add(listener);
          return () => listeners.delete(listener);
        },
        close: () => void members.delete(channel),
      };
      members.set(channel, listeners);
      return channel;
    },
  };
}

/** Owners that live until they are killed by name. */
export function mortals(): { liveness(name: string): Liveness; kill(name: string): void } {
  const deaths = new Map<string, PromiseWithResolvers<void>>();
  const dead = new Set<string>();
  const deathOf = (name: string): PromiseWithResolvers<void> => {
    const death = deaths.get(name) ?? Promise.withResolvers<void>();
    deaths.set(name, death);
    return death;
  };
  const nameOf = ({ liveness }: LeaseOwner): string => (liveness.kind === "web_lock" ? liveness.lockName : "");
  return {
    liveness: (name) => ({
      self: () => Promise.resolve({ kind: "web_lock", lockName: name }),
      isDead: (owner) => Promise.resolve(dead.has(nameOf(owner))),
      death: (owner, signal) => Promise.race([deathOf(nameOf(owner)).promise, aborted(signal)]),
      close: () => undefined,
    }),
    kill(name) {
      dead.add(name);
      deathOf(name).resolve();
    },
  };
}
