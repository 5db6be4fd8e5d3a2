// What SQLite and the file system report, as errors of this package.

import type { JsonObject } from "../../domain/json.ts";
import { LashError, runtimeError, storeError } from "../../domain/errors.ts";

/** Primary result codes, the low byte of `errcode` (https://sqlite.org/rescode.html). */
const BUSY = 5;
const LOCKED = 6;
const READONLY = 8;
const IOERR = 10;
const CORRUPT = 11;
const FULL = 13;
const CANTOPEN = 14;
const PROTOCOL = 15;
const TOOBIG = 18;
const NOTADB = 26;

/** @returns SQLite's primary result code, or undefined when something else failed. */
function resultCode(error: unknown): number | undefined {
  const errcode = error instanceof Error && "errcode" in error ? error.errcode : undefined;
  return typeof errcode === "number" ? errcode & 0xff : undefined;
}

/** Whether another connection was in the way for the moment, so that the same statement may be tried again. */
export function isBusy(error: unknown): boolean {
  const code = resultCode(error);
  return code === BUSY || code === LOCKED || code === PROTOCOL;
}

/** Whether SQLite found no database in a file, or a damaged one. */
export function isUnreadable(error: unknown): boolean {
  const code = resultCode(error);
  return code === NOTADB || code === CORRUPT;
}

/** @returns a LashError for what SQLite reported; anything else comes back as it is. */
export function fromSqlite(error: unknown, name: string): unknown {
  const code = resultCode(error);
  if (code === undefined) return error;
  const text = error instanceof Error ? error.message : String(error);
  const details = { store: name, sqliteCode: code };
  switch (code) {
    case BUSY:
    case LOCKED:
    case PROTOCOL:
      return storeError("store_unavailable", `${name} is locked by another process; this write was not made, try again later`, { cause: error, details });
    case READONLY:
      return readOnly(error, name, details);
    case CANTOPEN:
      return storeError("store_unavailable", `${name} cannot be opened; its folder has to exist and to be writable`, { cause: error, details });
    case IOERR:
      return storeError("store_unavailable", `${name}: the disk failed (${text}); this write was not made`, { cause: error, details });
    case FULL:
      return storeError("store_full", `${name} is full; this write was not made, make room and try again`, { cause: error, details });
    case NOTADB:
      return storeError("store_foreign", `${name} is not a SQLite database, or an encrypted one; nothing was changed, choose another path`, { cause: error, details });
    case CORRUPT:
      return storeError("store_backend", `${name} is damaged (${text}); restore a backup, or recover it with the sqlite3 shell`, { cause: error, details });
    case TOOBIG:
      return runtimeError("limit_exceeded", `${name} cannot keep a value that large`, { cause: error, details });
    default:
      return storeError("store_backend", `${name}: SQLite refused (${code}): ${text}`, { cause: error, details });
  }
}

/** @returns a LashError for a file that may not be written; anything else comes back as it is. */
export function fromFileSystem(error: unknown, name: string): unknown {
  const code = systemCode(error);
  return code === "EACCES" || code === "EROFS" || code === "EPERM" ? readOnly(error, name, { store: name, systemCode: code }) : error;
}

/** As `fromFileSystem`, for a copy that is written under its path. */
export function fromFileSystemOfCopy(error: unknown, path: string): unknown {
  const code = systemCode(error);
  if (code === undefined) return error;
  const details = { copy: path, systemCode: code };
  if (code === "ENOSPC" || code === "EDQUOT") return storeError("store_full", `there is no room for ${path}; no copy was made`, { cause: error, details });
  return storeError("store_unavailable", `${path} cannot be written (${code}): its folder has to exist and to be writable, on a file system with hard links; no copy was made`, { cause: error, details });
}

const systemCode = (error: unknown): string | undefined =>
  !LashError.is(error) && error instanceof Error && "code" in error && typeof error.code === "string" && /^E[A-Z]+$/.test(error.code) ? error.code : undefined;

const readOnly = (cause: unknown, name: string, details: JsonObject): LashError =>
  storeError("store_unavailable", `${name} cannot be written: the file or its folder is read-only; its sessions can be read, make it writable to go on`, {
    cause,
    details: { ...details, readOnly: true },
  });

/** Whether a file was refused because it may only be read. */
export const isReadOnly = (error: unknown): boolean => LashError.is(error) && error.isCode("store_unavailable") && error.details["readOnly"] === true;
