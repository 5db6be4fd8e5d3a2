import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ERROR_CODES, RESERVED_ERROR_CODES } from "../../src/domain/error-codes.ts";
import { familyOf } from "../../src/domain/error-traits.ts";
import { LashError, runtimeError, storeError } from "../../src/domain/errors.ts";

const KNOWN = [...Object.entries(ERROR_CODES), ...Object.entries(RESERVED_ERROR_CODES)].flatMap(([family, codes]) => codes.map((code) => ({ family, code })));
const FACETS = KNOWN.map(({ code }) => code).filter((code) => code.startsWith("durable_store_required:"));

const codeThrownBy = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    return LashError.is(error) ? error.code : "not a LashError";
  }
  return "nothing thrown";
};

describe("shape", () => {
  const cause = new Error("disk on fire");
  const error = storeError("head_revision_conflict", "stored 4, expected 3", { details: { expected: 3, actual: 4 }, cause });

  test("ER-20 a LashError is a real Error with name, stack and cause", () => {
    expect(error).toBeInstanceOf(Error);
    expect(error.name).toBe("LashError");
    expect(error.stack).toContain("errors.test.ts");
    expect(error.cause).toBe(cause);
    expect(error.family).toBe("store");
  });

  test("ER-1 ER-20 it displays as code and message", () => {
    expect(String(error)).toBe("head_revision_conflict: stored 4, expected 3");
  });

  test("ER-20 its JSON form has code, message and details, and neither stack nor cause", () => {
    expect(JSON.parse(JSON.stringify(error))).toEqual({
      code: "head_revision_conflict",
      message: "stored 4, expected 3",
      details: { expected: 3, actual: 4 },
    });
  });

  test("ER-20 its JSON form omits details that carry nothing", () => {
    expect(runtimeError("unknown_turn", "drive failed").toJSON()).toEqual({ code: "unknown_turn", message: "drive failed" });
  });

  test("ER-2 isCode compares codes, known or not", () => {
    expect(error.isCode("head_revision_conflict")).toBe(true);
    expect(error.isCode("store_backend")).toBe(false);
    expect(LashError.fromJSON({ code: "from_the_future", message: "" }).isCode("from_the_future")).toBe(true);
  });

  test("an error without a cause has no `cause` property", () => {
    expect("cause" in runtimeError("unknown_turn", "")).toBe(false);
  });
});

describe("LashError.is", () => {
  test("recognises an error of a second installed copy", () => {
    class SecondCopy extends Error {
      get [Symbol.for("lash-runtime.LashError")](): true {
        return true;
      }
    }
    expect(LashError.is(new SecondCopy())).toBe(true);
    expect(LashError.is(runtimeError("unknown_turn", ""))).toBe(true);
  });

  test.each([[null], [undefined], ["session_execution_busy"], [new Error("x")], [{ code: "queued_work", message: "x" }]])(
    "refuses %s",
    (value) => {
      expect(LashError.is(value)).toBe(false);
    },
  );
});

describe("round trip", () => {
  test.each(KNOWN)("ER-2 ER-20 $code keeps its code, family and predicates", ({ family, code }) => {
    const parsed = LashError.fromJSON(JSON.parse(JSON.stringify({ code, message: "m" })));
    expect([parsed.code, parsed.family, parsed.message]).toEqual([code, family, "m"]);
    expect(LashError.fromJSON(parsed.toJSON())).toEqual(parsed);
  });

  test("ER-3 there are five facets, each with its code, all of the runtime", () => {
    expect(FACETS).toHaveLength(5);
    expect(FACETS.map(familyOf)).toEqual(FACETS.map(() => "runtime"));
  });

  test("ER-3 ER-19 an unknown facet stays an unknown code: neither terminal nor retryable", () => {
    const parsed = LashError.fromJSON({ code: "durable_store_required:vector_store", message: "" });
    expect(parsed.code).toBe("durable_store_required:vector_store");
    expect([parsed.isTerminal, parsed.isRetryable]).toEqual([false, false]);
  });

  test("ER-2 every string survives as a code, with its details", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.string(), fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 }), (code, message, details) => {
        const json = { code, message, details };
        expect(LashError.fromJSON(json).toJSON()).toEqual(json);
      }),
    );
  });

  test.each([[{}], [{ code: 7, message: "m" }], [{ message: "m" }], [null], ["queued_work"], [[]]])(
    "ER-20 %j is rejected: no string code",
    (value) => {
      expect(codeThrownBy(() => LashError.fromJSON(value))).toBe("json_invalid");
    },
  );

  test("a message or details of another type count as absent", () => {
    expect(LashError.fromJSON({ code: "queued_work", message: "", details: { run: () => 0 } }).details).toEqual({});
    expect(LashError.fromJSON({ code: "queued_work", message: 3, details: [] }).toJSON()).toEqual({ code: "queued_work", message: "" });
  });
});

describe("predicates", () => {
  /** ER-17. */
  const RETRYABLE = ["session_execution_busy", "session_execution_lease_lost"];
  /** ER-18: runtime and session codes, column T of errors.md section 5, S-88, OP-18. */
  const TERMINAL = [
    ...FACETS,
    "missing_execution_scope_id",
    "execution_scope_turn_id_mismatch",
    "missing_process_execution_id",
    "durable_effect_live_protocol_extension",
    "durable_effect_live_plugin_input",
    "provider_mismatch",
    "provider_unconfigured",
    "provider_unavailable",
    "code_execution_unavailable",
    "persistent_store_required",
    "missing_protocol_plugin",
    "missing_model_spec",
    "missing_effect_host",
    "missing_attachment_store",
    "missing_process_env_store",
    "missing_process_worker_store_factory",
    "missing_process_registry",
    "missing_session_store_factory",
    "missing_child_sessions",
    "missing_plugin_turn_input",
    "store_session_mismatch",
    "durable_store_peer_required",
    "durable_process_registry_requires_store_factory",
    "process_registry_requires_store_factory",
    "durable_effect_host_requires_handler_context",
    "static_turn_stream_requires_static_effect_host",
    "session_id_retired",
    "session_fact_pinned",
    "machine_version_unsupported",
    "stored_row_invalid",
    "store_foreign",
    "store_log_missing",
    "store_version_unsupported",
  ];
  /** ER-19, ER-22, OP-18: named as neither. */
  const NEITHER = [
    "store_commit_failed",
    "store_factory",
    "session_delete_process",
    "session_still_in_use",
    "trace_flush",
    "plugin",
    "remote_protocol",
    "control",
    "protocol_turn_options",
    "decode_protocol_turn_options",
    "store_full",
    "store_unavailable",
    "turn_step_conflict",
    "limit_exceeded",
  ];
  const errorOf = (code: string): LashError => LashError.fromJSON({ code, message: "" });

  test("ER-17 retryable are exactly busy and lease lost", () => {
    expect(KNOWN.map(({ code }) => code).filter((code) => errorOf(code).isRetryable)).toEqual(RETRYABLE);
  });

  test("ER-18 OP-18 terminal are exactly the listed codes", () => {
    const terminal = KNOWN.map(({ code }) => code).filter((code) => errorOf(code).isTerminal);
    expect(terminal.toSorted()).toEqual(TERMINAL.toSorted());
  });

  test("ER-19 no code, known or not, is both", () => {
    expect(KNOWN.filter(({ code }) => errorOf(code).isRetryable && errorOf(code).isTerminal)).toEqual([]);
    fc.assert(
      fc.property(fc.string(), (code) => {
        expect([errorOf(code).isRetryable, errorOf(code).isTerminal]).toEqual([false, false]);
      }),
    );
  });

  test.each(NEITHER)("ER-19 ER-22 %s is neither", (code) => {
    expect([errorOf(code).isRetryable, errorOf(code).isTerminal]).toEqual([false, false]);
  });
});

describe("codes", () => {
  test("every code stands once, raised or reserved", () => {
    const codes = KNOWN.map(({ code }) => code);
    expect(codes.filter((code, index) => codes.indexOf(code) !== index)).toEqual([]);
  });

  test("codes are snake_case", () => {
    expect(KNOWN.filter(({ code }) => !/^[a-z]+(_[a-z]+)*(:[a-z_]+)?$/.test(code))).toEqual([]);
  });

  test.each(["journaled_effect_replay_hash_conflict", "restate_effect_replay_key_missing"])("%s belongs to effects", (code) => {
    expect(familyOf(code)).toBe("effect");
  });
});
