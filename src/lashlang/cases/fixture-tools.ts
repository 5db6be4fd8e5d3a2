// The tools behind the fixture's modules: a few files, a shell that says what it ran, tools that fail.
import { failed, type ToolAnswer } from "./tool-answer.ts";
import type { Json } from "../values/json-value.ts";

const FILES: ReadonlyMap<string, string> = new Map([
  ["a.txt", "A"],
  ["b.txt", "B"],
  ["Cargo.toml", "abc"],
  ["README.md", ""],
  ["src/lib.rs", "pub fn main() {}"],
]);

type Payload = { readonly [key: string]: Json };

export function callTool(hostOperation: string, payload: Payload): ToolAnswer {
  switch (hostOperation) {
    case "echo":
      return { value: payload["value"] ?? null };
    case "boom":
      return failed("explicit failure for tests");
    case "err":
      return failed("boom");
    case "read_file":
      return readFile(String(payload["path"]));
    case "exec_command":
      return { value: exec(String(payload["cmd"])) };
    case "spawn_agent":
      return { value: { claim: `done:${String(payload["task"])}` } };
    default:
      return failed(`unknown tool: ${hostOperation}`);
  }
}

function readFile(path: string): ToolAnswer {
  const content = FILES.get(path);
  return content === undefined ? failed(`missing file: ${path}`) : { value: content };
}

function exec(cmd: string): Json {
  return {
    status: "completed",
    done: true,
    running: false,
    output: `ran: ${cmd}`,
    exit_code: cmd === "test -f Cargo.lock" ? 1 : 0,
  };
}
