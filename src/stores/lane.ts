// One after another, in the order of arrival.

export class Lane {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs `task` when every task given before it has settled. */
  run<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#last.then(task);
    this.#last = result.catch(() => {});
    return result;
  }
}
