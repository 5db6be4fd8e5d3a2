// Which files the build puts the modules of the main entry into. By itself the bundler makes a file for every set of entries that
// share something: 68 files for the main entry, and finding a file takes Node as long as compiling 15 kB of it.

import { join } from "node:path";
import { entries } from "./entries.ts";

/**
 * Names of the files, and whose modules they hold: those that the main entry and one of these share, and that no file above holds.
 * An entry that is used without the main one stays small as long as it loads only files near the top.
 */
const CHUNKS: readonly (readonly [name: string, of: readonly string[]])[] = [
  ["base", ["stores/engine-kit", "inspect/index", "trace/index"]],
  ["completion", ["direct", "providers/ai-sdk/index"]],
  ["runtime", ["index"]],
];

/** What the bundler knows of a module. */
interface ModuleImports {
  readonly importedIds: readonly string[];
}

type Importing = (id: string) => ModuleImports | null;

/** @returns the name of the file that a module belongs into; null leaves it to the bundler, as for everything that is loaded when it is first used. */
export function chunkOf(root: string): (id: string, graph: { getModuleInfo: Importing }) => string | null {
  let chunks: ReadonlyMap<string, string> | undefined;
  return (id, graph) => (chunks ??= allChunks(root, (of) => graph.getModuleInfo(of))).get(id) ?? null;
}

function allChunks(root: string, importing: Importing): ReadonlyMap<string, string> {
  const reached = (entry: string): ReadonlySet<string> => closure(join(root, entries[entry] ?? ""), importing);
  const runtime = reached("index");
  const chunks = new Map<string, string>();
  for (const [name, of] of CHUNKS) {
    for (const id of new Set(of.flatMap((entry) => [...reached(entry)]))) if (runtime.has(id) && !chunks.has(id)) chunks.set(id, name);
  }
  return chunks;
}

/** A module and all that it imports, except for what it loads later. */
function closure(id: string, importing: Importing): ReadonlySet<string> {
  const found = new Set([id]);
  for (const each of found) for (const imported of importing(each)?.importedIds ?? []) found.add(imported);
  return found;
}
