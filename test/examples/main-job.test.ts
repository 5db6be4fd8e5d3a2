import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { root, run } from "./run-example.ts";

const MAIN = "examples/agent-host/main.ts";
const homeIn = (output: string): string => /in (\/\S*lash-agent-host-\w+)/.exec(output)?.[1] ?? "";

describe("main job", () => {
  test("`npm start` runs it", () => {
    const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { scripts: Record<string, string> };
    expect(scripts["start"]).toBe(`node ${MAIN}`);
  });

  test("a turn that is killed twice in the middle of a tool ends with nothing lost and nothing done twice", { timeout: 60_000 }, async () => {
    const { code, output } = await run(MAIN);
    expect(output).toContain("Nothing lost, nothing done twice.");
    expect(code).toBe(0);
    expect(output.match(/SIGKILL {3}in the middle of/g)).toHaveLength(2);
    expect(output).toMatch(/process 3, pid \d+/);
    // A process that takes the turn over goes on in the state that the last one left.
    expect(output.match(/states {4}runningTools.executing/g)?.length).toBeGreaterThan(1);
    expect(output).toMatch(/tool {6}forecast {2}success +from the journal/);
    expect(output).toMatch(/book {6}was cut off, so it asks first: the hotel has the booking/);
    expect(output).toMatch(/forecast +1 +1 {3}ran once/);
    expect(output).toMatch(/rooms +2 +1 {3}cut off/);
    expect(output).toMatch(/book +1 +0 {3}cut off after the booking/);
    expect(output).toContain("3 calls at the server, 1500 + 135 tokens counted");
    expect(output.match(/✓/g)).toHaveLength(6);
    // Nobody looks: no colour codes. Somebody may look later: lines fit a terminal.
    expect(output).not.toContain("\u001b");
    expect(Math.max(...output.split("\n").map((line) => line.length))).toBeLessThanOrEqual(110);
    expect(existsSync(homeIn(output))).toBe(false);
  });

  test("without journaled effects the same kills make tools run twice, and the exit code is 1", { timeout: 60_000 }, async () => {
    const { code, output } = await run(MAIN, ["--no-journal"]);
    expect(code).toBe(1);
    expect(output).toContain("forecast had finished and ran again");
    expect(output).toContain("2 bookings for 1 calls");
    expect(output).toContain("Something was lost or done twice.");
    const home = homeIn(output);
    expect(existsSync(home)).toBe(true);
    rmSync(home, { recursive: true });
  });
});
