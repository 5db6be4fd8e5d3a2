// Buffer copy: keeps this runtime's buffer of a session like that of the runtime that drives, place for place (OP-16).
//
//   Y1. What is shown is as new as what the driver had committed at that place, or nothing is copied (O-16).
//   Y2. What got lost on the way is a hole, and a hole is a gap: nothing before it is kept.

import { parseCursor } from "../domain/session-cursor.ts";
import type { ObservationPayload } from "../observe/contract.ts";
import type { Standing, ToldEvent } from "./peer-message.ts";
import type { Publisher } from "./publisher.ts";
import type { Resident } from "./resident.ts";

type ToldActivity = Extract<ObservationPayload, { type: "turn_activity" }>;

export class BufferCopy {
  readonly #publisher: Publisher;
  readonly #read: (revision: number) => Promise<Resident | undefined>;

  /** @param read - what was committed as of a revision; undefined where it cannot be read now. */
  constructor(publisher: Publisher, read: (revision: number) => Promise<Resident | undefined>) {
    this.#publisher = publisher;
    this.#read = read;
  }

  /** Goes to where the other buffer stands; at once, unless something has to be read. @returns false where that cannot be. */
  follow(from: Standing): boolean | Promise<boolean> {
    const publisher = this.#publisher;
    if (!publisher.isCopy && parseCursor(publisher.cursor).incarnation === from.incarnation) return false;
    if (from.revision <= publisher.revision) {
      publisher.follow(from);
      return true;
    }
    return this.#read(from.revision).then((resident) => {
      if (resident) publisher.follow(from, resident);
      return resident !== undefined;
    });
  }

  /** Appends what is not known yet. @param onActivity - told of activities that are. */
  take(incarnation: string, told: readonly ToldEvent[], onActivity: (activity: ToldActivity) => void): Promise<void> | void {
    const publisher = this.#publisher;
    for (const [index, { position, payload }] of told.entries()) {
      if (position <= parseCursor(publisher.cursor).position) continue;
      const place = { incarnation, position };
      if (payload.type === "committed") {
        return this.#read(payload.revision).then((resident) => {
          // What comes after it would be shown without it: the next message finds that it is missing.
          if (!resident) return undefined;
          publisher.publish(resident, place);
          return this.take(incarnation, told.slice(index + 1), onActivity);
        });
      }
      publisher.append(payload, place);
      if (payload.type === "turn_activity") onActivity(payload);
    }
    return undefined;
  }
}
