// One after another, in the order of arrival.

export class Lane {
  readonly #waiting: (() => void)[] = [];
  #size = 0;

  /** Tasks that wait or run. */
  get size(): number {
    return this.#size;
  }

  /**
   * Runs `task` when every task given before it has settled, and not before its caller has come to an end: whoever comes in the
   * same moment is counted. A plain function costs no more than the promise that is returned.
   */
  run<T>(task: () => T | Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.push(() => this.#start(task, resolve, reject));
      this.#size++;
      if (this.#size === 1) this.#startNext();
    });
  }

  #startNext(): void {
    const next = this.#waiting.shift();
    if (next !== undefined) queueMicrotask(next);
  }

  #start<T>(task: () => T | Promise<T>, resolve: (result: T) => void, reject: (error: unknown) => void): void {
    const leaveAnd = <Result>(settle: (result: Result) => void) => (result: Result): void => {
      this.#size--;
      this.#startNext();
      settle(result);
    };
    let given: T | Promise<T>;
    try {
      given = task();
    } catch (error) {
      leaveAnd(reject)(error);
      return;
    }
    if (given instanceof Promise) given.then(leaveAnd(resolve), leaveAnd(reject));
    else leaveAnd(resolve)(given);
  }
}
