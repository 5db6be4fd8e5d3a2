import { describe, expect, test } from "vitest";
import { createArtifactStore, createMemoryBytes } from "../../../src/lashlang/artifact/artifact-store.ts";
import { artifactOf } from "../../../src/lashlang/artifact/module-artifact.ts";
import { ProgramCache } from "../../../src/lashlang/cache/program-cache.ts";
import { fixtureEnvironment } from "../../../src/lashlang/cases/fixture-environment.ts";
import { prepareProcess, processInputOf, processOutcomeOf, type ProcessInput } from "../../../src/lashlang/session/process-input.ts";
import { startProcess } from "../../../src/lashlang/session/process.ts";
import { renderRuntimeError } from "../../../src/lashlang/vm/error-report.ts";
import { Vm } from "../../../src/lashlang/vm/vm.ts";
import { cell, linked, park, runThrough } from "./harness.ts";

const SOURCE = "process p(n: int, t: Tools) { finish [n, t.echo({ value: n })?] }\nh = start p(n: 4, t: tools)";
const environment = fixtureEnvironment();

async function stored(): Promise<{ input: ProcessInput; host: Parameters<typeof prepareProcess>[1] }> {
  const store = createArtifactStore();
  await store.putModule(artifactOf(linked(SOURCE)));
  const { op } = park(Vm.start(cell(SOURCE)));
  if (op.kind !== "StartProcess") throw new Error("expected a start");
  return { input: JSON.parse(JSON.stringify(processInputOf(op))) as ProcessInput, host: { store, environment } };
}

const codeOf = async (input: unknown, host: Parameters<typeof prepareProcess>[1]): Promise<string> => {
  const prepared = await prepareProcess(input, host);
  return prepared.ok ? "ok" : prepared.failure.code;
};

describe("the stored input of a process (LL-96)", () => {
  test("runs from the artifact alone, after the cell is gone", async () => {
    const { input, host } = await stored();
    const prepared = await prepareProcess(input, host);
    if (!prepared.ok) throw new Error(prepared.failure.message);
    const { outcome } = runThrough(startProcess(prepared.body, prepared.args));
    expect(outcome).toEqual({ kind: "finished", value: [4, 4] });
  });

  test("is refused with a code for each thing that may be wrong", async () => {
    const { input, host } = await stored();
    const { payload } = input;
    expect(await codeOf({ kind: "other" }, host)).toBe("process_payload_invalid");
    expect(await codeOf({ kind: "lashlang", payload: { ...payload, process_ref: 5 } }, host)).toBe("process_payload_invalid");
    expect(await codeOf(input, { ...host, store: createArtifactStore() })).toBe("process_module_artifact_missing");
    expect(await codeOf({ ...input, payload: { ...payload, host_requirements_ref: "x" } }, host)).toBe("process_host_requirements_mismatch");
    expect(await codeOf({ ...input, payload: { ...payload, process_name: "q" } }, host)).toBe("process_ref_mismatch");
    expect(await codeOf({ ...input, payload: { ...payload, process_ref: { component: "x", pos: 0 } } }, host)).toBe("process_ref_mismatch");
    const poorer = fixtureEnvironment({ abilities: [] });
    expect(await codeOf(input, { ...host, environment: poorer })).toBe("process_host_environment_incompatible");
  });

  test("of a corrupt artifact is refused as a failed load", async () => {
    const { input, host } = await stored();
    const bytes = createMemoryBytes();
    await bytes.put("module", input.payload.module_ref, new TextEncoder().encode("{}"));
    expect(await codeOf(input, { ...host, store: createArtifactStore(bytes) })).toBe("process_module_artifact_load_failed");
  });

  test("ends as completed, failed with a code, or cancelled", () => {
    expect(processOutcomeOf({ kind: "finished", value: 1 })).toEqual({ kind: "completed", value: 1 });
    expect(processOutcomeOf({ kind: "failed", value: { why: 1 } })).toEqual({
      kind: "failed",
      failure: { class: "execution", code: "process_failed", message: '{"why":1}', raw: { why: 1 } },
    });
    expect(processOutcomeOf({ kind: "error", error: { kind: "TypeError", message: "m" } })).toMatchObject({ failure: { code: "process_runtime_error" } });
    expect(processOutcomeOf({ kind: "error", error: { kind: "BoundExhausted", message: "m" } })).toMatchObject({
      failure: { code: "process_execution_bound_exhausted" },
    });
    expect(processOutcomeOf({ kind: "cancelled" })).toEqual({ kind: "cancelled", message: "lashlang process was cancelled" });
  });
});

describe("caches (LL-86)", () => {
  test("give the same program for the same text while the host is the same, and forget the oldest of 65", () => {
    const cache = new ProgramCache();
    const first = cache.link("finish 1", environment);
    expect(cache.link("finish 1", environment)).toBe(first);
    expect(cache.cell(first)).toBe(cache.cell(first));
    for (let i = 0; i < 64; i += 1) cache.link(`finish ${i + 2}`, environment);
    expect(cache.link("finish 1", environment)).not.toBe(first);
  });

  test("share a compiled process and link again when the host changed", () => {
    const cache = new ProgramCache();
    const program = cache.link(SOURCE, environment);
    expect(cache.process(program, "p")).toBe(cache.process(program, "p"));
    expect(() => cache.link(SOURCE, fixtureEnvironment({ abilities: [] }))).toThrow("disabled");
  });
});

describe("runtime diagnostics (LL-103, LL-104)", () => {
  const report = (source: string): string => {
    const { outcome } = runThrough(Vm.start(cell(source)), ({ op }) => (op.kind === "Finish" ? { value: op.value } : { error: "no" }));
    if (outcome.kind !== "error") throw new Error("expected an error");
    return renderRuntimeError(source, outcome.error);
  };

  test("show the statement with a caret", () => {
    expect(report("a = 1\nb = a[0]")).toBe("can't index number\n--> line 2, column 1\nb = a[0]\n^~~~~~~~");
  });

  test("show the failing call, and what to do about it", () => {
    expect(report("x = 1 + await tools.err({})?")).toBe(
      [
        "`?` unwrapped failed module operation: no",
        "--> line 1, column 15",
        "x = 1 + await tools.err({})?",
        "              ^~~~~~~~~~~~~",
        "hint: leave out `?` and look at `.ok` and `.error` to handle a failure",
      ].join("\n"),
    );
  });

  test("hint at Type literals", () => {
    expect(report("x = validate({}, 1)")).toContain("\nhint: pass `Type { field: type, ... }` as the second argument");
  });

  test("have no position when the program carries none", () => {
    expect(renderRuntimeError("", { kind: "TypeError", message: "m" })).toBe("m");
    expect(renderRuntimeError("", { kind: "TypeError", message: "`x` is a read-only projected binding" })).toContain("\nhint: copy it");
  });
});
