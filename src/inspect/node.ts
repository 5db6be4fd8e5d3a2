// Node-only part of inspection: the local viewer and the bridge to Stately's, both on the loopback interface.
export type { InspectServer } from "./live-server.ts";
export { inspectServer, type InspectServerOptions } from "./server.ts";
export { statelyServer, type StatelyServerOptions } from "./stately-server.ts";
