import { describe, expect, test } from "vitest";
import { ERROR_CODES } from "../../src/domain/error-codes.ts";
import { effectErrorJson, errorText, runtimeErrorOfLeaseClaim, runtimeErrorOfStore, wrapError } from "../../src/domain/error-mapping.ts";
import { LashError, pluginError, runtimeError, sessionError, storeError } from "../../src/domain/errors.ts";

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

describe("effect boundary", () => {
  test.each([...ERROR_CODES.effect, ...ERROR_CODES.runtime, "journaled_effect_replay_missing", "my_plugin_says_no"])(
    "ER-5 %s crosses and comes back with the same code",
    (code) => {
      const error = LashError.fromJSON({ code, message: "m", details: { turnId: "t" } });
      expect(LashError.fromJSON(effectErrorJson(error))).toEqual(error);
    },
  );

  test("ER-5 store and plugin errors cross under the code of their channel", () => {
    expect(effectErrorJson(storeError("store_full", "no room"))).toEqual({
      code: "runtime_store",
      message: "no room",
      details: { causeCode: "store_full" },
    });
    expect(effectErrorJson(pluginError("plugin_invoke", "threw"))).toEqual({
      code: "plugin",
      message: "threw",
      details: { causeCode: "plugin_invoke" },
    });
  });

  test("ER-5 a second crossing changes nothing", () => {
    const once = effectErrorJson(storeError("store_full", "no room"));
    expect(effectErrorJson(LashError.fromJSON(once))).toEqual(once);
  });

  test("E-7 a foreign exception crosses as runtime_effect_controller, without its stack", () => {
    expect(effectErrorJson(new TypeError("x is not a function"))).toEqual({ code: "runtime_effect_controller", message: "x is not a function" });
  });
});

describe("wrappers", () => {
  const WRAPPERS = ["session", "runtime", "plugin", "remote_protocol", "control", "trace_flush"] as const;

  test.each(WRAPPERS)("ER-21 %s answers as the inner error does and keeps it", (wrapper) => {
    const busy = runtimeError("session_execution_busy", "held by a", { details: { owner: "a" } });
    const unavailable = sessionError("provider_unavailable", "no such provider");
    expect(wrapError(wrapper, busy)).toMatchObject({
      code: "session_execution_busy",
      details: { owner: "a" },
      isRetryable: true,
      isTerminal: false,
      cause: busy,
    });
    expect(wrapError(wrapper, unavailable)).toMatchObject({ isRetryable: false, isTerminal: true, cause: unavailable });
  });

  test.each(WRAPPERS)("ER-21 ER-22 %s has its own code over an error without one, and no typed signal", (wrapper) => {
    const inner = new Error("boom");
    const error = wrapError(wrapper, inner);
    expect(error).toMatchObject({ code: wrapper, isRetryable: false, isTerminal: false, cause: inner });
    expect(LashError.fromJSON(error.toJSON()).family).toBe(error.family);
  });

  test("ER-21 the message names the family and repeats the inner text", () => {
    expect(wrapError("trace_flush", new Error("sink closed")).message).toBe("trace flush: sink closed");
  });

  test("wrapping twice keeps the innermost code", () => {
    expect(wrapError("control", wrapError("session", storeError("store_foreign", "not ours")))).toMatchObject({
      code: "store_foreign",
      message: "control: session: not ours",
      isTerminal: true,
    });
  });
});

test("errorText reads the message of errors and the text of anything else", () => {
  expect([new Error("a"), "b", 3, undefined, null].map(errorText)).toEqual(["a", "b", "3", "undefined", "null"]);
});
