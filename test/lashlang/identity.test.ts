import { describe, expect, test } from "vitest";
import { ArtifactError } from "../../src/lashlang/artifact/artifact-error.ts";
import { createArtifactStore, createMemoryBytes } from "../../src/lashlang/artifact/artifact-store.ts";
import { sourceOfArtifact } from "../../src/lashlang/artifact/artifact-source.ts";
import { decodeDefinition, definitionOf, definitionValueOf, sameDefinition } from "../../src/lashlang/artifact/definition-identity.ts";
import { describeModule } from "../../src/lashlang/artifact/introspect.ts";
import { artifactOf, decodeArtifact, encodeArtifact, programOfArtifact } from "../../src/lashlang/artifact/module-artifact.ts";
import type { ModuleArtifact } from "../../src/lashlang/artifact/module-artifact.ts";
import { canonicalText } from "../../src/lashlang/identity/canonical.ts";
import { sha256OfParts } from "../../src/lashlang/identity/digest.ts";
import { processRefKey } from "../../src/lashlang/identity/refs.ts";
import type { HostEnvironmentInput } from "../../src/lashlang/linker/environment-builder.ts";
import { fixtureEnvironment, fixtureInput } from "./fixture-environment.ts";
import { bare, linked } from "./support.ts";

const labels = fixtureEnvironment({ languageFeatures: { labelAnnotations: true } });

describe("content identities (LL-80, LL-81, LL-82)", () => {
  const source = "process p(a: str) { b = a + '!' for i in [1] { b = b + i } finish b }\nx = start p(a: 'x')\nfinish await x";
  const { moduleRef, hostRequirementsRef, processes } = linked(source);

  test("refs have their forms", () => {
    expect(moduleRef).toMatch(/^lashlang:v1:sha256:[0-9a-f]{64}$/);
    expect(hostRequirementsRef).toMatch(/^lashlang-host-requirements:v1:sha256:[0-9a-f]{64}$/);
    expect(processes.map(({ processRef }) => processRef.pos)).toEqual([0]);
    expect(processRefKey(processes[0]?.processRef ?? { component: "", pos: 0 })).toMatch(/^sha256:[0-9a-f]{64}:0$/);
  });

  test.each([
    ["formatting", "process p( a:string ){b=a+\"!\" for i in[1]{b=b+i};finish b} x=start p(a:'x',) finish (await (x))"],
    ["comments", `# hello\n${source} // bye`],
    ["names of locals", "process p(a: str) { kept = a + '!' for item in [1] { kept = kept + item } finish kept }\nhandle = start p(a: 'x')\nfinish await handle"],
    ["the other spelling of the end", source.replace(/finish await/, "submit await")],
    ["where a process stands among the statements", "x = start p(a: 'x')\nprocess p(a: str) { b = a + '!' for i in [1] { b = b + i } finish b }\nfinish await x"],
  ])("%s do not matter", (_, other) => {
    const again = linked(other);
    expect([again.moduleRef, again.hostRequirementsRef, again.processes[0]?.processRef]).toEqual([moduleRef, hostRequirementsRef, processes[0]?.processRef]);
  });

  test.each([
    ["the name of a param", source.replace("a: str", "q: str").replace("= a +", "= q +").replace("p(a:", "p(q:")],
    ["the type of a param", source.replace("a: str", "a: any")],
    ["the name of a process", source.replaceAll(" p(", " r(")],
    ["a body", source.replace("'!'", "'?'")],
    ["a return type", source.replace("(a: str)", "(a: str) -> any")],
    ["signals", source.replace("(a: str)", "(a: str) signals { s: any }")],
  ])("%s matters to module and process", (_, other) => {
    const again = linked(other);
    expect(again.moduleRef).not.toBe(moduleRef);
    expect(again.processes[0]?.processRef.component).not.toBe(processes[0]?.processRef.component);
  });

  test("two locals that trade places are another program", () => {
    expect(linked("a = 1 b = 2 finish a").moduleRef).not.toBe(linked("a = 1 b = 2 finish b").moduleRef);
  });

  test("names of session variables are no choice of the program", () => {
    expect(linked("finish a").moduleRef).not.toBe(linked("finish b").moduleRef);
    expect(linked("a = a + 1").moduleRef).not.toBe(linked("b = b + 1").moduleRef);
  });

  test("renaming the variable that holds a Type value does not matter, its shape does", () => {
    const typed = (name: string, shape: string): string => linked(`${name} = Type { a: ${shape} }\nfinish Type { b: ${name} }`).moduleRef;
    expect(typed("T", "str")).toBe(typed("Row", "str"));
    expect(typed("T", "str")).not.toBe(typed("T", "int"));
  });

  test("labels are part of the identity (LL-75)", () => {
    const titled = (title: string): string => linked(`@label(title: "${title}") x = 1`, labels).moduleRef;
    expect(titled("a")).not.toBe(titled("b"));
    expect(titled("a")).not.toBe(linked("x = 1", labels).moduleRef);
  });

  test("unused tools and abilities change neither ref; the shape of a used named type does", () => {
    const refs = (changes: HostEnvironmentInput, text: string): readonly string[] => {
      const program = linked(text, fixtureEnvironment(changes));
      return [program.moduleRef, program.hostRequirementsRef];
    };
    const uses = "process p(t: timer.Tick) { finish t }";
    const unused: HostEnvironmentInput = {
      modules: [...(fixtureInput.modules ?? []), { path: "more", resourceType: "More", operations: { op: { hostOperation: "op" } } }],
      abilities: { sleep: false },
      namedDataTypes: { ...fixtureInput.namedDataTypes, "x.Y": "{ a: str }" },
    };
    expect(refs(unused, uses)).toEqual(refs({}, uses));
    const changed = refs({ namedDataTypes: { "timer.Tick": "{ fired_at: str, n: int }" } }, uses);
    expect(changed[0]).not.toBe(refs({}, uses)[0]);
    expect(changed[1]).not.toBe(refs({}, uses)[1]);
  });

  test("the canonical text of two values is never the same", () => {
    const values = [null, "n", ["a", "b"], ["ab"], { a: "b" }, [["a"], "b"], [["a", "b"]], "\ud800", "\ud801", "1", 1, true, "t", { "a:1": 1 }, {}, []];
    expect(new Set(values.map((value) => canonicalText(value))).size).toBe(values.length);
    expect(canonicalText({ a: 1, b: 2 })).toBe(canonicalText({ b: 2, a: 1 }));
  });

  test("parts are hashed with their ends (LL-92)", () => {
    expect(sha256OfParts(["ab", "c"])).not.toBe(sha256OfParts(["a", "bc"]));
    // printf 'a\\0b\\0' | sha256sum
    expect(sha256OfParts(["a", "b"])).toBe("8fb20ef63ced4145fc2e983ffe597d1dcff39154c3bf21f0fa9dde6a0c50fdc9");
  });
});

describe("call sites (LL-92)", () => {
  const kinds = (source: string): string[] => linked(source, labels).main.sites.map(({ nodeKind }) => nodeKind).sort();

  test("every effect and branch has a site with an id of its kind", () => {
    const source = "process p() { yield 1 wait_signal('a') fail 2 }\nh = start p()\nsignal_run(h, 'a', 1)\nif h { sleep for 1 }\nx = h ? await h : tools.echo({})\nfinish x";
    expect(kinds(source)).toEqual(["branch", "branch", "child_process", "resource_operation", "signal", "sleep", "terminal", "wait"]);
    const { main, processes } = linked(source);
    for (const { nodeId, nodeKind } of [...main.sites, ...(processes[0]?.entry.sites ?? [])]) {
      expect(nodeId).toMatch(new RegExp(`^${nodeKind}:[0-9a-f]{24}$`));
    }
    expect(processes[0]?.entry.sites.map(({ nodeKind }) => nodeKind)).toEqual(["process_event", "wait", "terminal"]);
  });

  test("ids differ between places and are equal between equal programs", () => {
    const source = "tools.echo({ value: 1 })\ntools.echo({ value: 1 })\nawait [tools.echo({}), tools.echo({})]";
    const ids = linked(source).main.sites.map(({ nodeId }) => nodeId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(linked(`# other\n${source}`).main.sites.map(({ nodeId }) => nodeId)).toEqual(ids);
  });

  test("an id is the hash of module, entry, path and kind", () => {
    const { moduleRef, main } = linked("x = tools.echo({})");
    expect(main.sites[0]?.nodeId).toBe(`resource_operation:${sha256OfParts([moduleRef, "main", "0.0", "resource_operation"]).slice(0, 24)}`);
  });

  test("a label adds no level, and names the effects of its own statement only", () => {
    const { main } = linked('@label(title: "Look") if tools.echo({})? { tools.echo({}) }', labels);
    const { moduleRef } = linked('@label(title: "Look") if tools.echo({})? { tools.echo({}) }', labels);
    const titles = main.sites.map(({ nodeKind, label }) => [nodeKind, label?.title ?? null]);
    expect(titles).toContainEqual(["branch", "Look"]);
    expect(titles).toContainEqual(["resource_operation", "Look"]);
    expect(titles).toContainEqual(["resource_operation", null]);
    expect(main.sites.find(({ nodeKind }) => nodeKind === "branch")?.nodeId).toBe(`branch:${sha256OfParts([moduleRef, "main", "0", "branch"]).slice(0, 24)}`);
  });

  test("branches name both of their edges", () => {
    const [site] = linked("if a { x = 1 }").main.sites;
    expect(site?.branch).toEqual({ thenEdgeId: `${site?.nodeId}:then`, elseEdgeId: `${site?.nodeId}:else` });
  });
});

const SOURCE = `type Row = { id: int, tags: list[str]? }
@label(title: "Work", description: "does it")
process worker(row: Row, tool: Tools) signals { go: any } -> any {
  got = wait_signal("go")
  seen = await [tool.echo({ value: row.id })?, (got, 1)]
  for item in seen { if item == 2 { break } else { continue } }
  total = await (got ? tool.echo({}) : got)
  finish { n: [x * 2 for x in range(3) if x != 1], t: total?, k: Type { a: timer.Tick } }
}
h = start worker(row: row, tool: tools)
signal_run(h, "go", 1)
finish (await h)?`;

describe("artifacts (LL-80, LL-84, LL-87)", () => {
  const program = linked(SOURCE, labels);
  const artifact = artifactOf(program);

  test("an artifact names its refs and exports", () => {
    expect(artifact).toMatchObject({
      module_ref: program.moduleRef,
      host_requirements_ref: program.hostRequirementsRef,
      exports: { processes: { worker: { pos: 0 } } },
      dependencies: [],
    });
    expect(JSON.stringify(artifact)).not.toContain('"span"');
  });

  test("a program comes back from bytes without its spans, site by site the same", () => {
    const back = programOfArtifact(decodeArtifact(encodeArtifact(artifact)));
    expect(back).toEqual(bare(JSON.parse(JSON.stringify(program))));
  });

  test("it prints as source that links to the same refs and sites", () => {
    const again = linked(sourceOfArtifact(artifact), labels);
    expect([again.moduleRef, again.hostRequirementsRef]).toEqual([program.moduleRef, program.hostRequirementsRef]);
    expect(bare(again)).toEqual(bare(program));
  });

  test.each(["print (await 1)?", "print await 1?", "print (await await 1)?", "print await await 1?", "print (await (await 1)?)?", "print (await await await (0).if)?"])(
    "`%s` prints as source that links to the same refs (LL-16, LL-84)",
    (source) => {
      const first = linked(source);
      const again = linked(sourceOfArtifact(artifactOf(first)));
      expect([again.moduleRef, again.main.sites]).toEqual([first.moduleRef, first.main.sites]);
    },
  );

  test("it says what it offers and needs", () => {
    expect(describeModule(artifact)).toMatchObject({
      moduleRef: program.moduleRef,
      processes: [{ name: "worker", processRef: { pos: 0 }, label: { title: "Work" }, params: [["row", "Row"], ["tool", "Tools"]], signals: [["go", "any"]], output: "any" }],
      requirements: { abilities: ["processSignals", "processes"], languageFeatures: ["labelAnnotations"] },
    });
  });

  const corrupt = (change: (artifact: ModuleArtifact) => unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(change(JSON.parse(JSON.stringify(artifact)))));
  test.each<[id: string, bytes: Uint8Array, code: string, message: RegExp]>([
    ["no JSON", new Uint8Array([0xff, 0x00]), "artifact_corrupt", /not valid JSON/],
    ["half an artifact", encodeArtifact(artifact).slice(0, 500), "artifact_corrupt", /not valid JSON/],
    ["another JSON", corrupt(() => ({ a: 1 })), "artifact_corrupt", /missing parts/],
    ["a changed body", corrupt((a) => JSON.parse(JSON.stringify(a).replace('"signal":', '"x":').replace('"go"', '"gone"'))), "artifact_mismatch", /module artifact module_ref mismatch: expected lashlang:v1:sha256:/],
    ["another ref", corrupt((a) => ({ ...a, module_ref: "lashlang:v1:sha256:00" })), "artifact_mismatch", /module_ref mismatch/],
    ["changed requirements", corrupt((a) => ({ ...a, host_requirements: { ...a.host_requirements, abilities: [] } })), "artifact_mismatch", /host_requirements_ref mismatch/],
    ["another export", corrupt((a) => ({ ...a, exports: { processes: {} } })), "artifact_mismatch", /exports mismatch/],
    ["a node of no kind", corrupt((a) => JSON.parse(JSON.stringify(a).replace('"kind":"Finish"', '"kind":"Nope"'))), "artifact_corrupt", /holds no program/],
    ["two nodes of one site", corrupt((a) => JSON.parse(JSON.stringify(a).replaceAll(/"site":\d+/g, '"site":0'))), "artifact_corrupt", /holds no program/],
    ["a slot without a variable", corrupt((a) => JSON.parse(JSON.stringify(a).replaceAll(/"slot":\d+/g, '"slot":99'))), "artifact_corrupt", /holds no program/],
    ["another version", corrupt((a) => ({ ...a, canonical_ir: { ...a.canonical_ir, version: "lashlang-semantic-v1" } })), "artifact_mismatch", /version mismatch/],
  ])("%s is refused", (_, bytes, code, message) => {
    try {
      decodeArtifact(bytes);
      expect.unreachable();
    } catch (error) {
      if (!ArtifactError.is(error)) throw error;
      expect(error.code).toBe(code);
      expect(error.message).toMatch(message);
    }
  });

  test("a store keeps modules by ref and blobs by name, apart; puts repeat without harm; reopening finds them", async () => {
    const bytes = createMemoryBytes();
    const store = createArtifactStore(bytes);
    await store.putModule(artifact);
    await store.putModule(artifact);
    await store.putBlob(program.moduleRef, new Uint8Array([1, 2]));
    const reopened = createArtifactStore(bytes);
    expect(await reopened.getModule(program.moduleRef)).toEqual(artifact);
    expect(await reopened.getBlob(program.moduleRef)).toEqual(new Uint8Array([1, 2]));
    expect(await reopened.getModule("lashlang:v1:sha256:00")).toBeNull();
    expect(await reopened.getBlob("nope")).toBeNull();
  });

  test("a store refuses a module that stands under another ref", async () => {
    const bytes = createMemoryBytes();
    await bytes.put("module", "lashlang:v1:sha256:00", encodeArtifact(artifact));
    await expect(createArtifactStore(bytes).getModule("lashlang:v1:sha256:00")).rejects.toThrow(/module_ref mismatch: expected lashlang:v1:sha256:00/);
  });

  test("a store refuses a bad artifact before it is stored", async () => {
    const store = createArtifactStore();
    await expect(store.putModule({ ...artifact, module_ref: "x" })).rejects.toThrow(/module_ref mismatch/);
    expect(await store.getModule("x")).toBeNull();
  });
});

describe("process definition identity (LL-85)", () => {
  const program = linked("process p() { finish 1 }");
  const [process] = program.processes;
  if (process === undefined) throw new Error("no process");
  const identity = definitionOf(program, process);
  const value = definitionValueOf(identity);

  test("a definition value decodes to the identity it came from", () => {
    expect(decodeDefinition(JSON.parse(JSON.stringify(value)))).toEqual(identity);
  });

  test("all four parts are compared", () => {
    const others = [
      { ...identity, module_ref: "lashlang:v1:sha256:0" },
      { ...identity, host_requirements_ref: "lashlang-host-requirements:v1:sha256:0" },
      { ...identity, process_ref: { ...identity.process_ref, pos: 1 } },
      { ...identity, process_ref: { ...identity.process_ref, component: "x" } },
      { ...identity, process_name: "q" },
    ];
    expect(sameDefinition(identity, { ...identity })).toBe(true);
    expect(others.map((other) => sameDefinition(identity, other))).toEqual([false, false, false, false, false]);
  });

  test.each<[value: unknown, message: string]>([
    [null, "definition must be a process definition value"],
    [{ process_name: "p" }, "definition must be a process definition value"],
    [{ ...value, module_ref: undefined }, "definition has invalid module_ref: expected text"],
    [{ $lash_process: true }, "definition is missing module_ref"],
    [{ ...value, module_ref: "x" }, "definition has invalid module_ref: expected it to start with lashlang:v1:sha256:"],
    [{ ...value, process_ref: "x" }, "definition has invalid process_ref: expected a record"],
    [{ ...value, process_ref: { component: "x", pos: -1 } }, "definition has invalid process_ref: expected pos to be a whole number"],
    [{ ...value, process_name: "" }, "definition has invalid process_name: expected text"],
  ])("%j is refused", (bad, message) => {
    expect(() => decodeDefinition(bad)).toThrow(message);
  });
});
