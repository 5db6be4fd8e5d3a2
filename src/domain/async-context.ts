// A value that goes along with what a body does, also after it has waited: AsyncLocalStorage, where there is one.

export interface AsyncContext<T> {
  /** Undefined outside of every `run`. */
  readonly value: T | undefined;
  run<R>(value: T, body: () => R): R;
}

interface Storage<T> {
  getStore(): T | undefined;
  run<R>(value: T, body: () => R): R;
}

export type StorageClass = new <T>() => Storage<T>;

/** Node's, Deno's and Bun's. Asked for at run time and not imported: bundles for pages must not know of it. */
const native = (): StorageClass | undefined =>
  (globalThis as { process?: Partial<NodeJS.Process> }).process?.getBuiltinModule?.("node:async_hooks")?.AsyncLocalStorage;

/** @param find - where there is none, as in pages, the value is there until the body returns or waits for the first time. */
export function asyncContext<T>(find: () => StorageClass | undefined = native): AsyncContext<T> {
  let made: Storage<T> | undefined;
  const storage = (): Storage<T> => {
    if (made) return made;
    const Class = find();
    return (made = Class ? new Class<T>() : whileItRuns());
  };
  return {
    get value() {
      // Nothing has been run yet: most processes never ask.
      return made?.getStore();
    },
    run: (value, body) => storage().run(value, body),
  };
}

function whileItRuns<T>(): Storage<T> {
  let current: T | undefined;
  return {
    getStore: () => current,
    run: (value, body) => {
      const before = current;
      current = value;
      try {
        return body();
      } finally {
        current = before;
      }
    },
  };
}
