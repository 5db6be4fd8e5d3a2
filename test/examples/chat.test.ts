import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { run, start } from "./run-example.ts";

const CHAT = "examples/agent-host/chat.ts";
const QUICK = { AGENT_PACE: "1" };
/** Tools that take so long that a test can act in the middle of one. */
const SLOW = { AGENT_PACE: "6" };

let home = "";
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "lash-chat-"));
});
afterEach(() => rmSync(home, { recursive: true }));

const chat = (env: Readonly<Record<string, string>>) => start(CHAT, ["--home", home], env);

describe("terminal chat", { timeout: 60_000 }, () => {
  test("answers over a pipe, leaves at the end of its input, and remembers", async () => {
    const first = chat(QUICK);
    first.type("will it rain in Bergen?");
    first.hangUp();
    const { code, output } = await first.ended;
    expect(output).toContain("✓ forecast");
    expect(output).toContain("agent › Bergen will be dry at 10 °C.");
    expect(output).not.toContain("\u001b");
    expect(code).toBe(0);
    expect((await run(CHAT, ["--home", home], QUICK)).output).toContain("you › will it rain in Bergen?");
  });

  test("killed in the middle of a tool, it goes on with the turn when it is started again", async () => {
    const first = chat(SLOW);
    first.type("book me a room in Oslo");
    await first.said("✓ forecast");
    first.kill("SIGKILL");
    expect((await first.ended).output).not.toContain("✓ rooms");

    const { code, output } = await run(CHAT, ["--home", home], QUICK);
    expect(output).toContain("The last process died in the middle of a turn. Going on with it:");
    expect(output).toContain("✓ rooms");
    expect(output).toMatch(/agent › Oslo will be dry at 8 °C\. Hotel Fjord is booked for 79 €; reference \w{6}\./);
    expect(output).toContain("that was the answer to: book me a room in Oslo");
    expect(code).toBe(0);
  });

  test("one interrupt cancels the turn and keeps the chat, a second one leaves", async () => {
    const running = chat(SLOW);
    running.type("book me a room in Oslo");
    await running.said("✓ forecast");
    running.kill("SIGINT");
    await running.said("stopped: cancelled");
    running.type("will it rain in Bergen?");
    await running.said("Bergen will be dry");
    await running.said("720 + 55 tokens");
    running.kill("SIGINT");
    await running.said("Ctrl-C again leaves\n");
    running.kill("SIGINT");
    expect((await running.ended).code).toBe(130);
  });
});
