import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { entries } from "../scripts/entries.ts";

const { exports: exported, dependencies, peerDependencies, peerDependenciesMeta } = JSON.parse(
  readFileSync(fileURLToPath(new URL("../package.json", import.meta.url)), "utf8"),
) as {
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional?: boolean }>>;
};

const targets = Object.values(exported).filter((target) => typeof target !== "string");

test("the package exports what is built, and builds what it exports", () => {
  const built = Object.keys(entries).map((entry) => ({ types: `./dist/${entry}.d.ts`, default: `./dist/${entry}.js` }));
  const byName = (a: { readonly default: string }, b: { readonly default: string }) => a.default.localeCompare(b.default);
  expect([...targets].sort(byName)).toEqual(built.sort(byName));
});

test("every entry has its source", () => {
  const missing = Object.values(entries).filter((source) => !existsSync(fileURLToPath(new URL(`../${source}`, import.meta.url))));
  expect(missing).toEqual([]);
});

test("clients of entries are optional peers, never dependencies", () => {
  const peers = Object.keys(peerDependencies);
  expect(peers.filter((peer) => peerDependenciesMeta[peer]?.optional !== true)).toEqual([]);
  expect(peers.filter((peer) => peer in dependencies)).toEqual([]);
});
