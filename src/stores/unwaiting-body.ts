// E4 for engines whose operations answer at once: a body that awaits nothing else settles within microtasks, so one that is
// still running when a timer fires waits for something foreign. It would hold the writers' lane, or SQLite's write lock, for
// as long as that takes, and on IndexedDB its transaction would be gone. It is refused here as well, so that tests against
// memory find it.

import { runtimeError } from "../domain/errors.ts";

const running = new Set<(reason: Error) => void>();
let armed = false;

/** Runs a body. What a plain function gives comes as it is; an async one must not wait for anything else. */
export function runBody<T>(body: () => T | Promise<T>): T | Promise<T> {
  const given = body();
  return given instanceof Promise ? settleWithoutWaiting(() => given) : given;
}

/**
 * Settles as `body()` does.
 *
 * @throws LashError `invalid_argument` - the body waited for something other than its transaction (E4). The body itself
 *   cannot be stopped; the caller has to close its transaction.
 */
export function settleWithoutWaiting<T>(body: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    running.add(reject);
    if (!armed) {
      armed = true;
      setTimeout(refuseAll, 0);
    }
    body().then(
      (value) => {
        running.delete(reject);
        return resolve(value);
      },
      (error: unknown) => {
        running.delete(reject);
        return reject(error);
      },
    );
  });
}

function refuseAll(): void {
  armed = false;
  for (const reject of running) {
    reject(
      runtimeError(
        "invalid_argument",
        "the body of a transaction waited for something else (a timer, a fetch, another transaction); do that before or after it",
      ),
    );
  }
  running.clear();
}
