// Whoever goes on after a death asks what the dead one would have asked, byte for byte.

import * as z from "zod";
import { afterEach, describe, expect, test } from "vitest";
import { tool, withImages } from "../../src/index.ts";
import { aiSdk } from "../../src/providers/ai-sdk/index.ts";
import type { Provider } from "../../src/providers/contract.ts";
import type { CrashPoint } from "../../src/testing/faulty-engine.ts";
import { crashEverywhere } from "../support/crash-sweep.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { png } from "../support/pictures.ts";
import { isCall, type Said } from "../support/strict/said.ts";
import { startStrict, type StrictServer } from "../support/strict/server.ts";
import { WIRES, type Wire } from "../support/strict/wires.ts";
import { testLash } from "../support/lash.ts";

const opened: StrictServer[] = [];

afterEach(async () => {
  for (const server of opened.splice(0)) await server.close();
});

const text = (words: string): Said => ({ kind: "text", text: words });
const reasoning = (words: string): Said => ({ kind: "reasoning", text: words });
const call = (name: string, n: string): Said => ({ kind: "call", tool: name, input: { n } });

/** What is answered, by how much a model has said already. */
const ANSWERS: readonly (readonly Said[])[] = [
  [reasoning("first"), text("looking"), call("look", "a"), call("shoot", "b")],
  [reasoning("second"), call("look", "c")],
  [text("done")],
  [reasoning("third"), text("and"), call("shoot", "d")],
  [text("over")],
];

/** A server whose answer follows from the request alone, so that it does not matter who asks, nor how often. */
async function serverOf(wire: Wire): Promise<StrictServer> {
  const answers = ANSWERS.map((said, index) => {
    let number = index * 100;
    return wire.reply(wire.speakable(said), () => (number += 1));
  });
  const server = await startStrict(wire.dialect(), ({ body }) => {
    const heard = wire.heard(body, answers);
    const known = answers.findIndex((answer) => !wire.echo(answer).every((part) => heard.includes(part)));
    return answers[known] ?? { parts: [], status: 500 };
  });
  opened.push(server);
  return server;
}

const tools = [
  tool({ name: "look", description: "Looks", input: z.object({ n: z.string() }), readOnly: true, run: ({ n }) => `seen ${n}` }),
  tool({ name: "shoot", description: "Shoots", input: z.object({ n: z.string() }), readOnly: true, run: ({ n }) => withImages(`shot ${n}`, [png(n.charCodeAt(0))]) }),
];

const providerOf = (wire: Wire, { url }: StrictServer): Provider => aiSdk(wire.model(url), { settings: wire.settings });

/** What dies inside a transaction leaves what dies before it. */
const atEdges = (all: readonly CrashPoint[]): readonly CrashPoint[] => all.filter(({ when }) => when !== "inside");

describe.each(WIRES.map((wire) => [wire.name, wire] as const))("over the wire of %s", (_, wire) => {
  test("killed before or after any engine call, a session asks nothing that an undisturbed one does not ask (ME-2, ME-14)", async () => {
    let undisturbed: readonly string[] = [];
    const deaths = await crashEverywhere({
      open: memoryEngine,
      world: () => ({ asked: [] as StrictServer[] }),
      points: atEdges,
      job: async (process, clock, world) => {
        const server = await serverOf(wire);
        world.asked.push(server);
        const { lash } = testLash({ engine: process.engine, clock, tools });
        const session = await lash.openSession("s", { provider: providerOf(wire, server) });
        for (const turnId of ["one", "two"]) await session.run(`Turn ${turnId}`, { turnId });
      },
      check: async (disk, clock, { asked: [server] }) => {
        if (server === undefined) return;
        const { lash } = testLash({ engine: disk, clock, tools });
        const session = await lash.openSession("s", { provider: providerOf(wire, server) });
        for (const turnId of ["one", "two"]) expect(await session.run(`Turn ${turnId}`, { turnId })).toMatchObject({ isSuccess: true });
        const requests = server.requests.map((request) => request.text);
        if (undisturbed.length === 0) undisturbed = requests;
        expect(server.refusals).toEqual([]);
        expect(requests.filter((request, index) => request !== requests[index - 1])).toEqual(undisturbed);
      },
    });
    expect(undisturbed).toHaveLength(ANSWERS.length);
    expect(deaths).toBeGreaterThan(20);
    expect(ANSWERS.flat().filter(isCall)).toHaveLength(4);
  });
});
