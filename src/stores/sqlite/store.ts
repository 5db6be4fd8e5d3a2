import type { Store } from "../store.ts";
import { sqliteEngine, type SqliteOptions } from "./index.ts";
import { processLiveness } from "./process-liveness.ts";

export { sqliteEngine, type SqliteOptions } from "./index.ts";

/**
 * A store in one SQLite file; processes on one machine may share it. The file is made when missing.
 *
 * @throws LashError `invalid_argument` - a path that names no file.
 */
export const sqlite = (pathOrOptions: string | SqliteOptions): Store => ({ engine: sqliteEngine(pathOrOptions), liveness: processLiveness });
