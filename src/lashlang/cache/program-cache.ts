// Linking and compiling again what was linked and compiled before (`LL-86`). Never part of any state: a cache that is
// thrown away costs time and nothing else.
import { COMPILER_VERSION, compileCell, compileProcess } from "../compiler/compile.ts";
import type { CompiledEntry } from "../compiler/compile.ts";
import { processRefKey } from "../identity/refs.ts";
import type { HostEnvironment } from "../linker/host-environment.ts";
import { link } from "../linker/link.ts";
import type { LinkedProgram } from "../linker/linked-program.ts";
import { satisfies } from "../linker/satisfies.ts";
import { parse } from "../syntax/parser.ts";
import type { ParseOptions } from "../syntax/parser.ts";
import { VM_VERSION } from "../vm/snapshot.ts";
import { Lru } from "./lru.ts";

const CAPACITY = 64;

export class ProgramCache {
  readonly #programs = new Lru<LinkedProgram>(CAPACITY);
  readonly #cells = new WeakMap<LinkedProgram, CompiledEntry>();
  readonly #processes = new Lru<CompiledEntry>(CAPACITY);

  /**
   * Parses and links, or gives the program that the same text was linked to, as long as the host still means the same by it.
   *
   * @throws SourceError as `parse` and `link` do; nothing is kept then.
   */
  link(source: string, environment: HostEnvironment, options: ParseOptions = {}): LinkedProgram {
    const key = `${options.submitKeyword ?? "accept"}\n${source}`;
    const known = this.#programs.get(key);
    if (known !== undefined && satisfies(environment, known.hostRequirements) && !hasNewNames(known, environment)) return known;
    const program = link(parse(source, options), environment, source);
    this.#programs.set(key, program);
    return program;
  }

  /** The compiled main block of a program. */
  cell(program: LinkedProgram): CompiledEntry {
    const known = this.#cells.get(program);
    if (known !== undefined) return known;
    const compiled = compileCell(program);
    this.#cells.set(program, compiled);
    return compiled;
  }

  /**
   * The compiled body of a process, shared by programs that declare the same one for the same host.
   *
   * @throws RangeError when the program declares no process of that name.
   */
  process(program: LinkedProgram, name: string): CompiledEntry {
    const process = program.processes.find((each) => each.name === name);
    if (process === undefined) throw new RangeError(`no process \`${name}\` in this program`);
    // The module is part of the key, beyond what LL-86 asks for: node ids are derived from it (LL-92).
    const key = [program.moduleRef, processRefKey(process.processRef), program.hostRequirementsRef, COMPILER_VERSION, VM_VERSION].join(" ");
    const known = this.#processes.get(key);
    if (known !== undefined) return known;
    const compiled = compileProcess(program, name);
    this.#processes.set(key, compiled);
    return compiled;
  }
}

/** A module or constructor that came later takes over names that were session variables before (`LL-66`). */
function hasNewNames({ main }: LinkedProgram, { catalog }: HostEnvironment): boolean {
  const sessionNames = new Set(main.namedSlots.map((slot) => main.variables[slot]));
  const paths = [...Object.values(catalog.modules), ...Object.values(catalog.valueConstructors)];
  return paths.some(({ path }) => sessionNames.has(path[0]));
}
