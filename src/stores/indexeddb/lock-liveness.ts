// Liveness of tabs: each holds a Web Lock of its own name for as long as it lives; whoever gets that lock has the proof that
// the tab is gone (OP-14). The browser frees locks of tabs that closed, crashed or were killed, at once.
//
//   W1. A name is told to others only while its lock is held, and is never held twice: once free, its owner is dead.
//   W2. Owners hold exclusively, those who ask share: two who ask never take each other for the owner.
//   W3. A tab that the browser freezes lets go, so that another can take over at once; awake again it goes by a new name.
//       What it had claimed under the old one is protected by its fence alone.

import { aborted, opaqueLiveness, type Liveness } from "../store.ts";

/** The browser's lock manager, as far as it is used here. */
export type Locks = Pick<LockManager, "request">;

/** Where the browser says that this tab is frozen or awake again: `document`; workers have none. */
export interface FreezeSource {
  addEventListener(type: "freeze" | "resume", listener: () => void): void;
  removeEventListener(type: "freeze" | "resume", listener: () => void): void;
}

export interface LockLivenessOptions {
  /** Of the store; part of the lock's name. */
  readonly storeName: string;
  /** Undefined outside secure contexts: owners are opaque then, and leases have to expire. */
  readonly locks: Locks | undefined;
  readonly page: FreezeSource | undefined;
  readonly newId: () => string;
}

export function lockLiveness({ storeName, locks, page, newId }: LockLivenessOptions): Liveness {
  if (!locks) return opaqueLiveness;
  let held: Promise<HeldLock> | undefined;
  const hold = (): Promise<HeldLock> => (held ??= holdLock(locks, `lash:${storeName}:${newId()}`));
  const letGo = (): void => {
    void held?.then((lock) => lock.release());
    held = undefined;
  };
  page?.addEventListener("freeze", letGo);
  return {
    self: async () => ({ kind: "web_lock", lockName: (await hold()).name }),
    isDead: ({ liveness }) => (liveness.kind === "web_lock" ? isFree(locks, liveness.lockName) : Promise.resolve(false)),
    death: ({ liveness }, signal) => (liveness.kind === "web_lock" ? untilFree(locks, liveness.lockName, signal) : aborted(signal)),
    close: () => {
      page?.removeEventListener("freeze", letGo);
      letGo();
    },
  };
}

interface HeldLock {
  readonly name: string;
  readonly release: () => void;
}

function holdLock(locks: Locks, name: string): Promise<HeldLock> {
  return new Promise((resolve, reject) => {
    const held = locks.request(name, () => new Promise<void>((release) => resolve({ name, release })));
    held.catch(reject);
  });
}

const isFree = (locks: Locks, name: string): Promise<boolean> =>
  locks.request(name, { mode: "shared", ifAvailable: true }, (lock) => lock !== null);

const untilFree = async (locks: Locks, name: string, signal: AbortSignal): Promise<void> => {
  await locks.request(name, { mode: "shared", signal }, () => undefined);
};
