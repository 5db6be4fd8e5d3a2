// Store: what a host hands to createLash. An engine, what this place can find out about owners of leases, and, where several
// runtimes may look at one session, how they tell each other what happens.

import type { Json } from "../domain/json.ts";
import type { Engine } from "./engine.ts";
import type { Liveness } from "./liveness.ts";
import type { BytesPlace } from "./persistence/attachment-bytes.ts";

export { aborted, type Liveness, opaqueLiveness } from "./liveness.ts";

/**
 * Carries messages between the runtimes that share a store. A message is a hint and may get lost: rows are the truth.
 * Never comes back to its sender.
 */
export interface PeerChannel {
  /** Must not throw; where it cannot send, it does not. */
  post(message: Json): void;
  /** What arrives is foreign: check it. @returns what stops it. */
  listen(listener: (message: unknown) => void): () => void;
  close(): void;
}

export interface Store {
  readonly engine: Engine;
  readonly liveness: Liveness;
  /** Left out where nobody watches live, as between processes on a server. */
  readonly peers?: PeerChannel;
  /** Where the bytes of attachments live; left out: in the engine, with everything else. */
  readonly attachments?: BytesPlace;
}
