import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { entries } from "../../scripts/entries.ts";
import { root, run } from "./run-example.ts";

const readme = readFileSync(join(root, "README.md"), "utf8");
const { name, exports: exported, scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  readonly name: string;
  readonly exports: Readonly<Record<string, string | { readonly default: string }>>;
  readonly scripts: Readonly<Record<string, string>>;
};

const blocks = [...readme.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(([, language = "", text = ""]) => ({ language, text }));

/** The source file behind an import of the package, for a clone that was never built. */
function sourceOf(specifier: string): string {
  const entry = exported[specifier.replace(name, ".")];
  const output = typeof entry === "object" ? entry.default : "";
  const source = entries[output.replace("./dist/", "").replace(".js", "")];
  if (source === undefined) throw new Error(`${specifier} is no entry of the package`);
  return join(root, source);
}

let folder = "";
beforeEach(() => {
  // Inside the repository, so that the program finds zod.
  mkdirSync(join(root, ".lash"), { recursive: true });
  folder = mkdtempSync(join(root, ".lash", "readme-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe("README", () => {
  test("its program says what the README says it says", { timeout: 30_000 }, async () => {
    const at = blocks.findIndex(({ language }) => language === "ts");
    const [program, output] = [blocks[at]?.text ?? "", blocks[at + 1]?.text];
    expect(program.split("\n").filter((line) => line.trim() !== "").length).toBeLessThanOrEqual(16);
    const file = join(folder, "program.ts");
    const runnable = program
      .replaceAll(/from "(lash-runtime[^"]*)"/g, (_, specifier: string) => `from ${JSON.stringify(sourceOf(specifier))}`)
      .replace('"agents.db"', JSON.stringify(join(folder, "agents.db")));
    writeFileSync(file, runnable);
    expect(await run(file)).toEqual({ code: 0, output });
  });

  test("the files it links to are there, and the commands it names are scripts", () => {
    const links = [...readme.matchAll(/\]\((?!http)([^)#]+)\)/g)].map(([, path = ""]) => path);
    expect(links.filter((path) => !existsSync(join(root, path)))).toEqual([]);
    const commands = [...readme.matchAll(/npm (?:run )?(start|test|chat)\b/g)].map(([, script = ""]) => script);
    expect(commands.filter((script) => scripts[script] === undefined)).toEqual([]);
  });

  test("the package entries it names exist", () => {
    const specifiers = [...readme.matchAll(/lash-runtime\/[a-z-]+(?:\/[a-z]+)?/g)].map(([specifier]) => specifier);
    expect(specifiers.filter((specifier) => !existsSync(sourceOf(specifier)))).toEqual([]);
  });
});
