// Notes, while a program is lowered, what it uses of its host; nothing it does not use gets in (`LL-82`).
import type { TypeExpr } from "../syntax/type-expr.ts";
import { partsOf } from "../types/type-algebra.ts";
import type { HostCatalog, ModuleInstance, OperationSignature, ValueConstructor } from "./host-environment.ts";
import type { Ability, HostRequirements, LanguageFeature } from "./host-requirements.ts";
import { lookup } from "./lookup.ts";

export class RequirementsCollector {
  readonly abilities = new Set<Ability>();
  readonly features = new Set<LanguageFeature>();
  readonly #catalog: HostCatalog;
  /** Names of the catalog; those of modules and resource types with the operations used on them. */
  readonly #modules = new Map<string, Set<string>>();
  readonly #resourceTypes = new Map<string, Set<string>>();
  readonly #namedDataTypes = new Set<string>();
  readonly #constructors = new Set<string>();
  readonly #triggerSources = new Set<string>();

  constructor(catalog: HostCatalog) {
    this.#catalog = catalog;
  }

  module({ alias, resourceType }: ModuleInstance): Set<string> {
    entryOf(this.#resourceTypes, resourceType);
    return entryOf(this.#modules, alias);
  }

  operation(module: ModuleInstance | null, resourceType: string, name: string, { inputType, outputType }: OperationSignature): void {
    if (module !== null) this.module(module).add(name);
    entryOf(this.#resourceTypes, resourceType).add(name);
    this.type(inputType);
    this.type(outputType);
  }

  constructorOf(path: string, { inputType, outputType }: ValueConstructor): void {
    this.#constructors.add(path);
    this.type(inputType);
    this.type(outputType);
  }

  triggerSource(sourceType: string, eventType: TypeExpr): void {
    this.#triggerSources.add(sourceType);
    this.type(eventType);
  }

  /** Notes the host's names inside a type. */
  type(type: TypeExpr): void {
    if (type.kind !== "Ref") return partsOf(type).forEach((part) => this.type(part));
    if (lookup(this.#catalog.namedDataTypes, type.name) !== undefined) this.#namedDataTypes.add(type.name);
    else if (lookup(this.#catalog.resourceTypes, type.name) !== undefined) entryOf(this.#resourceTypes, type.name);
  }

  collect(): HostRequirements {
    const catalog = this.#catalog;
    return {
      abilities: Array.from(this.abilities).sort(),
      languageFeatures: Array.from(this.features).sort(),
      modules: pick(catalog.modules, this.#modules.keys(), ({ path, resourceType, operations }, alias) => ({
        path,
        resourceType,
        operations: pick(operations, entryOf(this.#modules, alias)),
      })),
      resourceTypes: pick(catalog.resourceTypes, this.#resourceTypes.keys(), ({ operations }, name) => ({
        operations: pick(operations, entryOf(this.#resourceTypes, name)),
      })),
      namedDataTypes: pick(catalog.namedDataTypes, this.#namedDataTypes),
      valueConstructors: pick(catalog.valueConstructors, this.#constructors),
      triggerSources: pick(catalog.triggerSources, this.#triggerSources),
    };
  }
}

function entryOf(entries: Map<string, Set<string>>, name: string): Set<string> {
  const known = entries.get(name) ?? new Set();
  entries.set(name, known);
  return known;
}

/** The named entries of a record, by name in ascending order. */
function pick<T>(from: Readonly<Record<string, T>>, names: Iterable<string>): Record<string, T>;
function pick<T, R>(from: Readonly<Record<string, T>>, names: Iterable<string>, form: (entry: T, name: string) => R): Record<string, R>;
function pick<T>(from: Readonly<Record<string, T>>, names: Iterable<string>, form: (entry: T, name: string) => unknown = (entry) => entry): Record<string, unknown> {
  return Object.fromEntries(Array.from(names).sort().flatMap((name) => {
    const entry = lookup(from, name);
    return entry === undefined ? [] : [[name, form(entry, name)]];
  }));
}
