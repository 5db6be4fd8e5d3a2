/** Entry points of the package: output name below dist/ to source file. package.json `exports` names the same set. */
export const entries: Record<string, string> = {
  index: "src/index.ts",
  "inspect/index": "src/inspect/index.ts",
  "inspect/node": "src/inspect/node.ts",
  "inspect/stately": "src/inspect/stately-inspector.ts",
};
