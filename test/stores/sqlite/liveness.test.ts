import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, test } from "vitest";
import type { LeaseOwner } from "../../../src/stores/contract.ts";
import { livenessOf, type ProcessTable, processLiveness } from "../../../src/stores/sqlite/process-liveness.ts";
import { temporaryFolder } from "./harness.ts";

const pathOf = temporaryFolder();

const fails = (code: string): never => {
  throw Object.assign(new Error(code), { code });
};

interface Machine {
  readonly namespace?: string;
  readonly hostname?: string;
  readonly bootId?: string;
  /** What /proc shows: start times by pid. */
  readonly shown: Readonly<Record<number, string>>;
  /** Whom `kill` finds beside them. */
  readonly hidden?: readonly number[];
  /** Our number in the namespace of the /proc that is mounted here. */
  readonly numberInProc?: string;
}

function tableOf({ namespace = "pid:[1]", hostname = "host", bootId = "boot", shown, hidden = [], numberInProc = "10" }: Machine): ProcessTable {
  const links: Readonly<Record<string, string>> = { "/proc/self": numberInProc, "/proc/self/ns/pid": namespace };
  return {
    pid: 10,
    hostname,
    link: (path) => links[path] ?? fails("ENOENT"),
    read: (path) => {
      if (path === "/proc/sys/kernel/random/boot_id") return `${bootId}\n`;
      const started = shown[Number(path.split("/")[2])];
      return started === undefined ? fails("ENOENT") : `7 (a) b) ${started === "zombie" ? "Z" : "S"} ${"0 ".repeat(18)}${started} 0\n`;
    },
    probe: (pid) => (shown[pid] !== undefined ? undefined : hidden.includes(pid) ? fails("EPERM") : fails("ESRCH")),
  };
}

const ownerOn = (liveness: Partial<Extract<LeaseOwner["liveness"], { kind: "local_process" }>> = {}): LeaseOwner => ({
  ownerId: "o",
  incarnationId: "i",
  liveness: { kind: "local_process", hostId: "host/pid:[1]", bootId: "boot", pid: 20, processStart: "500", ...liveness },
});

describe("proof of death", () => {
  const here = livenessOf(tableOf({ shown: { 10: "100" } }));

  test("a process names host, pid namespace, boot, number and start time (ME-28)", async () => {
    expect(await here.self()).toEqual({ kind: "local_process", hostId: "host/pid:[1]", bootId: "boot", pid: 10, processStart: "100" });
  });

  test("an owner whose pid is nowhere, has ended or started at another time is dead (P-25)", async () => {
    expect(await here.isDead(ownerOn())).toBe(true);
    expect(await livenessOf(tableOf({ shown: { 10: "100", 20: "501" } })).isDead(ownerOn())).toBe(true);
    expect(await livenessOf(tableOf({ shown: { 10: "100", 20: "zombie" } })).isDead(ownerOn())).toBe(true);
    expect(await livenessOf(tableOf({ shown: { 10: "100", 20: "500" } })).isDead(ownerOn())).toBe(false);
  });

  test.each<[string, LeaseOwner]>([
    ["another pid namespace", ownerOn({ hostId: "host/pid:[2]" })],
    ["a version that knew no namespaces", ownerOn({ hostId: "host" })],
    ["another host", ownerOn({ hostId: "other/pid:[1]" })],
    ["another boot", ownerOn({ bootId: "before" })],
    ["somewhere that nobody can tell", { ...ownerOn(), liveness: { kind: "opaque" } }],
  ])("an owner of %s is never dead for sure (ME-28)", async (_, owner) => {
    expect(await here.isDead(owner)).toBe(false);
  });

  test("an owner that /proc hides is not dead as long as the system knows its pid (ME-28)", async () => {
    const hiding = livenessOf(tableOf({ shown: { 10: "100" }, hidden: [20] }));
    expect(await hiding.isDead(ownerOn())).toBe(false);
    expect(await hiding.isDead(ownerOn({ pid: 21 }))).toBe(true);
  });

  test.each<[string, Partial<Machine>]>([
    ["/proc belongs to another namespace", { numberInProc: "4711" }],
    ["the namespace cannot be read", { namespace: "somewhere" }],
    ["/proc does not show the process itself", { shown: {} }],
  ])("where %s, a process proves nothing and nobody proves its death (ME-28)", async (_, machine) => {
    const blind = livenessOf(tableOf({ shown: { 10: "100" }, ...machine }));
    expect(await blind.self()).toEqual({ kind: "opaque" });
    expect(await blind.isDead(ownerOn())).toBe(false);
  });
});

const FLAGS = ["--pid", "--fork", "--kill-child"];
/** As root, else in a user namespace of its own, where that is allowed. */
const unshare = [FLAGS, ["--user", "--map-root-user", ...FLAGS]].find((flags) => spawnSync("unshare", [...flags, "--mount-proc", "true"]).status === 0);

function start(isApart: boolean, args: readonly string[], mountProc = true) {
  const command = [process.execPath, join(import.meta.dirname, "liveness-child.ts"), ...args];
  const [name = "", ...rest] = isApart ? ["unshare", ...(unshare ?? []), ...(mountProc ? ["--mount-proc"] : []), ...command] : command;
  const child = spawn(name, rest, { stdio: ["pipe", "pipe", "inherit"] });
  const said: Record<string, unknown>[] = [];
  const reader = createInterface(child.stdout);
  const first = new Promise((resolve) => reader.once("line", resolve));
  reader.on("line", (line) => said.push(JSON.parse(line) as Record<string, unknown>));
  const end = new Promise<typeof said>((resolve) => reader.once("close", () => resolve(said)));
  return { child, first, end };
}

describe.skipIf(unshare === undefined)("two pid namespaces on one machine (skipped where unshare is not permitted)", () => {
  test.each([false, true])("recover() leaves the turn of a living owner of the other namespace alone, on one file (ME-28); the owner apart: %s", { timeout: 60_000 }, async (ownerIsApart) => {
    const path = pathOf(`shared-${ownerIsApart}.db`);
    const owner = start(ownerIsApart, ["owner", path]);
    await owner.first;
    const claimant = await start(!ownerIsApart, ["claimant", path]).end;
    owner.child.stdin.write("go\n");
    expect(claimant).toEqual([{ taken: 0 }]);
    expect(await owner.end).toEqual([{ runs: "owner" }, { text: "done" }]);
  });

  test("a process apart has another host id, and one under a foreign /proc has none (ME-28)", { timeout: 30_000 }, async () => {
    const self = await processLiveness.self();
    const owner = JSON.stringify({ ownerId: "o", incarnationId: "i", liveness: self });
    const [[apart], [foreign]] = await Promise.all([start(true, ["verdict", owner]).end, start(true, ["verdict", owner], false).end]);
    expect(self).toMatchObject({ kind: "local_process", pid: process.pid });
    expect(apart).toEqual({ self: expect.objectContaining({ kind: "local_process", pid: 1 }) as unknown, dead: false });
    expect((apart?.["self"] as { hostId: string } | undefined)?.hostId).not.toBe((self as { hostId: string }).hostId);
    expect(foreign).toEqual({ self: { kind: "opaque" }, dead: false });
  });
});

test("the turn of an owner that was killed is taken over at once, in the same namespace (P-25)", { timeout: 60_000 }, async () => {
  const path = pathOf("killed.db");
  const owner = start(false, ["owner", path]);
  await owner.first;
  owner.child.kill("SIGKILL");
  await owner.end;
  expect(await start(false, ["claimant", path]).end).toEqual([{ runs: "claimant" }, { taken: 1 }]);
});
