// The `logger` option (FA-78): what it is told, the default one, and the guard around a host's own.

export type LogLevel = "debug" | "info" | "warn" | "error";

/** One line of a log. It never carries payloads or secrets. */
export interface LogRecord {
  readonly level: LogLevel;
  /** Stable name to filter by, `noun.verb`, such as `live_replay.append_failed`. */
  readonly event: string;
  readonly message: string;
  readonly sessionId?: string;
  /** Wire code of the error behind the record, where there is one. */
  readonly code?: string;
}

/** Called synchronously and not awaited: it must return fast. What it throws or rejects with is ignored. */
export type Logger = (record: LogRecord) => void;

/** The default: warnings and errors go to the console, the rest nowhere. */
export const consoleLogger: Logger = ({ level, event, message, sessionId, code }) => {
  if (level !== "warn" && level !== "error") return;
  const context = [sessionId && `session ${sessionId}`, code].filter(Boolean).join(", ");
  // oxlint-disable-next-line no-console -- the one place that writes to the console, and only until a host says otherwise
  console[level](`[lash] ${event}: ${message}${context && ` (${context})`}`);
};

/** Makes a host's logger harmless: neither a throw nor a rejected promise reaches the turn that logged. */
export const safeLogger =
  (logger: Logger): Logger =>
  (record) => {
    try {
      const answer: unknown = logger(record);
      if (answer instanceof Promise) answer.catch(ignore);
    } catch {
      // FA-78: there is nowhere left to report it.
    }
  };

const ignore = (): void => {};
