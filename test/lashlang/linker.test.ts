import { describe, expect, test } from "vitest";
import { createHostEnvironment, HostCatalogError } from "../../src/lashlang/linker/environment-builder.ts";
import type { HostEnvironmentInput } from "../../src/lashlang/linker/environment-builder.ts";
import { firstUnmetRequirement, satisfies } from "../../src/lashlang/linker/satisfies.ts";
import { printType } from "../../src/lashlang/printer/print-type.ts";
import { operationPaths } from "../../src/lashlang/syntax/operation-paths.ts";
import { parse } from "../../src/lashlang/syntax/parser.ts";
import { typeFromJsonSchema } from "../../src/lashlang/types/from-json-schema.ts";
import { fixtureEnvironment, fixtureInput, noAbilities } from "./fixture-environment.ts";
import { bare, errorOf, linked } from "./support.ts";

const messageOf = (source: string, changes: HostEnvironmentInput = {}): string => errorOf(() => linked(source, fixtureEnvironment(changes))).message;

/** The last statement of the main block, linked. */
const last = (source: string): unknown => {
  const { body } = linked(source).main;
  return body.kind === "Block" ? bare(body.statements.at(-1)) : null;
};

const typed: HostEnvironmentInput = {
  modules: [
    {
      path: "mail.work",
      resourceType: "Mail",
      operations: {
        send: { hostOperation: "send_work", input: "{ to: str, cc: list[str]?, kind: enum[\"html\", \"text\"]? }", output: "{ id: str, size: int }" },
        count: { hostOperation: "count", input: "null", output: "int" },
        tag: { hostOperation: "tag", input: "list[str]", output: "null" },
        rate: { hostOperation: "rate", input: "{ score: float }", output: "any" },
        page: { hostOperation: "page", input: "{ n: int }", output: "any" },
      },
    },
    { path: "mail.home", resourceType: "Mail", operations: { send: { hostOperation: "send_home", input: "{ to: str, cc: list[str]?, kind: enum[\"html\", \"text\"]? }", output: "{ id: str, size: int }" } } },
    ...(fixtureInput.modules ?? []),
  ],
};

describe("linker: names (LL-65, LL-66)", () => {
  test("a module path is its authority", () => {
    expect(last("x = tools")).toMatchObject({ kind: "Assign", value: { kind: "Resource", alias: "tools", resourceType: "Tools" } });
  });

  test("a session variable cannot shadow a module, an assignment in the same program can", () => {
    expect(last("x = tools.echo")).toMatchObject({ value: { kind: "Field", object: { kind: "Resource" } } });
    expect(last("tools = 1\nx = tools")).toMatchObject({ value: { kind: "Variable", name: "tools" } });
  });

  test("a loop variable shadows a module in its loop only (LL-41)", () => {
    const { main } = linked("for tools in [1] { a = tools }\nb = tools");
    expect(bare(main.body)).toMatchObject({
      statements: [{ body: { statements: [{ value: { kind: "Variable" } }] } }, { value: { kind: "Resource" } }],
    });
  });

  test("a process named as a value is a process value unless a variable has its name", () => {
    expect(last("process p() { finish 1 }\nx = p")).toMatchObject({ value: { kind: "ProcessValue", process: "p" } });
    expect(last("process p() { finish 1 }\np = 2\nx = p")).toMatchObject({ value: { kind: "Variable" } });
  });

  test("any name may be a session variable in a cell", () => {
    expect(last("finish anything.at.all")).toMatchObject({ value: { kind: "Field" } });
  });

  test("process bodies see params, input, inputs, locals, modules and processes, but no cell variables", () => {
    expect(() => linked("process q() { finish 1 }\nprocess p(a: any) { b = [a, input, inputs, tools, q] finish b }")).not.toThrow();
    expect(messageOf("x = 1\nprocess p() { finish x }")).toBe("unknown name `x`");
    expect(messageOf("process p() { for i in [1] { } finish i }")).toBe("unknown name `i`");
    expect(messageOf("process p() { x.y = 1 }")).toBe("unknown name `x`");
  });

  test("what a loop binds further down may be read in its next round", () => {
    expect(() => linked("process p() { first = true while true { if not first { finish seen } seen = 1 first = false } }")).not.toThrow();
  });

  test("names of prototypes are unknown like any other (hostile input)", () => {
    for (const name of ["constructor", "__proto__", "toString"]) {
      expect(messageOf(`process p() { finish ${name} }`)).toBe(`unknown name \`${name}\``);
      expect(messageOf(`finish ${name}(1)`)).toBe(`unknown builtin \`${name}\``);
      expect(messageOf(`finish tools.${name}(1)`)).toBe(`resource type \`Tools\` does not expose operation \`${name}\``);
      expect(messageOf(`process p(a: ${name}) { finish a }`)).toBe(`unknown type \`${name}\``);
      expect(messageOf(`start ${name}()`)).toBe(`unknown process \`${name}\``);
    }
  });
});

describe("linker: await and unwrap (LL-16, LL-48, LL-50)", () => {
  const operation = { kind: "Operation", operation: "echo" };
  test.each<[source: string, node: unknown]>([
    ["tools.echo({})", { ...operation, unwrap: false }],
    ["await tools.echo({})", { ...operation, unwrap: false }],
    ["tools.echo({})?", { ...operation, unwrap: true }],
    ["await tools.echo({})?", { ...operation, unwrap: true }],
    ["(await tools.echo({}))?", { ...operation, unwrap: true }],
    ["tools.echo({})??", { kind: "Unwrap", value: { ...operation, unwrap: true } }],
    ["await h", { kind: "Await", value: { kind: "Variable" } }],
    ["await h?", { kind: "Unwrap", value: { kind: "Await" } }],
    ["(await h)?", { kind: "Unwrap", value: { kind: "Await" } }],
    ["await (c ? tools.echo({}) : h)", { kind: "Ternary", consequent: operation, otherwise: { kind: "Await" } }],
    ["await [tools.echo({}), 1]", { kind: "Batch", tree: { kind: "List", items: [operation, { kind: "Number" }] } }],
    ["await { a: tools.echo({})?, b: (tools.echo({}), [len(x)]) }", { kind: "Batch" }],
    ["(await { a: tools.echo({}) })?", { kind: "Unwrap", value: { kind: "Batch" } }],
    ["await [1, 2]", { kind: "Await", value: { kind: "List" } }],
    ["await [h]", { kind: "Await" }],
    ["await timer.Schedule({ expr: 'x' })", { kind: "Await", value: { kind: "Construct" } }],
  ])("%s", (source, node) => {
    expect(last(source)).toMatchObject(bare(node) as object);
  });

  test("any other effect among the leaves makes an aggregate sequential (LL-52)", () => {
    expect(last("process p() { finish 1 }\nawait [tools.echo({}), start p()]")).toMatchObject({ kind: "Await", value: { kind: "List" } });
  });

  test("nested effects inside arguments leave a batch a batch (LL-50)", () => {
    expect(last("await [tools.echo({ value: tools.echo({})? })]")).toMatchObject({ kind: "Batch" });
  });
});

describe("linker: operations and constructors (LL-67, LL-68, LL-71)", () => {
  test.each<[source: string, message: string]>([
    ["nope.echo({})", "receiver for operation `echo` is not a module authority"],
    ["x = 1\nx.echo({})", "receiver for operation `echo` is not a module authority"],
    ["[1].echo({})", "receiver for operation `echo` is not a module authority"],
    ["tools.nope({})", "resource type `Tools` does not expose operation `nope`"],
    ["mail.send({ to: 'a' })", "module `mail` does not expose operation `send`; available identity-qualified paths: mail.home.send, mail.work.send"],
    ["mail.home.count()", "resource type `Mail` does not expose operation `count`"],
    ["mail.work.send()", "operation `send` expects { to: str, cc: list[str]?, kind: enum[\"html\", \"text\"]? }, got null"],
    ["mail.work.send({})", "operation `send` expects { to: str, cc: list[str]?, kind: enum[\"html\", \"text\"]? }, got {}"],
    ["mail.work.send({ to: 1 })", "operation `send` expects { to: str, cc: list[str]?, kind: enum[\"html\", \"text\"]? }, got { to: float }"],
    ["mail.work.send({ to: unknown_type })", "operation `send` expects { to: str, cc: list[str]?, kind: enum[\"html\", \"text\"]? }, got { to: any }"],
    ["mail.work.send({ to: 'a', kind: 'pdf' })", "operation `send` expects { to: str, cc: list[str]?, kind: enum[\"html\", \"text\"]? }, got { to: \"a\", kind: \"pdf\" }"],
    ["mail.work.page({ n: 1 })", "operation `page` expects { n: int }, got { n: float }"],
    ["timer.Schedule()", "constructor `timer.Schedule` expects { expr: str, tz: str? }, got null"],
    ["timer.Schedule({ expr: 'a' }, 1)", "constructor `timer.Schedule` expects { expr: str, tz: str? }, got list[{ expr: \"a\" } | float]"],
    ["timer.Schedule({ expr: 1 })", "constructor `timer.Schedule` expects { expr: str, tz: str? }, got { expr: float }"],
    ["s = timer.Schedule({ expr: 'a' })\nfinish s.expr", "cannot access `.expr` on opaque host descriptor `timer.Schedule`"],
    ["s = timer.Schedule({ expr: 'a' })\nfinish s['expr']", "cannot access `[]` on opaque host descriptor `timer.Schedule`"],
    ["upper('x')", "unknown builtin `upper`"],
    ["send_work({ to: 'a' })", "tools must be called through module paths, e.g. `mail.work.send`"],
  ])("%s", (source, message) => {
    expect(messageOf(source, typed)).toBe(message);
  });

  test.each([
    ["a union of texts feeds text", "mail.work.send({ to: c ? 'a' : 'b' })"],
    ["an enum value feeds its enum", "mail.work.send({ to: 'a', kind: 'html' })"],
    ["fields beyond the type are allowed", "mail.work.send({ to: 'a', more: 1 })"],
    ["several arguments are a list", "mail.work.tag('a', 'b')"],
    ["no argument is null", "mail.work.count()"],
    ["int feeds float", "mail.work.rate({ score: len('abc') })"],
    ["int results feed int", "mail.work.page({ n: to_int(1) })"],
    ["operation results have their types", "r = mail.work.send({ to: 'a' })?\nmail.work.page({ n: r.size })"],
    ["wrappers carry the type of the value", "r = await mail.work.send({ to: 'a' })\nmail.work.page({ n: r.value.size })"],
    ["split gives texts", "for part in split(x, ',') { mail.work.send({ to: part }) }"],
    ["text plus anything is text", "mail.work.send({ to: 'a' + x })"],
    ["an empty list feeds any list", "mail.work.send({ to: 'a', cc: [] })"],
    ["push keeps what is in a list", "l = []\nfor i in range(3) { l = push(l, 'a') }\nmail.work.send({ to: 'a', cc: l })"],
    ["validate gives unknown values a type", "T = Type { to: str }\nmail.work.send(validate(json_parse(x), T))"],
    ["rows written out keep the types of their fields", `rows = [${Array.from({ length: 300 }, (_, row) => `{ to: "a${row}", n: ${row} }`).join(", ")}]\nfor row in rows { mail.work.send({ to: row.to }) }`],
    ["a handle gives the output of its process", "process p() -> str { finish 'a' }\nh = start p()\nmail.work.send({ to: (await h)? })"],
    ["a module held in a variable is a receiver", "m = mail.work\nm.send({ to: 'a' })"],
    ["a param of a resource type is a receiver", "process p(m: Mail) { m.send({ to: 'a' }) finish null }"],
    ["a field set by path has the type of what was set", "r = {}\nr.to = 'a'\nmail.work.send(r)"],
    ["both branches of an if count", "if x { a = 'x' } else { a = 'y' }\nmail.work.send({ to: a })"],
  ])("%s", (_, source) => {
    expect(() => linked(source, fixtureEnvironment(typed))).not.toThrow();
  });

  test("a variable set in one branch may be what it was before", () => {
    expect(messageOf("a = null\nif x { a = 'x' }\nmail.work.send({ to: a })", typed)).toMatch(/got { to: ("x" \| null|null \| "x") }$/);
  });

  test("data of very many shapes is a list of records, found in linear time", () => {
    const rows = Array.from({ length: 20_000 }, (_, row) => `{ a${row}: ${row} }`).join(", ");
    // Comparing each with each would be 200 million comparisons of types.
    expect(messageOf(`mail.work.tag([${rows}])`, typed)).toBe("operation `tag` expects list[str], got list[dict]");
  });

  test("inferred types stay small however a program nests them", () => {
    const nest = "x = [x, x]\ny = { a: y, b: y }\n".repeat(300);
    expect(messageOf(`x = 1\ny = 2\n${nest}mail.work.send({ to: [x, y] })`, typed).length).toBeLessThan(600);
  });
});

describe("linker: processes (LL-69, LL-70, LL-73)", () => {
  test.each<[source: string, message: string]>([
    ["process p() { finish 1 }\nprocess p() { finish 2 }", "duplicate declaration `p`"],
    ["type T = str\ntype T = int", "duplicate declaration `T`"],
    ["process p(a: str, a: str) { finish a }", "duplicate process parameter `a`"],
    ["process p() signals { s: any, s: any } { finish 1 }", "duplicate process signal `s`"],
    ["start q()", "unknown process `q`"],
    ["process p(a: str) { finish a }\nstart p()", "process `p` is missing argument `a`"],
    ["process p(a: str) { finish a }\nstart p(a: 1, b: 2)", "process `p` does not accept argument `b`"],
    ["process p(a: str) { finish a }\nstart p(a: 1, a: 2)", "duplicate process argument `a`"],
    ["process p(a: Nope) { finish a }", "unknown type `Nope`"],
    ["type T = list[Nope]", "unknown type `Nope`"],
    ["type A = B | null\ntype B = A", "type `A` refers to itself"],
    ["process p(t: Tools) { finish 1 }\nstart p(t: files)", "process `p` argument `t` has incompatible authority type: expected Tools, got Files"],
    ["process p(t: Tools) { finish 1 }\nstart p(t: 1)", "process `p` argument `t` has incompatible authority type: expected Tools, got value"],
    ["process p() -> str { finish 1 }", "process `p` return type is incompatible: expected str, got float"],
    ["process p() -> str { if input { finish 'a' } }", "process `p` return type is incompatible: expected str, got \"a\" | null"],
    ["process p() -> str { while true { finish 'a' } }", "process `p` return type is incompatible: expected str, got \"a\" | null"],
    ["wait_signal('a')", "`wait_signal` can only be used inside a process body"],
    ["process p() { wait_signal('a b') }", "invalid signal name `a b`; use letters, digits, `_` and `-`"],
  ])("%s", (source, message) => {
    expect(messageOf(source)).toBe(message);
  });

  test.each([
    ["types and processes are separate namespaces", "type p = str\nprocess p(a: p) { finish a }"],
    ["other argument types are the process's own concern", "process p(a: int) { finish a }\nstart p(a: 'text')"],
    ["an if that ends both ways does not fall through", "process p() -> str { if input { finish 'a' } else { fail 1 } }"],
    ["recursive types are fine through a field", "type Tree = { left: Tree | null, right: Tree | null }\nprocess p(t: Tree) -> Tree { finish t }"],
    ["a process may start itself", "process p(n: int) { h = start p(n: n) finish (await h)? }"],
    ["a process may return what another does", "process a() { finish (await start b())? }\nprocess b() -> str { finish 'x' }"],
  ])("%s", (_, source) => {
    expect(() => linked(source)).not.toThrow();
  });

  test("the output type is the union of its ends (LL-70)", () => {
    const { processes } = linked("process p() { if input { finish 'a' } finish len('abc') }");
    expect(bare(processes[0]?.outputType)).toEqual({ kind: "Union", members: [{ kind: "Enum", values: ["a"] }, { kind: "Int" }] });
  });

  test("declarations are checked before the main block, and the first error wins (LL-65)", () => {
    expect(messageOf("nope()\nprocess p(a: Nope) { finish unknown }")).toBe("unknown type `Nope`");
    expect(messageOf("nope()\nprocess p() { finish unknown }")).toBe("unknown name `unknown`");
  });

  test.each<[source: string, feature: string]>([
    ["process p() { finish 1 }", "processes"],
    ["start p()", "processes"],
    ["sleep for 1", "sleep"],
    ["signal_run(h, 'a', 1)", "process signals"],
    ["triggers.list({})", "triggers"],
  ])("%s needs the ability %s", (source, feature) => {
    expect(messageOf(source, { abilities: noAbilities })).toBe(`lashlang feature \`${feature}\` is disabled by this host`);
  });

  test("labels need their feature anywhere in a program (LL-75)", () => {
    const labels = { languageFeatures: { labelAnnotations: true } };
    for (const source of ['@label(title: "a") x = 1', 'if a { @label(title: "a") x = 1 }', '@label(title: "a") process p() { finish 1 }']) {
      expect(messageOf(source)).toBe("lashlang feature `label annotations` is disabled by this host");
      expect(() => linked(source, fixtureEnvironment(labels))).not.toThrow();
    }
  });
});

describe("linker: triggers (LL-76, LL-77, LL-78)", () => {
  const registration = (parts: string): string =>
    `process p(tick: timer.Tick, n: any) { finish tick }\nprocess text(tick: str) { finish tick }\nsource = timer.Schedule({ expr: 'x' })\ntriggers.register(${parts})`;
  test.each<[parts: string, message: string]>([
    ["", "trigger registration requires { source, target, inputs, name? }"],
    ["x", "trigger registration requires { source, target, inputs, name? }"],
    ["{ source: source, target: p }", "trigger registration requires { source, target, inputs, name? }"],
    ["{ source: source, target: p, inputs: {}, other: 1 }", "trigger registration requires { source, target, inputs, name? }"],
    ["{ source: source, target: p, inputs: x }", "trigger registration `inputs` must be a literal record"],
    ["{ source: source, target: p, inputs: { tick: trigger.event } }", "trigger target `p` input `n` is not mapped"],
    ["{ source: source, target: p, inputs: { tick: trigger.event, n: 1, m: 2 } }", "trigger target `p` has no input `m`"],
    ["{ source: source, target: p, inputs: { tick: trigger.event, n: 1, n: 2 } }", "trigger registration input `n` is duplicated"],
    ["{ source: source, target: p, inputs: { tick: 1, n: 2 } }", "trigger registration `inputs` must map at least one param to `trigger.event`"],
    ["{ source: source, target: text, inputs: { tick: trigger.event } }", "trigger source emits timer.Tick, but target input `tick` expects str"],
    ["{ source: 'x', target: p, inputs: { tick: trigger.event, n: 1 } }", 'trigger source type `"x"` is not registered as a TriggerSource'],
    ["{ source: source, target: 'p', inputs: { tick: trigger.event, n: 1 } }", 'trigger target must be a process value, got "p"'],
    ["{ source: source, target: p, inputs: { tick: [trigger.event], n: 1 } }", "`trigger.event` is only valid as a direct value inside `triggers.register` inputs"],
  ])("register(%s)", (parts, message) => {
    expect(messageOf(registration(parts))).toBe(message);
  });

  test("several params may get the event, and the name is optional", () => {
    expect(() => linked(registration("{ source: source, target: p, inputs: { tick: trigger.event, n: trigger.event }, name: 'x' }"))).not.toThrow();
  });

  test("the event cannot be projected", () => {
    expect(messageOf("x = trigger.event.fired_at")).toMatch(/^`trigger\.event` represents the whole event/);
    expect(messageOf("x = trigger.event")).toBe("`trigger.event` is only valid as a direct value inside `triggers.register` inputs");
  });

  test("a variable called trigger is a variable", () => {
    expect(() => linked("trigger = { event: 1 }\nx = trigger.event")).not.toThrow();
  });

  test.each<[source: string, message: string]>([
    ["triggers.list({ nope: 1 })", "trigger listing requires { target }"],
    ["triggers.cancel({})", "trigger cancellation requires { handle }"],
    ["triggers.cancel()", "trigger cancellation requires { handle }"],
    ["triggers.cancel({ handle: h, more: 1 })", "trigger cancellation requires { handle }"],
  ])("%s", (source, message) => {
    expect(messageOf(source)).toBe(message);
  });
});

describe("host environments (LL-74, LL-82, LL-83)", () => {
  const tools = (input: string): HostEnvironmentInput => ({
    modules: [
      { path: "a", resourceType: "T", operations: { op: { hostOperation: "x" } } },
      { path: "b", resourceType: "T", operations: { op: { hostOperation: "y", input } } },
    ],
  });

  test("several aliases share a resource type and route to different tools", () => {
    const { catalog } = createHostEnvironment(tools("any"));
    expect([catalog.modules["a"]?.operations["op"], catalog.modules["b"]?.operations["op"]]).toEqual([{ hostOperation: "x" }, { hostOperation: "y" }]);
  });

  test.each<[id: string, input: HostEnvironmentInput, message: RegExp]>([
    ["an operation that changes its types", tools("str"), /operation `op` of resource type `T` changes its types/],
    ["an alias that changes its resource type", { modules: [{ path: "a", resourceType: "T", operations: {} }, { path: "a", resourceType: "U", operations: {} }] }, /module `a` changes its resource type/],
    ["a source that changes its event", { constructors: [{ path: "a.B", input: "any", emits: "str" }, { path: "a.B", input: "any", emits: "int" }] }, /changes its event type/],
    ["a named type without a dot", { namedDataTypes: { Row: "{ a: str }" } }, /needs a dotted name/],
    ["a named type that is no object", { namedDataTypes: { "a.Row": "str" } }, /must be an object/],
    ["a named type that names another", { namedDataTypes: { "a.Row": "{ b: a.Cell }" } }, /refers to `a.Cell`/],
    ["a named type that holds a process", { namedDataTypes: { "a.Row": "{ b: Process<str, str> }" } }, /holds a process type/],
    ["a named type that repeats an enum value", { namedDataTypes: { "a.Row": '{ b: enum["x", "x"] }' } }, /repeats an enum value/],
  ])("%s is refused", (_, input, message) => {
    expect(() => createHostEnvironment(input)).toThrow(HostCatalogError);
    expect(() => createHostEnvironment(input)).toThrow(message);
  });

  test("parts of several contributors are one environment; abilities unite (RLM-40)", () => {
    const { catalog, abilities, languageFeatures } = createHostEnvironment(
      { modules: [{ path: "a", resourceType: "A", operations: {} }], abilities: { sleep: false, triggers: false } },
      { modules: [{ path: "b", resourceType: "B", operations: {} }], abilities: { sleep: true }, languageFeatures: { labelAnnotations: true } },
    );
    expect(Object.keys(catalog.modules)).toEqual(["a", "b", "triggers"]);
    expect(abilities).toEqual({ processes: true, sleep: true, processSignals: true, triggers: false });
    expect(languageFeatures.labelAnnotations).toBe(true);
    const row = (shape: string): HostEnvironmentInput => ({ namedDataTypes: { "a.Row": shape } });
    expect(() => createHostEnvironment(row("{ a: str }"), row("{ a: str }"))).not.toThrow();
    expect(() => createHostEnvironment(row("{ a: str }"), row("{ a: int }"))).toThrow("named data type `a.Row` changes its shape");
  });

  test("a signature may name only types that the catalog has", () => {
    expect(() => createHostEnvironment({ constructors: [{ path: "a.B", input: "a.Row" }] })).toThrow("value constructor `a.B` names the unknown type `a.Row`");
  });

  test.each<[schema: unknown, type: string]>([
    [{ type: "object", properties: { a: { type: "string" }, b: { type: "array", items: { type: "integer" } } }, required: ["a"] }, "{ a: str, b: list[int]? }"],
    [{ enum: ["x", "y"] }, 'enum["x", "y"]'],
    [{ const: "x" }, '"x"'],
    [{ anyOf: [{ type: "number" }, { type: "null" }] }, "float | null"],
    [{ type: ["boolean", "null"] }, "bool | null"],
    [{ type: "object" }, "dict"],
    [{ anyOf: [{ type: "string" }, {}] }, "any"],
    [{ $ref: "#/x" }, "any"],
    [{ enum: [1, "x"] }, "any"],
    [true, "any"],
    ["nonsense", "any"],
  ])("the JSON Schema %j is the type %s", (schema, type) => {
    expect(printType(typeFromJsonSchema(schema))).toBe(type);
  });

  test("the paths a program calls are known before it is linked (RLM-35)", () => {
    const program = parse("process p() { a.b.c(1)? }\nx = [d.e(f.g()) for i in y]\n(h).i()\n[1].j()\na.b.c()");
    expect(operationPaths(program)).toEqual(["a.b.c", "d.e", "f.g", "h.i"]);
  });

  const source = "process p(t: timer.Tick) { sleep for 1 finish t }\nx = tools.read_file({ path: 'a' })?\ns = timer.Schedule({ expr: 'x' })";
  const program = linked(source);

  test("requirements hold what a program uses and nothing else (LL-82)", () => {
    expect(bare(program.hostRequirements)).toMatchObject({
      abilities: ["processes", "sleep"],
      languageFeatures: [],
      modules: { tools: { resourceType: "Tools", operations: { read_file: { hostOperation: "read_file" } } } },
      resourceTypes: { Tools: { operations: { read_file: { inputType: { kind: "Object" } } } } },
      namedDataTypes: { "timer.Tick": { name: "timer.Tick" } },
      valueConstructors: { "timer.Schedule": { typeName: "timer.Schedule" } },
    });
    expect(Object.keys(program.hostRequirements.modules)).toEqual(["tools"]);
    expect(Object.keys(program.hostRequirements.resourceTypes["Tools"]?.operations ?? {})).toEqual(["read_file"]);
  });

  test("an environment satisfies what it has, however much more it has (LL-83)", () => {
    const more = { ...fixtureInput, modules: [...(fixtureInput.modules ?? []), { path: "more", resourceType: "More", operations: {} }] };
    expect(satisfies(fixtureEnvironment(), program.hostRequirements)).toBe(true);
    expect(satisfies(createHostEnvironment(more), program.hostRequirements)).toBe(true);
  });

  test.each<[id: string, changes: HostEnvironmentInput, unmet: RegExp]>([
    ["an ability is off", { abilities: { sleep: false } }, /ability `sleep` is off/],
    ["a module is gone", { modules: [] }, /module `tools` is missing/],
    ["a tool behind an operation changed", { modules: [{ path: "tools", resourceType: "Tools", operations: { read_file: { hostOperation: "other", input: "{ path: str }", output: "str" } } }] }, /operation `tools.read_file`/],
    ["an operation changed its types", { modules: [{ path: "tools", resourceType: "Tools", operations: { read_file: { hostOperation: "read_file", input: "any", output: "str" } } }] }, /changed its types/],
    ["a named type changed its shape", { namedDataTypes: { "timer.Tick": "{ at: str }" } }, /data type `timer.Tick` is not/],
    ["a constructor changed", { constructors: [{ path: "timer.Schedule", input: "any" }] }, /value constructor `timer.Schedule`/],
  ])("it does not once %s", (_, changes, unmet) => {
    expect(firstUnmetRequirement(fixtureEnvironment(changes), program.hostRequirements)).toMatch(unmet);
  });
});
