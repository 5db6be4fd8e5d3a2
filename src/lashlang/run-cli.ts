// What the `lashlang` command does, apart from the process it runs in: no files, streams or exit codes of its own.
// Programs run on the sample host of the case files: its tools are made up, sleeps return at once, nothing is touched.
import { fixtureEnvironment } from "./cases/fixture-environment.ts";
import { FixtureHost } from "./cases/fixture-host.ts";
import { reportText, runCases } from "./cases/report.ts";
import { compileCell } from "./compiler/compile.ts";
import { SourceError } from "./diagnostics/source-error.ts";
import { toMermaid } from "./graph/mermaid.ts";
import { staticGraph } from "./graph/static-graph.ts";
import { link } from "./linker/link.ts";
import type { LinkedProgram } from "./linker/linked-program.ts";
import { printProgram } from "./printer/print-program.ts";
import { Session } from "./session/session.ts";
import { parse, parseWithComments } from "./syntax/parser.ts";
import { drive } from "./vm/drive.ts";
import { renderRuntimeError } from "./vm/error-report.ts";

export interface CliHost {
  /** `-` is standard input. */
  read(file: string): Promise<string>;
  write(file: string, text: string): Promise<void>;
  /** One line or several; the newline at the end is added. */
  out(text: string): void;
  err(text: string): void;
}

export const USAGE = `usage: lashlang <command> FILE

  run FILE          run a program on the sample host: what it prints, then its value as JSON
  check FILE        parse and link only
  fmt FILE          print the formatted program; --write changes the file, --check only compares
  graph FILE        print a Mermaid flowchart of what the program can do
  cases FILE.jsonl  run a case file; the last line counts

FILE may be - for standard input. Exit code: 0 fine, 1 the program or a case failed, 2 wrong usage.`;

type Command = (source: string, host: CliHost, file: string, flags: readonly string[]) => Promise<number>;

const COMMANDS: ReadonlyMap<string, { readonly run: Command; readonly flags: readonly string[] }> = new Map([
  ["run", { run: runProgram, flags: [] }],
  ["check", { run: check, flags: [] }],
  ["fmt", { run: format, flags: ["--write", "--check"] }],
  ["graph", { run: graph, flags: [] }],
  ["cases", { run: cases, flags: [] }],
]);

/** @returns the exit code; never throws for what a program or a file can do. */
export async function runCli(args: readonly string[], host: CliHost): Promise<number> {
  const [name = "", ...rest] = args;
  if (name === "--help" || name === "help") {
    host.out(USAGE);
    return 0;
  }
  const command = COMMANDS.get(name);
  const flags = rest.filter((argument) => argument.startsWith("--"));
  const files = rest.filter((argument) => !argument.startsWith("--"));
  const [file] = files;
  if (command === undefined || file === undefined || files.length > 1 || !flags.every((flag) => command.flags.includes(flag))) {
    host.err(USAGE);
    return 2;
  }
  let source: string;
  try {
    source = await host.read(file);
  } catch (error) {
    host.err(`cannot read ${file}: ${messageOf(error)}`);
    return 2;
  }
  try {
    return await command.run(source, host, file, flags);
  } catch (error) {
    if (!SourceError.is(error)) throw error;
    host.err(error.render());
    return 1;
  }
}

function linked(source: string): { program: LinkedProgram; environment: ReturnType<typeof fixtureEnvironment> } {
  const environment = fixtureEnvironment({ labels: true });
  return { program: link(parse(source), environment, source), environment };
}

async function runProgram(source: string, host: CliHost): Promise<number> {
  const { program, environment } = linked(source);
  const sample = new FixtureHost(program, environment, (vm, lashHost, signal) => drive(vm, lashHost, { signal }));
  const result = await drive(new Session().begin(compileCell(program)), sample.for(null));
  sample.stop();
  for (const value of sample.printed) host.out(typeof value === "string" ? value : JSON.stringify(value));
  switch (result.kind) {
    case "finished":
      host.out(JSON.stringify(result.value));
      return 0;
    case "continued":
      return 0;
    case "error":
      host.err(renderRuntimeError(source, result.error));
      return 1;
    default:
      host.err(`the program ended as ${result.kind}`);
      return 1;
  }
}

async function check(source: string, host: CliHost): Promise<number> {
  const { program } = linked(source);
  host.out(`ok ${program.moduleRef}`);
  return 0;
}

async function format(source: string, host: CliHost, file: string, flags: readonly string[]): Promise<number> {
  const { program, comments } = parseWithComments(source);
  const formatted = printProgram(program, { source, comments });
  if (flags.includes("--check")) {
    if (formatted !== source) host.err(`${file} is not formatted`);
    return formatted === source ? 0 : 1;
  }
  if (!flags.includes("--write")) host.out(formatted.trimEnd());
  else if (formatted !== source) await host.write(file, formatted);
  return 0;
}

async function graph(source: string, host: CliHost): Promise<number> {
  host.out(toMermaid(staticGraph(linked(source).program)).trimEnd());
  return 0;
}

async function cases(text: string, host: CliHost): Promise<number> {
  try {
    const report = await runCases(text);
    host.out(reportText(report));
    return report.failed.length === 0 ? 0 : 1;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    host.err(error.message);
    return 2;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
