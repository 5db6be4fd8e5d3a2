// tool() and schema libraries: who describes arguments, what is refused by name, and what the compiler knows (ME-21, OP-23).

import { describe, expect, expectTypeOf, test } from "vitest";
import * as z from "zod";
import * as mini from "zod/mini";
import { z as z3 } from "zod/v3";
import { createLash, LashError, tool, type StandardSchema, type ToJsonSchema, type ToolCall } from "../../src/index.ts";
import { childSessions } from "../../src/children/index.ts";
import { plugin } from "../../src/plugins/index.ts";
import { byToolResults, scriptedProvider } from "../../src/testing/index.ts";
import { testLash } from "../support/lash.ts";

const run = ({ city }: { city: string }): string => `sun in ${city}`;
const made = (input: unknown, rest: object = {}) => () => tool({ name: "weather", description: "", input: input as StandardSchema<unknown, { city: string }>, run, ...rest });

/** A schema of a library without any way to JSON Schema. */
const plain: StandardSchema<unknown, { city: string }> = {
  "~standard": {
    version: 1,
    vendor: "plainlib",
    validate: (value) => (typeof (value as { city?: unknown }).city === "string" ? { value: value as { city: string } } : { issues: [{ message: "a text", path: ["city"] }] }),
  },
};
const schema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const convert: ToJsonSchema = () => ({ $schema: "https://json-schema.org/draft/2020-12/schema", ...schema });
const missing = (...texts: readonly string[]) =>
  expect.objectContaining({ code: "tool_schema_missing", details: { tool: "weather" }, message: expect.stringMatching(new RegExp(['tool "weather"', ...texts, "inputSchema", "toJsonSchema", "createLash"].join(".*"))) as string }) as Error;

async function turnWith(weather: ReturnType<ReturnType<typeof made>>, options: Parameters<typeof testLash>[0] = {}) {
  const { lash, provider } = testLash({ tools: [weather], script: byToolResults([{ toolCalls: [{ name: "weather", args: { city: "Oslo" } }, { name: "weather", args: { city: 7 } }] }, "done"]), ...options });
  const { toolCalls } = await (await lash.openSession("s")).run("go");
  await lash.close();
  const [good, bad] = toolCalls.map(({ output }) => output?.outcome.payload);
  return { shown: provider.requests[0]?.tools[0]?.inputSchema, good, bad };
}

const refusedLater = { good: "sun in Oslo", bad: expect.objectContaining({ code: "invalid_tool_args", message: expect.stringContaining("city") as string }) as unknown };

describe("a tool is described", () => {
  test.each<[string, () => ReturnType<ReturnType<typeof made>>, Parameters<typeof testLash>[0]]>([
    ["by zod 4", made(z.object({ city: z.string() })), {}],
    ["by zod/mini, which cannot describe itself but is zod's", made(mini.object({ city: mini.string() })), {}],
    ["by its inputSchema beside a schema of zod 3", made(z3.object({ city: z3.string() }), { inputSchema: schema }), {}],
    ["by its own toJsonSchema", made(z3.object({ city: z3.string() }), { toJsonSchema: convert }), {}],
    ["by its inputSchema beside a schema of any library", made(plain, { inputSchema: schema }), {}],
    ["by the toJsonSchema of the lash", made(plain), { toJsonSchema: convert }],
  ])("%s, and its arguments are validated by its schema (ME-21)", async (_title, make, options) => {
    const { shown, ...rest } = await turnWith(make(), options);
    expect(shown).toMatchObject(schema);
    expect(shown && "$schema" in shown).toBe(false);
    expect(rest).toEqual(refusedLater);
  });

  test("as what goes in: fields with a default need not be given, and a transformation does not show (ME-21)", () => {
    const inputs = [z.object({ n: z.number().default(3), at: z.string().transform(Number) }), mini.object({ n: mini.prefault(mini.number(), 3), at: mini.pipe(mini.string(), mini.transform(Number)) })];
    for (const input of inputs) expect(made(input)().inputSchema).toMatchObject({ type: "object", properties: { n: { type: "number", default: 3 }, at: { type: "string" } }, required: ["at"] });
  });

  test("by its own converter rather than by the lash's, and by what is written down rather than by any (ME-21)", () => {
    const other: ToJsonSchema = () => ({ type: "object", title: "other" });
    expect(made(plain, { toJsonSchema: convert })().inputSchema).toEqual(schema);
    expect(made(plain, { toJsonSchema: other, inputSchema: schema })().inputSchema).toEqual(schema);
  });

  test("as an object also where only its members say so: providers want it said of the whole (ME-21)", () => {
    const union = z.discriminatedUnion("kind", [z.object({ kind: z.literal("a") }), z.object({ kind: z.literal("b") })]);
    expect(made(union)().inputSchema).toMatchObject({ type: "object", oneOf: [{ type: "object" }, { type: "object" }] });
    expect(made(z.any())().inputSchema).toEqual({ type: "object" });
  });
});

describe("where no JSON Schema can be had", () => {
  test("zod 3 is refused by tool(), naming the tool and the ways out (ME-21)", () => {
    expect(made(z3.object({ city: z3.string() }))).toThrow(missing("zod gives no JSON Schema"));
  });

  test.each([["zod", z.object({ when: z.coerce.date() }), "Date cannot be represented"], ["zod/mini", mini.object({ n: mini.bigint() }), "BigInt cannot be represented"]])("what %s says of a schema that it cannot tell comes as a LashError of the tool, and is its cause (ME-21)", (_title, input, said) => {
    expect(made(input)).toThrow(missing(said));
    try {
      made(input)();
    } catch (error) {
      expect(LashError.is(error) && error.cause).toBeInstanceOf(Error);
    }
  });

  test("another library's schema is refused where the tool meets a lash: createLash, openSession, session.tools.add, a plugin, a child (ME-21)", async () => {
    const weather = made(plain)();
    expect(() => testLash({ tools: [weather] })).toThrow(missing("plainlib gives no JSON Schema"));
    const { lash } = testLash({ children: childSessions() });
    await expect(lash.openSession("s", { tools: [weather] })).rejects.toThrow(missing("plainlib"));
    const session = await lash.openSession("s");
    await expect(session.tools.add([weather])).rejects.toThrow(missing("plainlib"));
    await expect(session.children.create({ tools: [weather] })).rejects.toThrow(missing("plainlib"));
    const lending = plugin({ id: "p", build: () => ({ tools: [weather] }) });
    await expect(testLash({ plugins: [lending] }).lash.openSession("s")).rejects.toThrow(/plainlib/);
    expect(() => weather.inputSchema).toThrow(missing("plainlib"));
    await lash.close();
  });

  test("the lash's converter serves all of these doors (ME-21)", async () => {
    const weather = made(plain)();
    const renamed = (name: string) => tool({ name, description: "", input: plain, run });
    const lending = plugin({ id: "p", build: () => ({ tools: [renamed("plugged")] }) });
    const { lash, provider } = testLash({ toJsonSchema: convert, tools: [weather], plugins: [lending], script: () => "done", children: childSessions() });
    const session = await lash.openSession("s", { tools: [renamed("opened")] });
    await session.tools.add([renamed("added")]);
    await session.tools.add(() => [renamed("read")]);
    await session.tools.refresh();
    await session.run("go");
    const child = await session.children.create({ tools: [renamed("childs")] });
    await child.run("go");
    expect(provider.requests.map(({ tools }) => tools.map(({ name, inputSchema }) => [name, inputSchema]))).toEqual([
      ["weather", "opened", "plugged", "added", "read"].map((name) => [name, schema]),
      expect.arrayContaining([["childs", schema]]) as unknown,
    ]);
    await lash.close();
  });

  test.each<[string, ToJsonSchema, string]>([
    ["throws", () => { throw new Error("no such schema"); }, "no such schema"],
    ["answers later", (async () => schema) as never, "no JSON Schema"],
    ["gives no object", (() => "object") as never, "no JSON Schema"],
    ["gives no JSON", () => ({ type: "object", default: () => 1 }), "no JSON"],
  ])("a converter that %s is named with its tool (ME-21)", (_title, broken, said) => {
    expect(made(plain, { toJsonSchema: broken })).toThrow(missing(said));
    expect(() => testLash({ toJsonSchema: broken, tools: [made(plain)()] })).toThrow(missing(said));
  });

  test("converters that are none are refused by name (ME-21)", () => {
    expect(made(plain, { toJsonSchema: {} })).toThrow(expect.objectContaining({ code: "invalid_argument", details: { field: 'tool.toJsonSchema (of "weather")' } }) as Error);
    expect(() => createLash({ provider: scriptedProvider([]), toJsonSchema: {} as never })).toThrow(expect.objectContaining({ code: "invalid_argument", details: { field: "toJsonSchema" } }) as Error);
  });
});

describe("what can never work is refused by name", () => {
  test.each<[string, StandardSchema]>([
    ["a text", z.string()],
    ["a list", z.array(z.object({}))],
    ["null", z.null()],
    ["a union without an object", z.union([z.string(), z.number()])],
    ["a choice of words", z.enum(["a", "b"])],
    ["a word", z.literal("a")],
    ["a text of zod/mini", mini.string()],
    ["an object and a text at once", z.intersection(z.object({}), z.string())],
    ["nothing at all", z.never()],
  ])("%s as input (ME-21)", (_title, input) => {
    expect(made(input)).toThrow(expect.objectContaining({ code: "invalid_argument", details: { field: 'tool.input (of "weather")' }, message: expect.stringContaining("a schema of an object") as string }) as Error);
  });

  test.each([[{ type: "string" }], [{ type: ["string", "null"] }], [{ anyOf: [{ type: "string" }, { const: 1 }] }], [{ enum: ["a"] }], [{ $ref: "#/$defs/x", $defs: { x: { type: "array" } } }], [{ allOf: [{ type: "object" }, { type: "string" }] }]])("%j as inputSchema (ME-21)", (inputSchema) => {
    expect(() => tool({ name: "weather", description: "", inputSchema, run: () => 1 })).toThrow(expect.objectContaining({ code: "invalid_argument", details: { field: 'tool.inputSchema (of "weather")' } }) as Error);
    expect(() => testLash({ toJsonSchema: () => inputSchema, tools: [made(plain)()] })).toThrow("a schema of an object");
  });

  test.each([[{}], [{ type: ["object", "null"] }], [{ anyOf: [{ type: "string" }, { type: "object" }] }], [{ $ref: "#/$defs/x", $defs: { x: { type: "object" } } }], [{ $ref: "#" }], [{ $ref: "https://example.com/x" }], [{ enum: [{}] }]])("%j may be an object, and is taken (ME-21)", (inputSchema) => {
    expect(tool({ name: "weather", description: "", inputSchema, run: () => 1 }).inputSchema).toBe(inputSchema);
  });

  test("a field that is no option is refused when it is made, too (ME-21)", () => {
    expect(made(z.object({ city: z.string() }), { timeout: 5 })).toThrow(expect.objectContaining({ code: "invalid_argument", details: { field: "tool.timeout" } }) as Error);
  });
});

describe("the compiler", () => {
  const call = {} as ToolCall;

  test("knows arguments and result of `run` (ME-21)", () => {
    const ofZod = tool({ name: "a", description: "", input: z.object({ city: z.string(), n: z.coerce.number().default(3) }), run: ({ city, n }) => ({ at: city, n }) });
    expectTypeOf(ofZod.run).parameter(0).toEqualTypeOf<{ city: string; n: number }>();
    expectTypeOf(ofZod.run({ city: "x", n: 1 }, call)).toEqualTypeOf<{ at: string; n: number }>();
    const ofMini = tool({ name: "b", description: "", input: mini.object({ city: mini.string() }), onInterrupted: ({ city }) => city, run: async ({ city }) => city.length });
    expectTypeOf(ofMini.run({ city: "x" }, call)).toEqualTypeOf<Promise<number>>();
    const ofJson = tool<{ city: string }>({ name: "c", description: "", inputSchema: {}, run: ({ city }) => city });
    expectTypeOf(ofJson.run).parameter(0).toEqualTypeOf<{ city: string }>();
    const untyped = tool({ name: "d", description: "", inputSchema: {}, run: (args) => args["x"] });
    expectTypeOf(untyped.run).parameter(0).toExtend<object>();
    createLash({ provider: scriptedProvider([]), tools: [ofZod, ofMini, ofJson, untyped] });
  });

  test("names the field that is wrong (ME-21)", () => {
    const input = z.object({ city: z.string() });
    const wrong = [
      () => tool({
        name: "a", description: "", input, run: ({ city }) => city,
        // @ts-expect-error -- no such option
        timeout: 5,
      }),
      () => tool({
        name: "a", description: "", input, run: ({ city }) => city,
        // @ts-expect-error -- no boolean
        readOnly: "yes",
      }),
      () => tool({
        name: "a", description: "", inputSchema: {}, run: () => 1,
        // @ts-expect-error -- no such option
        retries: 3,
      }),
      () => tool({
        name: "a", description: "", run: () => 1,
        // @ts-expect-error -- a JSON Schema is no Standard Schema
        input: { type: "object" },
      }),
      () => tool({
        // @ts-expect-error -- no text
        name: 5,
        description: "", input, run: ({ city }) => city,
      }),
    ];
    for (const make of wrong) expect(make).toThrow(expect.objectContaining({ code: "invalid_argument" }) as Error);
    tool({
      name: "a", description: "", input,
      // @ts-expect-error -- the schema has no such field
      run: ({ town }) => town as string,
    });
  });
});
