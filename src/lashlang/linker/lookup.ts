/** Reads an entry of a record whose keys are data: `constructor` and `toString` are names like any other. */
export function lookup<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}
