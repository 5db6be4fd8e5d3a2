// What peers.ts in the folder above compares with.

export { langGraph } from "./lang-graph.ts";
export { pi } from "./pi.ts";
export { xstate } from "./xstate.ts";
