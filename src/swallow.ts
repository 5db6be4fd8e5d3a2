// Sinks of hosts.

/** @internal A broken sink never changes the outcome (T-46). */
export async function swallow<Told extends readonly unknown[]>(sink: (...told: Told) => void | Promise<void>, ...told: Told): Promise<void> {
  try {
    await sink(...told);
  } catch {
    // There is nobody to tell.
  }
}
