// tool(): ids apart from names, and arguments that only a JSON Schema describes (PT-47, PT-69).

import { expect, test } from "vitest";
import * as z from "zod";
import { tool, type ToolCall } from "../../src/index.ts";

const inputSchema = {
  type: "object",
  properties: { city: { type: "string", minLength: 2 }, days: { type: "array", items: { type: "integer", minimum: 1 }, maxItems: 2 }, unit: { enum: ["C", "F"] } },
  required: ["city"],
  additionalProperties: false,
};
const weather = tool<{ city: string }>({ id: "weather-v1", name: "weather", description: "", inputSchema, outputSchema: { type: "string" }, run: ({ city }) => city });

test("PT-69 a JSON Schema is enough: shown as it is, and what it lets through is handed over unchanged, open objects with all they hold", async () => {
  expect(weather).toMatchObject({ id: "weather-v1", name: "weather", inputSchema, outputSchema: { type: "string" } });
  expect(weather.inputSchema).toBe(inputSchema);
  const open = tool({ name: "open", description: "", inputSchema: { type: "object", additionalProperties: true }, run: (args) => args });
  const args = { a: { b: [1, null] }, "": "x" };
  const validated = await open.validate(args);
  expect("args" in validated && validated.args).toBe(args);
  expect(open.run(args, {} as ToolCall)).toBe(args);
});

test.each([
  [{ city: 5 }, "city"],
  [{ city: "x" }, "city"],
  [{}, "city"],
  [{ city: "Oslo", days: [1, 2, 3] }, "days"],
  [{ city: "Oslo", days: [0] }, "days/0"],
  [{ city: "Oslo", unit: "K" }, "unit"],
  [{ city: "Oslo", extra: 1 }, "extra"],
  [null, "object"],
])("PT-47 PT-69 %j does not fit, and the model is told where", async (args, where) => {
  expect(await weather.validate(args)).toEqual({ problem: expect.stringContaining(where) as string });
});

test("a schema that leads nowhere fits nothing and throws nothing", async () => {
  const broken = tool({ name: "x", description: "", inputSchema: { $ref: "https://example.com/none" }, run: () => null });
  expect(await broken.validate({})).toEqual({ problem: expect.stringContaining("schema cannot be used") as string });
});

test.each([
  [{ id: " " }, "tool.id"],
  [{ id: 5 }, "tool.id"],
  [{ id: "x".repeat(201) }, "tool.id"],
  [{ inputSchema: "object" }, "tool.inputSchema"],
  [{ inputSchema: { type: () => "object" } }, "tool.inputSchema"],
  [{ outputSchema: [] }, "tool.outputSchema"],
  [{ inputSchema: undefined }, "tool.input"],
  [{ input: {} }, "tool.input"],
])("%j is refused by name (PT-69)", (wrong, field) => {
  const make = (): unknown => tool({ name: "x", description: "", inputSchema: {}, run: () => null, ...wrong } as never);
  expect(make).toThrow(expect.objectContaining({ code: "invalid_argument", details: { field: `${field} (of "x")` } }) as Error);
});

test("a Standard Schema still validates where a JSON Schema is shown (OP-23)", async () => {
  const both = tool({ name: "x", description: "", input: z.object({ n: z.coerce.number() }), inputSchema: { type: "object" }, run: ({ n }) => n });
  expect(await both.validate({ n: "7" })).toEqual({ args: { n: 7 } });
});
