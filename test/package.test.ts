import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { entries } from "../scripts/entries.ts";

const { exports: exported, bin, dependencies, peerDependencies, peerDependenciesMeta } = JSON.parse(
  readFileSync(fileURLToPath(new URL("../package.json", import.meta.url)), "utf8"),
) as {
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>;
  readonly bin: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional?: boolean }>>;
};

const targets = Object.values(exported).filter((target) => typeof target !== "string");

test("the package offers what is built, and builds what it offers", () => {
  const offered = [...targets.map((target) => target.default.slice(2)), ...Object.values(bin)];
  expect(offered.sort()).toEqual(Object.keys(entries).map((entry) => `dist/${entry}.js`).sort());
});

test("every export has its declarations beside it", () => {
  expect(targets.map(({ types }) => types)).toEqual(targets.map((target) => target.default.replace(/\.js$/, ".d.ts")));
});

test("every entry lies where its source does, for that is where its declarations will be", () => {
  const sources = Object.keys(entries).map((entry) => `src/${entry}.ts`);
  expect(Object.values(entries)).toEqual(sources);
  expect(sources.filter((source) => !existsSync(fileURLToPath(new URL(`../${source}`, import.meta.url))))).toEqual([]);
});

test("clients of entries are optional peers, never dependencies", () => {
  const peers = Object.keys(peerDependencies);
  expect(peers.filter((peer) => peerDependenciesMeta[peer]?.optional !== true)).toEqual([]);
  expect(peers.filter((peer) => peer in dependencies)).toEqual([]);
});
