// One after another, in the order of arrival.

export class Lane {
  #last: Promise<unknown> = Promise.resolve();
  #size = 0;

  /** Tasks that wait or run. */
  get size(): number {
    return this.#size;
  }

  /** Runs `task` when every task given before it has settled. */
  run<T>(task: () => Promise<T>): Promise<T> {
    this.#size++;
    const result = this.#last.then(task);
    const leave = (): void => {
      this.#size--;
    };
    this.#last = result.then(leave, leave);
    return result;
  }
}
