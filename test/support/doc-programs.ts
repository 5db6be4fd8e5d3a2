// Programs in Markdown: read, and run as a reader would, from sources that were never built.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { entries } from "../../scripts/entries.ts";
import { root, run, type Ran } from "../examples/run-example.ts";

export interface Block {
  readonly language: string;
  readonly text: string;
}

const { name, exports: exported } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  readonly name: string;
  readonly exports: Readonly<Record<string, string | { readonly default: string }>>;
};

export const blocksIn = (markdown: string): readonly Block[] =>
  [...markdown.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(([, language = "", text = ""]) => ({ language, text }));

/** Programs that a block without a language follows, which is their output. */
export const programsIn = (markdown: string): readonly { readonly program: string; readonly output: string }[] => {
  const blocks = blocksIn(markdown);
  return blocks.flatMap(({ language, text }, at) => {
    const next = blocks[at + 1];
    return language === "ts" && text.startsWith("import ") && next?.language === "" ? [{ program: text, output: next.text }] : [];
  });
};

/** Links of a page to files that are not there. */
export function deadLinks(page: string): readonly string[] {
  const links = [...readFileSync(join(root, page), "utf8").matchAll(/\]\((?!http)([^)#]+)\)/g)].map(([, path = ""]) => path);
  return links.filter((path) => !existsSync(join(root, dirname(page), path)));
}

/** Package entries that a page names and the package does not have. */
export const unknownEntries = (markdown: string): readonly string[] =>
  [...markdown.matchAll(/lash-runtime\/[a-z-]+(?:\/[a-z]+)?/g)].map(([specifier]) => specifier).filter((specifier) => !sourceOf(specifier));

export const runProgram = (program: string): Promise<Ran> =>
  inFolder((folder) => {
    const file = join(folder, "program.ts");
    writeFileSync(file, onSources(program).replace('"agents.db"', JSON.stringify(join(folder, "agents.db"))));
    return run(file);
  });

/** @returns what TypeScript has to say against programs, in a project as strict as a reader's may be. */
export const typeProblems = (programs: readonly string[]): Promise<string> =>
  inFolder(async (folder) => {
    for (const [at, program] of programs.entries()) writeFileSync(join(folder, `program-${at + 1}.ts`), onSources(program));
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ extends: join(root, "tsconfig.json"), compilerOptions: { rewriteRelativeImportExtensions: false }, include: ["*.ts"] }));
    const { stdout } = spawnSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", folder], { encoding: "utf8" });
    return stdout;
  });

/** Inside the repository, so that programs find zod. */
async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  mkdirSync(join(root, ".lash"), { recursive: true });
  const folder = mkdtempSync(join(root, ".lash", "program-"));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const onSources = (program: string): string =>
  program.replaceAll(/from "(lash-runtime[^"]*)"/g, (_, specifier: string) => `from ${JSON.stringify(sourceOf(specifier))}`);

/** The source file behind an import of the package. */
function sourceOf(specifier: string): string | undefined {
  const entry = exported[specifier.replace(name, ".")];
  const output = typeof entry === "object" ? entry.default : "";
  const source = entries[output.replace("./dist/", "").replace(".js", "")];
  return source === undefined ? undefined : join(root, source);
}
