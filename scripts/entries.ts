/** Entry points of the package: output name below dist/ to source file. package.json `exports` names the same set. */
export const entries: Record<string, string> = {
  index: "src/index.ts",
  "lashlang/index": "src/lashlang/index.ts",
  "lashlang/tools": "src/lashlang/tools.ts",
  "lashlang/cli": "src/lashlang/cli.ts",
};
