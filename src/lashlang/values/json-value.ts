/** Data as JSON has it. Objects are plain; a key `__proto__` is an own property like any other. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Adds a property whatever its name is: a plain assignment to `__proto__` would set the prototype. */
export function setOwn<T>(target: Record<string, T>, key: string, value: T): void {
  if (key === "__proto__") {
    Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
  } else target[key] = value;
}
