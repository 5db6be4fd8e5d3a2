import { afterEach, describe, expect, test, vi } from "vitest";
import { consoleLogger, type Logger, type LogRecord, safeLogger } from "../../src/domain/logger.ts";

const record: LogRecord = { level: "warn", event: "live_replay.append_failed", message: "closed", sessionId: "s1", code: "live_replay_closed" };

describe("consoleLogger", () => {
  const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
  const error = vi.spyOn(console, "error").mockImplementation(() => {});
  const others = (["log", "info", "debug"] as const).map((method) => vi.spyOn(console, method).mockImplementation(() => {}));
  afterEach(() => {
    vi.clearAllMocks();
  });

  test("FA-78 a warning is one line with event, message, session and code", () => {
    consoleLogger(record);
    expect(warn.mock.calls).toEqual([["[lash] live_replay.append_failed: closed (session s1, live_replay_closed)"]]);
  });

  test("FA-78 an error without session or code has no brackets", () => {
    consoleLogger({ level: "error", event: "a.b", message: "m" });
    expect(error.mock.calls).toEqual([["[lash] a.b: m"]]);
  });

  test("FA-78 info and debug go nowhere", () => {
    consoleLogger({ ...record, level: "info" });
    consoleLogger({ ...record, level: "debug" });
    expect([warn, error, ...others].flatMap((spy) => spy.mock.calls)).toEqual([]);
  });
});

describe("safeLogger", () => {
  test("FA-78 passes records on as they are", () => {
    const seen: LogRecord[] = [];
    safeLogger((line) => seen.push(line))(record);
    expect(seen).toEqual([record]);
  });

  test("FA-78 a throwing logger is ignored", () => {
    const throwing: Logger = () => {
      throw new Error("disk full");
    };
    expect(() => safeLogger(throwing)(record)).not.toThrow();
  });

  test("FA-78 a rejecting logger is ignored: no unhandled rejection", async () => {
    const unhandled = vi.fn<() => void>();
    process.on("unhandledRejection", unhandled);
    const rejecting = async (): Promise<void> => {
      throw new Error("network down");
    };
    safeLogger(rejecting as Logger)(record);
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    process.off("unhandledRejection", unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });
});
