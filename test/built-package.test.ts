// What `npm run build` makes: that it brings its own zod, and takes the app's.

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { build } from "vite";
import { root, run } from "./examples/run-example.ts";

let folder: string;

beforeAll(async () => {
  // Inside the repository, so that what is built finds its dependencies.
  mkdirSync(join(root, ".lash"), { recursive: true });
  folder = mkdtempSync(join(root, ".lash", "built-"));
  // The config looks for browsers where tests run.
  const { VITEST: vitest } = process.env;
  delete process.env["VITEST"];
  await build({ configFile: join(root, "vite.config.ts"), root, logLevel: "error", build: { outDir: join(folder, "dist"), emptyOutDir: true } }).finally(() => {
    process.env["VITEST"] = vitest;
  });
});

afterAll(() => rmSync(folder, { recursive: true }));

const importsOf = (code: string): readonly string[] => [...code.matchAll(/^(?:import|export)\b[^;]*?\bfrom "([^"]+)"|^import "([^"]+)"|\bimport\("([^"]+)"\)/gm)].map(([, from, bare, later]) => from ?? bare ?? later ?? "");

/** Runs a program with what was built beside it, and reads the JSON that it prints. */
async function printed(program: string): Promise<unknown> {
  const file = join(folder, "program.mjs");
  writeFileSync(file, program);
  const { code, output } = await run(file);
  expect({ code, output }).toMatchObject({ code: 0 });
  return JSON.parse(output) as unknown;
}

const ECHO = `
const said = [];
const provider = {
  id: "scripted", modelId: "scripted-model",
  async complete({ messages, tools }) {
    said.push(tools.map(({ inputSchema }) => inputSchema));
    const usage = { inputTokens: 1, outputTokens: 1, cacheReadInputTokens: 0, cacheWriteInputTokens: 0, reasoningOutputTokens: 0 };
    if (messages.at(-1).blocks[0].type === "toolResult") return { fullText: "", parts: [{ type: "text", text: "done" }], usage, terminalReason: "stop" };
    const parts = tools.flatMap(({ name }) => [{ city: "Oslo" }, { city: 7 }].map((args, at) => ({ type: "toolCall", toolName: name, callId: name + at, inputJson: JSON.stringify(args) })));
    return { fullText: "", parts, usage, terminalReason: "tool_use" };
  },
};
`;

test("the built package takes schemas of the app's own zod, zod/mini and other libraries, which are other copies than its own (ME-21)", async () => {
  const shown = await printed(`
    import * as z from "zod";
    import * as mini from "zod/mini";
    import { createLash, tool } from "./dist/index.js";
    ${ECHO}
    const run = ({ city, unit }) => city + " in " + unit;
    const plain = { "~standard": { version: 1, vendor: "plain", validate: (value) => (typeof value.city === "string" ? { value: { ...value, unit: "K" } } : { issues: [{ message: "a text", path: ["city"] }] }) } };
    const tools = [
      tool({ name: "full", description: "", input: z.object({ city: z.string().describe("where"), unit: z.string().default("C") }), run }),
      tool({ name: "mini", description: "", input: mini.object({ city: mini.string().register(mini.globalRegistry, { description: "where" }), unit: mini._default(mini.string(), "F") }), run }),
      tool({ name: "plain", description: "", input: plain, inputSchema: { type: "object" }, run }),
    ];
    const lash = createLash({ provider, tools });
    const { toolCalls } = await (await lash.openSession("s")).run("go");
    await lash.close();
    const schemas = said[0].map((schema) => schema.properties?.city);
    console.log(JSON.stringify({ schemas, outcomes: toolCalls.map(({ output }) => output.outcome.payload.code ?? output.outcome.payload) }));
  `);
  expect(shown).toEqual({
    schemas: [{ type: "string", description: "where" }, { type: "string", description: "where" }, undefined].map((schema) => schema ?? null),
    outcomes: ["Oslo in C", "invalid_tool_args", "Oslo in F", "invalid_tool_args", "Oslo in K", "invalid_tool_args"],
  });
});

test("the built package loads no module of zod, and main entry and SQLite store come in few files", () => {
  const files = readdirSync(join(folder, "dist"), { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".js"));
  const imports = new Map(files.map((file) => [file, importsOf(readFileSync(join(folder, "dist", file), "utf8"))]));
  expect([...imports].filter(([, from]) => from.some((name) => /^zod\b/.test(name)))).toEqual([]);

  const loaded = new Set(["index.js", join("stores", "sqlite", "store.js")]);
  for (const file of loaded) {
    const code = readFileSync(join(folder, "dist", file), "utf8").replaceAll(/\bimport\("[^"]+"\)/g, "");
    for (const name of importsOf(code)) if (name.startsWith(".")) loaded.add(join(dirname(file), name));
  }
  expect(loaded.size).toBeLessThanOrEqual(12);
});
