import { describe, expect, test } from "vitest";
import { Projections } from "../../../src/lashlang/session/projections.ts";
import { Session, type SessionSnapshot } from "../../../src/lashlang/session/session.ts";
import { startProcess } from "../../../src/lashlang/session/process.ts";
import { inlineProjection, type ProjectionQuestion, type ProjectionSource } from "../../../src/lashlang/values/projected.ts";
import { Vm } from "../../../src/lashlang/vm/vm.ts";
import type { VmSnapshot } from "../../../src/lashlang/vm/snapshot.ts";
import { cell, park, processBody, runThrough } from "./harness.ts";

function run(session: Session, source: string, projections?: Projections): unknown {
  const vm = session.begin(cell(source), projections === undefined ? {} : { projections });
  const { outcome } = runThrough(vm);
  session.keep(vm);
  return outcome.kind === "finished" ? outcome.value : outcome.kind === "error" ? outcome.error.message : outcome.kind;
}

const throughText = (session: Session): Session =>
  Session.restore(JSON.parse(JSON.stringify(session.snapshot())) as SessionSnapshot);

describe("variables across cells", () => {
  test("stay from one cell to the next, failed cells included (LL-45)", () => {
    const session = new Session();
    run(session, "a = [1]\nb = { x: a }");
    expect(run(session, "a[0] = 2\nc = nope")).toBe("unknown name `nope`");
    expect(run(session, "finish [a, b]")).toEqual([[2], { x: [1] }]);
  });

  test("of a cell that is given up leave no trace", () => {
    const session = new Session();
    run(session, "a = [1]");
    const vm = session.begin(cell("a[0] = 9\nb = 1\ntools.echo({})"));
    park(vm);
    expect(session.get("a")).toEqual([1]);
    expect(session.names).toEqual(["a"]);
  });

  test("come back from a snapshot as the same values (LL-91, LL-99)", () => {
    const session = new Session();
    run(session, 't = (1, (2,))\nn = 0 / 0\nm = -1 / 0\nz = -0\nr = { "10": 1, "9": 2, b: 3, "__proto__": 4 }\nT = Type { a: int }\nx = tools');
    expect(session.snapshot().globals["t"]).toEqual({
      __lashlang_snapshot_tuple__: true,
      items: [1, { __lashlang_snapshot_tuple__: true, items: [2] }],
    });
    const after = throughText(session);
    const probe = "finish [to_string(t), to_string(n), to_string(m), to_string(1 / z), keys(r), validate({ a: 1 }, T), to_string(x)]";
    const reply = run(after, probe);
    expect(reply).toEqual(["(1, (2,))", "NaN", "-inf", "-inf", ["10", "9", "b", "__proto__"], { a: 1 }, '{"__resource__":true,"alias":"tools","type":"Tools"}']);
    expect(throughText(after).snapshot()).toEqual(session.snapshot());
  });

  test("defaults set a missing variable once (RLM-32)", () => {
    const session = new Session();
    expect(session.setDefault("a", 1)).toBe(true);
    expect(session.setDefault("a", 2)).toBe(false);
    expect(session.get("a")).toBe(1);
    session.drop(["a"]);
    expect(session.get("a")).toBeUndefined();
  });

  test("a cell resumes from the snapshot of its VM", () => {
    const session = new Session();
    run(session, "a = 1");
    const code = cell("b = a + tools.echo({ value: 1 })?\nfinish b");
    const before = session.begin(code);
    park(before);
    const text = JSON.stringify(before.snapshot());
    const vm = session.resume(code, JSON.parse(text) as VmSnapshot);
    expect(runThrough(vm).outcome).toEqual({ kind: "finished", value: 2 });
  });
});

describe("process bodies", () => {
  test("see args by name, `input` and `inputs` (LL-97)", () => {
    const body = processBody("process p(a: int, b: any) { finish [a, b, input, inputs] }", "p");
    const { outcome } = runThrough(startProcess(body, { a: 1, b: [2] }));
    expect(outcome).toEqual({ kind: "finished", value: [1, [2], { a: 1, b: [2] }, { a: 1, b: [2] }] });
  });

  test("a parameter called `input` is the parameter (LL-97)", () => {
    const body = processBody("process p(input: int, x: int) { finish input }", "p");
    expect(runThrough(startProcess(body, { input: 7, x: 1 })).outcome).toEqual({ kind: "finished", value: 7 });
  });

  test("fail ends them as failed with the value (LL-44)", () => {
    const { outcome } = runThrough(startProcess(processBody("process p() { fail { why: 1 } }", "p"), {}));
    expect(outcome).toEqual({ kind: "failed", value: { why: 1 } });
  });
});

describe("projections", () => {
  /** A list of 1000 messages that answers some questions and counts what it is asked. */
  function history(): { source: ProjectionSource; asked: string[] } {
    const asked: string[] = [];
    const source: ProjectionSource = {
      typeName: "list",
      ref: { kind: "history", key: "s1" },
      materialize() {
        asked.push("materialize");
        return Array.from({ length: 1000 }, (_, n) => ({ n }));
      },
      ask(question: ProjectionQuestion) {
        asked.push(question.kind);
        if (question.kind === "Len") return 1000;
        if (question.kind === "Empty") return false;
        if (question.kind === "Truthy") return true;
        return question.kind === "Index" && typeof question.index === "number" ? { n: question.index } : undefined;
      },
    };
    return { source, asked };
  }

  test("are asked for what is needed only (LL-88)", () => {
    const { source, asked } = history();
    const projections = new Projections().bind("history", source);
    expect(run(new Session(), "finish [len(history), history[5].n, empty(history), history ? 1 : 2]", projections)).toEqual([1000, 5, false, 1]);
    expect(asked).toEqual(["Len", "Index", "Empty", "Truthy"]);
  });

  test("are looped over item by item (LL-88)", () => {
    const { source, asked } = history();
    const projections = new Projections().bind("history", source);
    expect(run(new Session(), "for m in history { if m.n == 3 { finish m } }", projections)).toEqual({ n: 3 });
    expect(asked).not.toContain("materialize");
  });

  test("materialize when they give no answer (LL-88)", () => {
    const { source, asked } = history();
    const projections = new Projections().bind("history", source);
    expect(run(new Session(), "finish contains(history, { n: 999 })", projections)).toBe(true);
    expect(asked).toEqual(["Contains", "materialize"]);
  });

  test("refuse a second binding of one name (LL-90)", () => {
    const projections = new Projections().bind("a", inlineProjection(1));
    expect(() => projections.bind("a", inlineProjection(2))).toThrow("projected binding `a` is already bound");
    expect(projections.has("a")).toBe(true);
    expect(projections.names).toEqual(["a"]);
  });

  test("roots stay out of snapshots, nested ones go in by name and are not materialized (LL-90)", () => {
    const { source, asked } = history();
    const session = new Session();
    run(session, "r = { h: history, n: 1 }", new Projections().bind("history", source));
    expect(session.snapshot().globals).toEqual({
      r: {
        h: { __lashlang_snapshot_projected__: true, name: "history", type_name: "list", projection_ref: { kind: "history", key: "s1" } },
        n: 1,
      },
    });
    expect(asked).toEqual([]);
  });

  test("say that they are unavailable after a restore, until they are found by ref (LL-90)", () => {
    const { source } = history();
    const session = new Session();
    const projections = new Projections().bind("history", source);
    run(session, "r = { h: history }", projections);
    const snapshot = session.snapshot();
    expect(run(Session.restore(snapshot), "finish to_string(r.h)")).toContain("unavailable after snapshot restore");
    const found = Session.restore(snapshot, (_, ref) => (ref === undefined ? undefined : projections.find(ref)));
    expect(run(found, "finish len(r.h)")).toBe(1000);
    expect(projections.find({ kind: "other", key: "s1" })).toBeUndefined();
  });

  test("a part is found again by its path when a running cell is restored (LL-89, LL-90)", () => {
    const projections = new Projections().bind("doc", inlineProjection({ a: [{ "x y": 5 }] }));
    const code = cell('r = [doc.a[0], doc.a[-1]["x y"]]\ntools.echo({})\nfinish r');
    const session = new Session();
    const vm = session.begin(code, { projections });
    park(vm);
    const text = JSON.stringify(vm.snapshot());
    expect(text).not.toContain('"x y":5');
    const resumed = session.resume(code, JSON.parse(text) as VmSnapshot, { projections });
    expect(runThrough(resumed).outcome).toEqual({ kind: "finished", value: [{ "x y": 5 }, 5] });
  });

  test("a tool result may be a projection (RLM-33)", () => {
    const vm = Vm.start(cell("x = { r: tools.echo({})? }\ny = tools.echo({})\nfinish x.r.a"));
    vm.settle(park(vm).effectId, { projected: { name: "result", source: inlineProjection({ a: 5 }) } });
    expect(JSON.stringify(vm.snapshot().outcome)).toContain("__lashlang_snapshot_projected__");
    const second = park(vm);
    vm.settle(second.effectId, { value: null });
    expect(runThrough(vm).outcome).toEqual({ kind: "finished", value: 5 });
  });

  test("a source that throws ends the program, not the host", () => {
    const broken: ProjectionSource = {
      typeName: "record",
      materialize() {
        throw new Error("gone");
      },
    };
    expect(run(new Session(), "finish doc.a", new Projections().bind("doc", broken))).toBe("gone");
  });

  test("win over a variable of the same name (RLM-15)", () => {
    const session = new Session();
    run(session, "doc = 1");
    expect(run(session, "finish doc", new Projections().bind("doc", inlineProjection(2)))).toBe(2);
  });
});
