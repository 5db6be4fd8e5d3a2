// Speed of the lashlang VM beside QuickJS (wasm) and plain JavaScript: `npm exec node bench/lashlang.ts`.
// All three compute the same; lashlang runs with its default bounds in slices of 1024 (there is
// no mode without bounds or without snapshots), QuickJS with its interrupt handler on. The best of several runs counts, after one to warm up.
import { getQuickJS } from "quickjs-emscripten";
import { compileCell } from "../src/lashlang/compiler/compile.ts";
import { createHostEnvironment } from "../src/lashlang/linker/environment-builder.ts";
import { link } from "../src/lashlang/linker/link.ts";
import { parse } from "../src/lashlang/syntax/parser.ts";
import { Vm } from "../src/lashlang/vm/vm.ts";

const ROUNDS = 15;

interface Program {
  readonly name: string;
  readonly lash: string;
  /** The body of a function that returns the same as the cell finishes with. */
  readonly js: string;
}

const PROGRAMS: readonly Program[] = [
  {
    name: "loops",
    lash: `
      total = 0
      i = 0
      while i < 300000 {
        if i % 3 == 0 { total = total + i } else { total = total - 1 }
        i = i + 1
      }
      for a in range(300) { for b in range(300) { total = total + a * b } }
      finish total`,
    js: `
      let total = 0;
      let i = 0;
      while (i < 300000) {
        if (i % 3 === 0) { total = total + i } else { total = total - 1 }
        i = i + 1;
      }
      for (let a = 0; a < 300; a++) { for (let b = 0; b < 300; b++) { total = total + a * b } }
      return total;`,
  },
  {
    name: "records",
    lash: `
      rows = []
      for i in range(20000) { rows = push(rows, { id: i, group: i % 10, score: i * 2, tags: [i, i + 1] }) }
      totals = {}
      for r in rows {
        key = "g" + r.group
        totals[key] = (totals[key] == null ? 0 : totals[key]) + r.score
      }
      for i in range(len(rows)) { rows[i].score = rows[i].score + rows[i].tags[1] }
      best = [{ id: r.id, score: r.score } for r in rows if r.score > 30000]
      finish { totals: totals, best: len(best), last: rows[-1] }`,
    js: `
      const rows = [];
      for (let i = 0; i < 20000; i++) { rows.push({ id: i, group: i % 10, score: i * 2, tags: [i, i + 1] }) }
      const totals = {};
      for (const r of rows) {
        const key = "g" + r.group;
        totals[key] = (totals[key] == null ? 0 : totals[key]) + r.score;
      }
      for (let i = 0; i < rows.length; i++) { rows[i].score = rows[i].score + rows[i].tags[1] }
      const best = rows.filter((r) => r.score > 30000).map((r) => ({ id: r.id, score: r.score }));
      return { totals, best: best.length, last: rows[rows.length - 1] };`,
  },
  {
    name: "strings",
    lash: `
      words = []
      for i in range(20000) { words = push(words, format("word-{}-{}", i % 100, i)) }
      text = join(words, " ")
      count = 0
      length = 0
      for w in split(text, " ") {
        if starts_with(w, "word-1") and contains(w, "9") { count = count + 1 }
        length = length + len(w)
        if find(w, "-7") != null { length = length + len(slice(w, 2, 5)) }
      }
      line = ""
      for i in range(50000) { line = line + "ab" }
      finish { count: count, length: length, line: len(line), head: slice(line, 0, 4) }`,
    js: `
      const words = [];
      for (let i = 0; i < 20000; i++) { words.push("word-" + (i % 100) + "-" + i) }
      const text = words.join(" ");
      let count = 0;
      let length = 0;
      for (const w of text.split(" ")) {
        if (w.startsWith("word-1") && w.includes("9")) { count = count + 1 }
        length = length + w.length;
        if (w.indexOf("-7") >= 0) { length = length + w.slice(2, 5).length }
      }
      let line = "";
      for (let i = 0; i < 50000; i++) { line = line + "ab" }
      return { count, length, line: line.length, head: line.slice(0, 4) };`,
  },
];

interface Best {
  ms: number;
  result: string;
}

/** The best of several rounds in which the runners take turns, so that a busy machine slows them all alike. */
function race(runners: readonly (() => unknown)[]): Best[] {
  const bests = runners.map((run): Best => ({ ms: Infinity, result: JSON.stringify(run()) }));
  for (let round = 0; round < ROUNDS; round += 1) {
    runners.forEach((run, i) => {
      const from = performance.now();
      run();
      const best = bests[i];
      if (best !== undefined) best.ms = Math.min(best.ms, performance.now() - from);
    });
  }
  return bests;
}

function lashRunner(source: string): () => unknown {
  const cell = compileCell(link(parse(source), createHostEnvironment({}), source));
  return () => {
    const vm = Vm.start(cell);
    for (;;) {
      const state = vm.run();
      if (state.kind === "done") {
        if (state.outcome.kind !== "finished") throw new Error(JSON.stringify(state.outcome));
        return state.outcome.value;
      }
      if (state.kind === "parked" && state.effect.op.kind === "Finish") {
        vm.settle(state.effect.effectId, { value: state.effect.op.value });
      }
    }
  };
}

async function quickJsRunner(js: string): Promise<() => unknown> {
  const quickJs = await getQuickJS();
  return () => {
    const runtime = quickJs.newRuntime();
    runtime.setMemoryLimit(128 * 1024 * 1024);
    runtime.setInterruptHandler(() => false);
    const context = runtime.newContext();
    try {
      return JSON.parse(context.unwrapResult(context.evalCode(`JSON.stringify((() => {${js}})())`)).consume(context.getString)) as unknown;
    } finally {
      context.dispose();
      runtime.dispose();
    }
  };
}

/** A snapshot of a cell as models write them, in the middle of its work. */
function snapshotMicroseconds(): number {
  const source = `
    files = [{ path: format("src/file-{}.ts", i), lines: i * 10, text: "some text of a file" } for i in range(20)]
    summary = { total: 0, names: [f.path for f in files] }
    for f in files { summary.total = summary.total + f.lines
      print f.path }`;
  const vm = Vm.start(compileCell(link(parse(source), createHostEnvironment({}), source)));
  while (vm.run().kind === "ready");
  let fastest = Infinity;
  for (let round = 0; round < 20; round += 1) {
    const from = performance.now();
    for (let i = 0; i < 200; i += 1) vm.snapshot();
    fastest = Math.min(fastest, (performance.now() - from) / 200);
  }
  return fastest * 1000;
}

console.log("program   lashlang ms   quickjs ms   plain js ms   lashlang/quickjs   lashlang/js");
for (const { name, lash, js } of PROGRAMS) {
  // oxlint-disable-next-line no-new-func
  const [ours, theirs, plain] = race([lashRunner(lash), await quickJsRunner(js), new Function(js) as () => unknown]);
  if (ours === undefined || theirs === undefined || plain === undefined) throw new Error("a runner is missing");
  if (ours.result !== theirs.result || ours.result !== plain.result) throw new Error(`${name}: results differ\n${ours.result}\n${theirs.result}`);
  const cells = [name.padEnd(9), ours.ms.toFixed(2).padStart(11), theirs.ms.toFixed(2).padStart(12), plain.ms.toFixed(2).padStart(13)];
  const ratios = [(ours.ms / theirs.ms).toFixed(2).padStart(18), (ours.ms / plain.ms).toFixed(1).padStart(13)];
  console.log([...cells, ...ratios].join(" "));
}
console.log(`snapshot of a typical cell: ${snapshotMicroseconds().toFixed(1)} microseconds`);
