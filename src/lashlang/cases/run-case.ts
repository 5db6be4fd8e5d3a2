// Runs one case: parse, link against the fixture, execute in the foreground, compare (section 16).
import { compileCell } from "../compiler/compile.ts";
import { SourceError } from "../diagnostics/source-error.ts";
import { link } from "../linker/link.ts";
import { parse } from "../syntax/parser.ts";
import { Session } from "../session/session.ts";
import { Projections } from "../session/projections.ts";
import { fixedMeter } from "../values/bounds.ts";
import { fromJson } from "../values/from-json.ts";
import type { Json } from "../values/json-value.ts";
import { inlineProjection } from "../values/projected.ts";
import { drive, type DriveResult } from "../vm/drive.ts";
import type { Case, Expectation } from "./case-file.ts";
import { fixtureEnvironment } from "./fixture-environment.ts";
import { FixtureHost, type RunVm } from "./fixture-host.ts";

export interface CaseResult {
  readonly id: string;
  readonly passed: boolean;
  /** What differs, one line each; empty when the case passed. */
  readonly problems: readonly string[];
}

export interface RunCaseOptions {
  /** How VMs are run. Default: `drive`. */
  readonly run?: RunVm;
  /** Wall time in milliseconds after which a case has failed: its program waits for what never comes. Default 10,000. */
  readonly timeoutMs?: number;
}

/** What came of a program, in the terms of `Expectation`. */
interface Actual extends Expectation {
  readonly print: readonly Json[];
  readonly globals: { readonly [name: string]: Json };
  readonly events: readonly (readonly [string, Json])[];
}

const driven: RunVm = (vm, host, signal) => drive(vm, host, { signal });

export async function runCase(subject: Case, options: RunCaseOptions = {}): Promise<CaseResult> {
  const actual = await execute(subject, options);
  const problems = differences(subject, actual);
  return { id: subject.id, passed: problems.length === 0, problems };
}

async function execute(subject: Case, options: RunCaseOptions): Promise<Actual> {
  const nothing = { print: [], globals: {}, events: [] };
  const environment = fixtureEnvironment(subject.options);
  let program;
  try {
    program = link(parse(subject.src, { submitKeyword: subject.options?.submit ?? "accept" }), environment, subject.src);
  } catch (error) {
    if (!SourceError.is(error)) throw error;
    return { ...nothing, kind: error.phase === "parse" ? "parse_error" : "link_error", contains: error.message };
  }
  const meter = fixedMeter();
  const session = new Session(
    new Map(Object.entries(subject.globals ?? {}).map(([name, json]) => [name, fromJson(json, meter)])),
  );
  const projections = new Projections();
  for (const [name, json] of Object.entries(subject.projected ?? {})) {
    projections.bind(name, inlineProjection(json, { kind: "case", key: name }));
  }
  const bounds = subject.options?.bounds;
  const vm = session.begin(compileCell(program), bounds === undefined ? { projections } : { projections, bounds });
  const host = new FixtureHost(program, environment, options.run ?? driven);
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), options.timeoutMs ?? 10_000);
  let kept = vm;
  const run = options.run ?? driven;
  const result = await run(vm, host.for(null), stop.signal, (last) => {
    kept = last;
  });
  clearTimeout(timer);
  host.stop();
  session.keep(kept);
  const globals = Object.fromEntries(session.names.map((name) => [name, session.get(name) ?? null]));
  return { ...ending(result), print: host.printed, globals, events: host.events };
}

function ending(result: DriveResult): Expectation {
  switch (result.kind) {
    case "finished":
      return { kind: "finish", value: result.value };
    case "continued":
      return { kind: "value" };
    case "error":
      return { kind: "error", contains: result.error.message };
    case "failed":
      return { kind: "error", contains: "the cell failed" };
    case "cancelled":
      return { kind: "error", contains: "the case took too long" };
  }
}

function differences(subject: Case, actual: Actual): string[] {
  const { expect } = subject;
  const problems: string[] = [];
  const differ = (what: string, expected: unknown, got: unknown): void => {
    problems.push(`${what}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(got)}`);
  };
  if (expect.kind !== actual.kind) differ("end", expect, { kind: actual.kind, value: actual.value, contains: actual.contains });
  else if (expect.value !== undefined && !sameJson(expect.value, actual.value)) differ("value", expect.value, actual.value);
  else if (expect.contains !== undefined && actual.contains?.includes(expect.contains) !== true) {
    differ("message", expect.contains, actual.contains);
  }
  if (subject.print !== undefined && !sameJson(subject.print, actual.print)) differ("print", subject.print, actual.print);
  if (subject.events !== undefined && !sameJson(subject.events as Json, actual.events as Json)) {
    differ("events", subject.events, actual.events);
  }
  for (const [name, value] of Object.entries(subject.globals_after ?? {})) {
    const got = Object.hasOwn(actual.globals, name) ? actual.globals[name] : undefined;
    if (!sameJson(value, got)) differ(`variable ${name}`, value, got);
  }
  return problems;
}

/** Equal as JSON: key order does not matter, and 1 is 1.0. */
function sameJson(left: Json | undefined, right: Json | undefined): boolean {
  if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) return left === right;
  const a = Object.entries(left);
  const b = new Map(Object.entries(right));
  return Array.isArray(left) === Array.isArray(right) && a.length === b.size && a.every(([key, value]) => sameJson(value, b.get(key)));
}
