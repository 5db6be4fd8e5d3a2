// Programs for people to look at: formatted, as canonical source, as a graph. For editors, reviews and dashboards.
// And types of the language for tools that describe theirs as JSON Schema.
export { parseWithComments } from "./syntax/parser.ts";
export type { Comment } from "./syntax/lexer.ts";
export { operationPaths } from "./syntax/operation-paths.ts";
export { printProgram } from "./printer/print-program.ts";
export { printType } from "./printer/print-type.ts";
export { sourceOfArtifact } from "./artifact/artifact-source.ts";
export { describeModule } from "./artifact/introspect.ts";
export type { ModuleDescription, ProcessDescription } from "./artifact/introspect.ts";
export { staticGraph } from "./graph/static-graph.ts";
export type { EntryGraph, GraphEdge, GraphNode, StaticGraph } from "./graph/static-graph.ts";
export { toMermaid } from "./graph/mermaid.ts";
export { typeFromJsonSchema } from "./types/from-json-schema.ts";
