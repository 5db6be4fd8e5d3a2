/** Entry points of the package: output name below dist/ to source file. package.json `exports` names the same set. */
export const entries: Record<string, string> = {
  index: "src/index.ts",
  "stores/sqlite/store": "src/stores/sqlite/store.ts",
  "stores/indexeddb/store": "src/stores/indexeddb/store.ts",
  "providers/ai-sdk/index": "src/providers/ai-sdk/index.ts",
  direct: "src/direct.ts",
  compaction: "src/compaction.ts",
  "stores/engine-kit": "src/stores/engine-kit.ts",
  "cli/lash": "src/cli/lash.ts",
  "testing/index": "src/testing/index.ts",
  "inspect/index": "src/inspect/index.ts",
  "inspect/node": "src/inspect/node.ts",
  "inspect/stately-inspector": "src/inspect/stately-inspector.ts",
  "lashlang/index": "src/lashlang/index.ts",
  "lashlang/durable": "src/lashlang/durable.ts",
  "lashlang/tools": "src/lashlang/tools.ts",
  "lashlang/cli": "src/lashlang/cli.ts",
};
