import { nanoid } from "nanoid";
import type { Store } from "../store.ts";
import { indexedDbEngine, type IndexedDbOptions } from "./index.ts";
import { lockLiveness } from "./lock-liveness.ts";
import { tabChannel } from "./tab-channel.ts";

export { indexedDbEngine, type IndexedDbOptions } from "./index.ts";

/**
 * A store in the browser, shared by the tabs and workers of one origin: one of them drives a session, the others watch it
 * live and finish its turn when the driver is closed, crashes or is frozen. To be given to one `createLash`.
 *
 * Tabs know of each other's end at once through Web Locks, which need a secure context (https or localhost); elsewhere a
 * crashed tab's session is free after its lease, 30 seconds by default.
 *
 * @param nameOrOptions - name of the database; it is made when missing.
 * @throws LashError `invalid_argument` - an empty name.
 */
export function indexedDb(nameOrOptions: string | IndexedDbOptions): Store {
  const engine = indexedDbEngine(nameOrOptions);
  const peers = tabChannel(engine.name);
  const { locks } = globalThis.navigator as { readonly locks?: LockManager };
  const page = typeof document === "undefined" ? undefined : document;
  return {
    engine,
    liveness: lockLiveness({ storeName: engine.name, locks, page, newId: nanoid }),
    ...(peers && { peers }),
  };
}
