// The tool registry by itself: generations, sources, membership, orphans, states (S-72, S-73, PT-36..PT-45).

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { tool, type Tool, type ToolState } from "../../src/index.ts";
import type { Json } from "../../src/domain/json.ts";
import type { ToolRegistry } from "../../src/tools/registry/contract.ts";
import { toolRegistry } from "../../src/tools/registry/registry.ts";

const make = (name: string, id?: string, description = name): Tool => tool({ ...(id !== undefined && { id }), name, description, input: z.object({}), readOnly: true, run: () => name }) as Tool;
const hosting = (...tools: readonly Tool[]): ToolRegistry => toolRegistry([{ id: "host", tools }]);
const namesOf = (registry: ToolRegistry): readonly string[] => registry.activeManifests().map(({ name }) => name);
const wire = (state: ToolState): ToolState => JSON.parse(JSON.stringify(state)) as ToolState;
const invalid = expect.objectContaining({ code: "tool_reconfigure_validation" }) as Error;

describe("generations", () => {
  test("S-72 PT-39 a registry is at 1 when it is built, whatever its sources, and every change counts one; what changes nothing counts none", async () => {
    const registry = toolRegistry([{ id: "host", tools: [make("a")] }, { id: "plugins", tools: [make("b")] }]);
    expect(registry.state().generation).toBe(1);
    const handle = registry.add([make("c")]);
    expect([registry.state().generation, handle]).toEqual([2, { sourceId: "live:1" }]);
    expect([registry.setMembership(["a", "c"], false), registry.setMembership(["a"], false), await registry.refresh(), registry.remove(handle)]).toEqual([3, 3, 4, 5]);
    expect(registry.applyState(registry.state())).toBe(6);
    expect(registry.add([make("d")])).toEqual({ sourceId: "live:2" });
  });

  test("S-72 a state of generation 3 restores on a registry that was just built, where applying it is a mismatch", () => {
    const source = hosting(make("a"), make("b"));
    source.setMembership(["a"], false);
    source.setMembership(["b"], false);
    const state = wire(source.state());
    expect(state.generation).toBe(3);
    const rebuilt = hosting(make("a"), make("b"));
    expect(() => rebuilt.applyState(state)).toThrow(expect.objectContaining({ code: "tool_reconfigure_generation_mismatch", details: { expected: 1, actual: 3 } }) as Error);
    expect(rebuilt.restoreState(state)).toEqual({ generation: 3, orphaned: [] });
    expect(rebuilt.restoreState(state)).toEqual({ generation: 3, orphaned: [] });
    expect(rebuilt.state()).toEqual(source.state());
    expect(rebuilt.setMembership(["a"], true)).toBe(4);
  });
});

test("PT-44 what is recorded again changes nothing, what somebody else recorded is followed, and only what is in no record is left to record", () => {
  const registry = hosting(make("a"), make("b"));
  expect(registry.unrecorded).toBeUndefined();
  registry.setMembership(["a"], false);
  const body = registry.unrecorded as unknown as Json;
  registry.adopt(body);
  expect([registry.unrecorded, registry.recordedGeneration]).toEqual([undefined, 2]);
  registry.setMembership(["b"], false);
  const dirty = registry.unrecorded;
  registry.adopt(JSON.parse(JSON.stringify(body)) as Json);
  expect([registry.unrecorded, namesOf(registry)]).toEqual([dirty, []]);
  const other = hosting(make("a"));
  other.setMembership(["a"], false);
  other.setMembership(["a"], true);
  registry.adopt(wire(other.state()) as unknown as Json);
  expect([namesOf(registry), registry.recordedGeneration, registry.unrecorded?.generation]).toEqual([["a", "b"], 3, 4]);
});

describe("orphans", () => {
  const withLive = (...live: readonly Tool[]): ToolRegistry => {
    const registry = hosting(make("host"));
    registry.add(live);
    return registry;
  };

  test("S-73 PT-42 PT-43 a tool without a source keeps its last manifest and its membership, is reported, and is not callable", () => {
    const before = withLive(make("calendar", "cal-1", "Old words."), make("mail"));
    before.setMembership(["mail"], false);
    const after = hosting(make("host", undefined, "New words."));
    expect(after.restoreState(wire(before.state()))).toEqual({ generation: 3, orphaned: ["cal-1", "mail"] });
    expect(after.state().tools).toMatchObject({
      host: { manifest: { description: "New words." } },
      "cal-1": { orphaned: true, manifest: { name: "calendar", description: "Old words." } },
      mail: { orphaned: true, member: false },
    });
    expect(after.state().tools["cal-1"]).not.toHaveProperty("member");
    expect(JSON.stringify(after.state())).not.toContain("live:");
    expect([namesOf(after), after.toolOf("cal-1")]).toEqual([["host"], undefined]);
    expect(after.refusalOf("cal-1")).toContain('the source of tool "calendar" is not registered');
  });

  test("S-73 PT-43 an orphan is bound again by whoever offers its id, with the live manifest and the membership it had; another id of its name is another tool", () => {
    const before = withLive(make("calendar", "cal-1", "Old words."), make("mail"));
    before.setMembership(["mail"], false);
    const after = hosting(make("host"));
    after.restoreState(wire(before.state()));
    after.add([make("calendar", "cal-2")]);
    expect(after.state().tools).toMatchObject({ "cal-1": { orphaned: true }, "cal-2": { manifest: { name: "calendar" } } });
    expect(after.toolOf("cal-2")?.name).toBe("calendar");
    expect(after.state().generation).toBe(4);
    after.add([make("agenda", "cal-1", "New words."), make("mail")]);
    expect(after.state()).toMatchObject({ generation: 5, tools: { "cal-1": { manifest: { name: "agenda", description: "New words." } }, mail: { member: false } } });
    expect(namesOf(after)).toEqual(["host", "calendar", "agenda"]);
  });

  test("PT-41 PT-43 an orphan survives a delta, a tool that nobody offers and that was none is refused, and nothing has changed", () => {
    const registry = hosting(make("host"));
    registry.restoreState(wire(withLive(make("mail")).state()));
    expect(registry.applyState(wire(registry.state()))).toBe(3);
    const { tools } = wire(registry.state());
    const { orphaned: _, ...unmarked } = tools["mail"] ?? { manifest: {} as never };
    const before = registry.state();
    expect(() => registry.applyState({ generation: 3, tools: { ...tools, mail: unmarked } })).toThrow(expect.objectContaining({ code: "tool_reconfigure_unknown_source", details: { toolId: "mail" } }) as Error);
    expect(registry.state()).toBe(before);
  });

  test("PT-42 what is offered and is not in a restored state stays unlisted until the sources are read again", async () => {
    const registry = hosting(make("a"), make("b"));
    registry.restoreState(wire(hosting(make("a")).state()));
    expect([namesOf(registry), registry.refusalOf("b")]).toEqual([["a"], 'there is no tool "b" in this session any more']);
    await registry.refresh();
    expect(namesOf(registry)).toEqual(["a", "b"]);
  });
});

describe("sources", () => {
  test("PT-40 a refresh drops what is gone, adds what is new, takes new manifests and keeps membership by id; removing a source deletes its entries", async () => {
    let offered: readonly Tool[] = [make("a"), make("b")];
    const registry = hosting(make("host"));
    const handle = registry.add(offered, () => Promise.resolve(offered));
    registry.setMembership(["b", "host"], false);
    offered = [make("bee", "b"), make("c")];
    expect(await registry.refresh()).toBe(4);
    expect(Object.keys(registry.state().tools)).toEqual(["host", "b", "c"]);
    expect(registry.state().tools["b"]).toMatchObject({ member: false, manifest: { name: "bee" } });
    expect(namesOf(registry)).toEqual(["c"]);
    registry.remove(handle);
    expect(Object.keys(registry.state().tools)).toEqual(["host"]);
    expect(registry.refusalOf("c")).toContain("any more");
    expect(() => registry.remove(handle)).toThrow(expect.objectContaining({ code: "tool_reconfigure_unknown_source" }) as Error);
  });

  test("a source that comes while the others are asked is not lost, and one that goes does not come back (PT-40)", async () => {
    const registry = hosting(make("host"));
    const gone = registry.add([make("a")], () => [make("a")]);
    const refreshing = registry.refresh();
    registry.remove(gone);
    registry.add([make("b")]);
    await refreshing;
    expect(namesOf(registry)).toEqual(["host", "b"]);
  });

  test.each<[string, () => unknown]>([
    ["a blank id", () => [{ ...make("x"), id: " " }]],
    ["an id that is no text", () => [{ ...make("x"), id: 7 }]],
    ["an endless id", () => [{ ...make("x"), id: "x".repeat(201) }]],
    ["a blank name", () => [{ ...make("x"), name: "" }]],
    ["one id twice", () => [make("x", "same"), make("y", "same")]],
    ["one name twice", () => [make("x", "1"), make("x", "2")]],
    ["an id of another source", () => [make("x", "a")]],
    ["a name of another source", () => [make("a", "x")]],
    ["no list", () => "tools"],
    ["what is no tool", () => [{ name: "x" }]],
  ])("PT-38 %s is a validation error, and nothing has changed: when added, and when read again", async (_, bad) => {
    let offered: unknown = [];
    const registry = hosting(make("a"));
    registry.add([], () => offered as readonly Tool[]);
    const before = registry.state();
    offered = bad();
    expect(() => registry.add(offered as readonly Tool[])).toThrow(invalid);
    await expect(registry.refresh()).rejects.toEqual(invalid);
    expect(registry.state()).toBe(before);
  });

  test("PT-41 S-73 a state whose entries have one name twice, wrong keys or wrong shapes is refused, applied or restored", () => {
    const registry = hosting(make("a"), make("b"));
    const good = wire(registry.state());
    const a = good.tools["a"] as ToolState["tools"][string];
    for (const bad of [
      null,
      { generation: 1 },
      { ...good, generation: -1 },
      { ...good, generation: 1e300 },
      { ...good, generation: "1" },
      { generation: 1, tools: { x: a } },
      { generation: 1, tools: { a, c: { manifest: { ...a.manifest, id: "c" } } } },
      { generation: 1, tools: { a: { ...a, member: true } } },
      { generation: 1, tools: { a: { manifest: { ...a.manifest, name: " " } } } },
      { generation: 1, tools: { a: { manifest: { id: "a" } } } },
    ]) {
      expect(() => registry.applyState(bad)).toThrow(invalid);
      expect(() => registry.restoreState(bad)).toThrow(invalid);
    }
    expect(registry.state()).toEqual(good);
  });
});

describe("membership", () => {
  test("PT-36 PT-45 who is no member is neither offered nor run; an unknown id among several fails them all", () => {
    const registry = hosting(make("a"), make("b"));
    expect(() => registry.setMembership(["a", "zzz"], false)).toThrow(invalid);
    expect(namesOf(registry)).toEqual(["a", "b"]);
    registry.setMembership(["a"], false);
    expect([[...registry.callable.keys()], registry.toolOf("a"), registry.refusalOf("a")]).toEqual([["b"], undefined, 'tool "a" was taken away from this session']);
  });

  test("names and ids that are keys of every object are like any other, through JSON and back (design 10)", () => {
    const hostile = ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty"];
    const tools = hostile.map((name) => make(name));
    const registry = hosting(...tools);
    registry.setMembership(["__proto__"], false);
    expect(() => registry.setMembership(["valueOf"], false)).toThrow(invalid);
    const state = wire(registry.state());
    expect(Object.keys(state.tools)).toEqual(hostile);
    const again = hosting(...tools);
    again.restoreState(state);
    expect(namesOf(again)).toEqual(hostile.slice(1));
    expect([again.refusalOf("valueOf"), again.toolOf("constructor")?.name]).toEqual([expect.any(String), "constructor"]);
    expect(({} as { manifest?: unknown }).manifest).toBeUndefined();
  });

  test("what a state says cannot be changed behind the registry's back", () => {
    const state = hosting(make("a")).state();
    expect([state, state.tools, state.tools["a"], state.tools["a"]?.manifest].every(Object.isFrozen)).toBe(true);
  });
});

test("PT-43 S-73 after any changes a state goes through JSON into a new registry of the same sources and comes out the same; applied where it came from, it only counts one", async () => {
  const ids = ["a", "b", "c", "d"];
  const id = fc.constantFrom(...ids);
  const step = fc.oneof(
    fc.record({ kind: fc.constant("member" as const), id, member: fc.boolean() }),
    fc.record({ kind: fc.constant("add" as const), id }),
    fc.record({ kind: fc.constant("remove" as const), at: fc.nat(3) }),
    fc.record({ kind: fc.constant("refresh" as const) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      const registry = hosting(make("host"), make("__proto__"));
      const handles = new Map<ReturnType<ToolRegistry["add"]>, Tool>();
      for (const each of steps) {
        try {
          if (each.kind === "member") registry.setMembership([each.id], each.member);
          else if (each.kind === "add") handles.set(registry.add([make(each.id)]), make(each.id));
          else if (each.kind === "refresh") await registry.refresh();
          else {
            const handle = [...handles.keys()][each.at];
            if (!handle) continue;
            registry.remove(handle);
            handles.delete(handle);
          }
        } catch {
          // What is refused leaves no trace, which the comparison shows.
        }
      }
      const state = registry.state();
      const fresh = hosting(make("host"), make("__proto__"));
      for (const live of handles.values()) fresh.add([live]);
      fresh.restoreState(wire(state));
      expect(JSON.stringify(sorted(fresh.state()))).toBe(JSON.stringify(sorted(state)));
      expect(registry.applyState(wire(state))).toBe(state.generation + 1);
      expect(JSON.stringify(sorted({ ...registry.state(), generation: state.generation }))).toBe(JSON.stringify(sorted(state)));
      expect(hosting().restoreState(wire(state)).orphaned).toEqual(Object.keys(state.tools));
    }),
    { numRuns: 60 },
  );
});

const sorted = ({ generation, tools }: ToolState) => [generation, Object.entries(tools).sort(([a], [b]) => (a < b ? -1 : 1))];
