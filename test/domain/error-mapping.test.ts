import { describe, expect, test } from "vitest";
import { ERROR_CODES } from "../../src/domain/error-codes.ts";
import { errorText, runtimeErrorOfLeaseClaim, runtimeErrorOfStore, traceFlushError } from "../../src/domain/error-mapping.ts";
import { runtimeError, storeError } from "../../src/domain/errors.ts";

describe("store errors become runtime errors", () => {
  test.each(ERROR_CODES.store)("ER-4 %s", (code) => {
    const error = storeError(code, "no", { details: { sessionId: "s" } });
    const mapped = runtimeErrorOfStore(error);
    expect(mapped.code).toBe(code === "session_execution_lease_expired" ? "session_execution_lease_lost" : "store_commit_failed");
    expect([mapped.family, mapped.message, mapped.cause]).toEqual(["runtime", "no", error]);
    expect(mapped.details).toEqual({ sessionId: "s", causeCode: code });
  });

  test("ER-4 a foreign exception of a store is store_commit_failed", () => {
    const io = new Error("EIO");
    expect(runtimeErrorOfStore(io)).toMatchObject({ code: "store_commit_failed", message: "EIO", cause: io });
    expect(runtimeErrorOfStore("gone")).toMatchObject({ code: "store_commit_failed", message: "gone", cause: "gone" });
  });

  test("an error that is no store's passes through", () => {
    const busy = runtimeError("session_execution_busy", "held");
    expect(runtimeErrorOfStore(busy)).toBe(busy);
  });

  test("ER-4 any error while claiming the lease is store_commit_failed", () => {
    expect(runtimeErrorOfLeaseClaim(storeError("session_execution_lease_expired", "gone")).code).toBe("store_commit_failed");
    expect(runtimeErrorOfLeaseClaim(new Error("EIO")).code).toBe("store_commit_failed");
  });
});

describe("a trace that cannot be flushed", () => {
  test("ER-21 answers as the error that stopped it does, and keeps it", () => {
    const busy = runtimeError("session_execution_busy", "held by a", { details: { owner: "a" } });
    const foreign = storeError("store_foreign", "not ours");
    expect(traceFlushError(busy)).toMatchObject({ code: "session_execution_busy", details: { owner: "a" }, isRetryable: true, isTerminal: false, cause: busy });
    expect(traceFlushError(foreign)).toMatchObject({ code: "store_foreign", family: "trace", message: "trace flush: not ours", isRetryable: false, isTerminal: true, cause: foreign });
  });

  test("ER-21 ER-22 has its own code over an error without one, and no typed signal", () => {
    const inner = new Error("sink closed");
    expect(traceFlushError(inner)).toMatchObject({ code: "trace_flush", message: "trace flush: sink closed", isRetryable: false, isTerminal: false, cause: inner });
  });
});

test("errorText reads the message of errors and the text of anything else", () => {
  expect([new Error("a"), "b", 3, undefined, null].map(errorText)).toEqual(["a", "b", "3", "undefined", "null"]);
});
