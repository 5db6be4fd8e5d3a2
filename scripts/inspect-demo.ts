// Opens the viewer on made-up sessions, to look at it without a model, a store or a key: node scripts/inspect-demo.ts
//   --sessions 12   how many run at once        --rate 4   steps a second of each
import { parseArgs } from "node:util";
import { inspectServer } from "../src/inspect/node.ts";
import { fakeRuntime } from "../test/inspect/machines/system.ts";
import { buildViewer } from "./build-viewer.ts";

const { values } = parseArgs({ options: { sessions: { type: "string", default: "12" }, rate: { type: "string", default: "4" }, port: { type: "string", default: "0" } } });
const sessions = Math.max(1, Number(values.sessions));
await buildViewer();
const viewer = await inspectServer({ label: "demo", port: Number(values.port) });
console.log(viewer.url);

const runtime = fakeRuntime(viewer);
let turn = 0;
const startAll = (): void => {
  turn += 1;
  for (let index = 1; index <= sessions; index += 1) runtime.start(`chat-${index}`, `t${turn}`, { replayedUpTo: index % 5, rounds: 1 + (index % 3) });
};
startAll();
setInterval(() => {
  if (!runtime.advance()) startAll();
}, 1000 / Math.max(0.1, Number(values.rate)));
