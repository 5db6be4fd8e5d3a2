// A mark outside of IndexedDB that a database was there, so that a new one in its place is noticed. Browsers throw databases
// away: when the disk is full, and Chromium when it died in the middle of a write (docs/testing.md). Best effort: workers and
// sandboxed frames have no place for the mark, and whoever clears all data of a site clears it, too.

const keyOf = (database: string): string => `lash-runtime:${database}`;

/** Says that the database is there. @returns whether it is known to have been there before. */
export const markDatabase = (database: string): boolean =>
  withStorage((storage) => {
    if (storage.getItem(keyOf(database)) !== null) return true;
    storage.setItem(keyOf(database), "");
    return false;
  });

/** Somebody deleted it on purpose. */
export const unmarkDatabase = (database: string): boolean =>
  withStorage((storage) => {
    storage.removeItem(keyOf(database));
    return true;
  });

function withStorage(use: (storage: Storage) => boolean): boolean {
  try {
    const { localStorage } = globalThis as { readonly localStorage?: Storage };
    return localStorage !== undefined && use(localStorage);
  } catch {
    // Not allowed here, or full: then nothing is known.
    return false;
  }
}
