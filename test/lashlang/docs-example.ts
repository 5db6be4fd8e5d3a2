// The TypeScript example of docs/lashlang.md; docs.test.ts keeps the two equal.
import { compileCell, createHostEnvironment, drive, link, parse, Session } from "../../src/lashlang/index.ts";
import type { LashHost } from "../../src/lashlang/index.ts";

const environment = createHostEnvironment({
  modules: [
    {
      path: "clock",
      resourceType: "Clock",
      operations: { now: { hostOperation: "clock_now", input: "null", output: "int" } },
    },
  ],
});

const host: LashHost = {
  perform({ op }) {
    if (op.kind === "ResourceOperation" && op.operation === "now") return { value: 1_700_000_000_000 };
    if (op.kind === "Finish") return { value: op.value };
    return { error: `this host does not do ${op.kind}` };
  },
};

const source = "finish floor_div(clock.now()?, 1000)";
const program = link(parse(source), environment, source);
const session = new Session();
export const result = await drive(session.begin(compileCell(program)), host);
// { kind: "finished", value: 1700000000 }
