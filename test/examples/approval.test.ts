import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { Desk } from "../../examples/approval/desk.ts";
import { run, start } from "./run-example.ts";

const MAIN = "examples/approval/main.ts";

test("a person approves in another process while the asking one is dead; the next one pays once (PT-66, PT-60, OP-8)", { timeout: 60_000 }, async () => {
  const { code, output } = await run(MAIN);
  expect(output).toContain("Pay 40 back for order A-17? yes: accepted");
  expect(output).toContain("Pay 40 back for order A-17? no: already_resolved");
  expect(output.match(/"Your refund has been paid\."/g)).toHaveLength(2);
  expect(output.match(/calls pay/g)).toHaveLength(1);
  expect(output).toMatch(/Payments: 40 for order A-17, under \w{8}\n/);
  expect(code).toBe(0);
});

test("a refusal is an ordinary failure that the model sees, and nothing is paid (PT-66)", { timeout: 60_000 }, async () => {
  const { code, output } = await run(MAIN, ["no"]);
  expect(output).toContain("no: accepted");
  expect(output).toContain("yes: already_resolved");
  expect(output.match(/"I am sorry, the refund was not approved\."/g)).toHaveLength(2);
  expect(output).toContain("Payments: none");
  expect(code).toBe(0);
});

test("a process that waits and lives finds the answer that another process wrote (OP-9, E-23, PT-60)", { timeout: 60_000 }, async () => {
  const home = mkdtempSync(join(tmpdir(), "lash-approval-test-"));
  const clerk = start("examples/approval/clerk.ts", [home]);
  await clerk.said("calls ask_for_approval");
  while (new Desk(home).questions.length === 0) await setImmediate();
  expect((await run("examples/approval/person.ts", [home, "yes"])).output).toContain("yes: accepted");
  const { code, output } = await clerk.ended;
  expect(output).toContain('"Your refund has been paid."');
  expect(code).toBe(0);
  rmSync(home, { recursive: true });
});

test("who looks at the desk while a question is being written sees it once it is whole", () => {
  const home = mkdtempSync(join(tmpdir(), "lash-approval-test-"));
  const written = `${JSON.stringify({ asks: "Pay?", key: "k" })}\n`;
  const seen = ["", written.slice(0, 9), written.slice(9, -1), "\n"].map((piece) => {
    appendFileSync(join(home, "desk.jsonl"), piece);
    return new Desk(home).questions.length;
  });
  expect(seen).toEqual([0, 0, 0, 1]);
  rmSync(home, { recursive: true });
});
