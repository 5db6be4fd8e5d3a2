import { invalidArgument, refuseUnknown } from "../../domain/invalid-argument.ts";
import { missingAttachmentStore } from "../../domain/wiring-errors.ts";
import type { AttachmentHome } from "../attachment-home.ts";
import { attachmentsIn } from "../persistence/attachments-in-home.ts";
import type { Store } from "../store.ts";
import { backup } from "./backup.ts";
import { sqliteEngine, type SqliteOptions } from "./index.ts";
import { processLiveness } from "./process-liveness.ts";

export type { AttachmentHome } from "../attachment-home.ts";
export { backup, type BackupReport } from "./backup.ts";
export { directory } from "../directory/index.ts";
export { sqliteEngine, type SqliteOptions } from "./index.ts";

export interface SqliteStoreOptions extends SqliteOptions {
  /**
   * Where the bytes of images live, such as `directory("agents.blobs")`; default: in the file. A file that was written with a
   * home has to be opened with it; bytes that are in the file already stay there.
   */
  readonly attachments?: AttachmentHome;
}

/**
 * A store in one SQLite file; processes on one machine may share it. The file is made when missing.
 *
 * @throws LashError `invalid_argument` - a path that names no file, options that do not exist or do not fit.
 * @throws LashError `missing_attachment_store` - `attachments` is null.
 */
export function sqlite(path: string, options?: Omit<SqliteStoreOptions, "path">): Store;
export function sqlite(options: SqliteStoreOptions): Store;
export function sqlite(pathOrOptions: string | SqliteStoreOptions, more: Omit<SqliteStoreOptions, "path"> = {}): Store {
  const given = typeof pathOrOptions === "string" ? { path: pathOrOptions, ...more } : pathOrOptions;
  refuseUnknown(given, ["path", "busyTimeoutMs", "maxBytes", "missingLog", "attachments"], "sqlite options");
  const { attachments, ...options } = given;
  return { engine: sqliteEngine(options), liveness: processLiveness, ...(attachments !== undefined && { attachments: attachmentsIn(checked(attachments)) }) };
}

/** The function `backup` of this entry, for those who look for it here. */
sqlite.backup = backup;

function checked(home: AttachmentHome | null): AttachmentHome {
  if (home === null) throw missingAttachmentStore();
  const fits = (["put", "get", "delete"] as const).every((name) => typeof (home as Partial<AttachmentHome>)[name] === "function");
  if (!fits) throw invalidArgument("attachments", "made by directory(path), or an AttachmentHome of your own");
  return home;
}
