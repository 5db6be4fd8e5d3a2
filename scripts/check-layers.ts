// Fails when an import in src/ points up the layers, or when imports form a cycle.
import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const src = join(root, "src");

/** Lower number = lower layer. A folder may import its own layer's folders only where `peers` allows it, and anything below. */
const LAYERS: readonly (readonly string[])[] = [
  ["domain"],
  ["lashlang", "stores", "machines"],
  ["protocols"],
  ["actors"],
  ["plugins", "tools", "providers", "triggers", "processes"],
  ["observe"],
  ["facade", "children"],
  ["inspect", "trace", "remote", "testing", "cli"],
];
/** What a lower or equal layer may see of a folder above it: its contract file, types only. */
const CONTRACT = /\/contract\.ts$/;

const files = globSync("**/*.ts", { cwd: src }).map((file) => file.replaceAll("\\", "/"));
const folderOf = (file: string): string => (file.includes("/") ? file.slice(0, file.indexOf("/")) : "facade");
const layerOf = (file: string): number => LAYERS.findIndex((layer) => layer.includes(folderOf(file)));

const problems: string[] = [];
const imports = new Map<string, string[]>();
for (const file of files) {
  const text = readFileSync(join(src, file), "utf8");
  const targets: string[] = [];
  for (const match of text.matchAll(/^(?:import|export)\s+(type\s+)?(?:[^"';]*?\s+from\s+)?"(\.[^"]+)"/gm)) {
    const target = relative(src, join(src, dirname(file), match[2] ?? "")).replaceAll("\\", "/");
    const typeOnly = match[1] !== undefined;
    if (!typeOnly) targets.push(target);
    const [from, to] = [layerOf(file), layerOf(target)];
    if (from < 0) problems.push(`${file}: folder "${folderOf(file)}" has no layer (scripts/check-layers.ts)`);
    if (to > from && !(typeOnly && CONTRACT.test(`/${target}`))) problems.push(`${file} -> ${target}: points up the layers`);
    if (to === from && folderOf(file) !== folderOf(target) && !typeOnly && from === 1) {
      problems.push(`${file} -> ${target}: neighbours of the lowest layers do not know each other`);
    }
  }
  imports.set(file, targets);
}

const done = new Set<string>();
const visit = (file: string, path: readonly string[]): void => {
  if (path.includes(file)) {
    problems.push(`cycle: ${[...path.slice(path.indexOf(file)), file].join(" -> ")}`);
    return;
  }
  if (done.has(file)) return;
  for (const target of imports.get(file) ?? []) visit(target, [...path, file]);
  done.add(file);
};
for (const file of files) visit(file, []);

for (const problem of new Set(problems)) console.error(problem);
if (problems.length > 0) process.exit(1);
