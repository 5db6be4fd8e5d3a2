// Builds a host environment from what a host knows of its tools, and refuses catalogs that contradict themselves (`LL-74`).
import { canonicalText } from "../identity/canonical.ts";
import { parseTypeText } from "../syntax/parser.ts";
import type { TypeExpr } from "../syntax/type-expr.ts";
import { partsOf } from "../types/type-algebra.ts";
import { withoutSpans } from "../types/without-spans.ts";
import type {
  HostAbilities,
  HostCatalog,
  HostEnvironment,
  LanguageFeatures,
  ModuleInstance,
  NamedDataType,
  ResourceType,
  TriggerSource,
  ValueConstructor,
} from "./host-environment.ts";
import { TRIGGERS_MODULE } from "./triggers-module.ts";

/** A type, or its text in the language, for example `{ path: str, limit: int? }`. */
export type TypeInput = TypeExpr | string;

export interface HostEnvironmentInput {
  readonly modules?: readonly ModuleInput[];
  /** Dotted name to an object type of scalars, enums, lists and objects. */
  readonly namedDataTypes?: Readonly<Record<string, TypeInput>>;
  readonly constructors?: readonly ConstructorInput[];
  /** An ability is on if a part turns it on, or if no part speaks of it. */
  readonly abilities?: Partial<HostAbilities>;
  /** A feature is on if a part turns it on. */
  readonly languageFeatures?: Partial<LanguageFeatures>;
}

export interface ModuleInput {
  /** The dotted name that programs write. */
  readonly path: string;
  /** Modules of one resource type are interchangeable where a process asks for an authority. */
  readonly resourceType: string;
  /** Operation name to the tool behind it and its types; both types default to `any`. */
  readonly operations: Readonly<Record<string, { hostOperation: string; input?: TypeInput; output?: TypeInput }>>;
}

export interface ConstructorInput {
  /** The dotted name that programs call. */
  readonly path: string;
  readonly input: TypeInput;
  /** Name of the descriptor type; default the path. */
  readonly typeName?: string;
  /** The type of the events it emits; makes it a trigger source. */
  readonly emits?: TypeInput;
}

/** A host catalog that contradicts itself. A mistake of the host's code, not of a program. */
export class HostCatalogError extends Error {
  override readonly name = "HostCatalogError";
}

/**
 * Assembles an environment from the parts that a host and its plugins contribute. The module `triggers` is always among
 * them; programs that use it without the ability are told so.
 *
 * @throws HostCatalogError when two entries disagree about one name, or a type has a shape it may not have.
 */
export function createHostEnvironment(...parts: readonly HostEnvironmentInput[]): HostEnvironment {
  const modules = new Map<string, ModuleInstance>();
  const resourceTypes = new Map<string, ResourceType>();
  const namedDataTypes = new Map<string, NamedDataType>();
  const valueConstructors = new Map<string, ValueConstructor>();
  const triggerSources = new Map<string, TriggerSource>();
  for (const part of [...parts, { modules: [TRIGGERS_MODULE] }]) {
    for (const module of part.modules ?? []) addModule(module, modules, resourceTypes);
    for (const [name, type] of Object.entries(part.namedDataTypes ?? {})) addNamedType(name, toType(type), namedDataTypes);
    for (const constructor of part.constructors ?? []) addConstructor(constructor, valueConstructors, triggerSources);
  }
  // Names of a catalog are data: `fromEntries` makes `__proto__` an entry like any other.
  const catalog: HostCatalog = {
    modules: Object.fromEntries(modules),
    resourceTypes: Object.fromEntries(resourceTypes),
    namedDataTypes: Object.fromEntries(namedDataTypes),
    triggerSources: Object.fromEntries(triggerSources),
    valueConstructors: Object.fromEntries(valueConstructors),
  };
  checkNames(catalog);
  const ability = (name: keyof HostAbilities): boolean => {
    const said = parts.flatMap(({ abilities }) => abilities?.[name] ?? []);
    return said.length === 0 || said.includes(true);
  };
  return {
    catalog,
    abilities: { processes: ability("processes"), sleep: ability("sleep"), processSignals: ability("processSignals"), triggers: ability("triggers") },
    languageFeatures: { labelAnnotations: parts.some(({ languageFeatures }) => languageFeatures?.labelAnnotations === true) },
  };
}

function addModule({ path: alias, resourceType, operations: added }: ModuleInput, modules: Map<string, ModuleInstance>, resourceTypes: Map<string, ResourceType>): void {
  const known = modules.get(alias);
  if (known !== undefined && known.resourceType !== resourceType) {
    throw new HostCatalogError(`module \`${alias}\` changes its resource type from \`${known.resourceType}\` to \`${resourceType}\``);
  }
  const signatures = new Map(Object.entries(resourceTypes.get(resourceType)?.operations ?? {}));
  const operations = new Map(Object.entries(known?.operations ?? {}));
  for (const [name, { hostOperation, input = "any", output = "any" }] of Object.entries(added)) {
    const signature = { inputType: toType(input), outputType: toType(output) };
    define(signatures, name, signature, `operation \`${name}\` of resource type \`${resourceType}\` changes its types`);
    operations.set(name, { hostOperation });
  }
  resourceTypes.set(resourceType, { operations: Object.fromEntries(signatures) });
  modules.set(alias, { path: alias.split("."), resourceType, alias, operations: Object.fromEntries(operations) });
}

function addConstructor({ path, input, typeName = path, emits }: ConstructorInput, constructors: Map<string, ValueConstructor>, sources: Map<string, TriggerSource>): void {
  const constructor: ValueConstructor = { path: path.split("."), typeName, inputType: toType(input), outputType: { kind: "Ref", name: typeName } };
  define(constructors, path, constructor, `value constructor \`${path}\` changes its types`);
  if (emits !== undefined) define(sources, path, { eventType: toType(emits) }, `trigger source \`${path}\` changes its event type`);
}

function define<T>(entries: Map<string, T>, name: string, entry: T, problem: string): void {
  const known = entries.get(name);
  if (known !== undefined && canonicalText(known) !== canonicalText(entry)) throw new HostCatalogError(problem);
  entries.set(name, entry);
}

/** Spans point into the text of one call; a catalog is compared and stored without them. */
function toType(input: TypeInput): TypeExpr {
  return withoutSpans(typeof input === "string" ? parseTypeText(input) : input);
}

function addNamedType(name: string, type: TypeExpr, namedDataTypes: Map<string, NamedDataType>): void {
  checkNamedType(name, type);
  define(namedDataTypes, name, { name, type }, `named data type \`${name}\` changes its shape`);
}

/** A signature that names a type nobody knows would fail at the first program that uses it, far from its cause. */
function checkNames({ resourceTypes, namedDataTypes, triggerSources, valueConstructors }: HostCatalog): void {
  const known = new Set([...Object.keys(namedDataTypes), ...Object.keys(resourceTypes), ...Object.values(valueConstructors).map(({ typeName }) => typeName)]);
  const check = (where: string, ...types: readonly TypeExpr[]): void => {
    for (const type of types) {
      if (type.kind === "Ref" && !known.has(type.name)) throw new HostCatalogError(`${where} names the unknown type \`${type.name}\``);
      check(where, ...partsOf(type));
    }
  };
  for (const [name, { operations }] of Object.entries(resourceTypes)) {
    for (const [operation, { inputType, outputType }] of Object.entries(operations)) {
      check(`operation \`${operation}\` of resource type \`${name}\``, inputType, outputType);
    }
  }
  for (const [path, { inputType }] of Object.entries(valueConstructors)) check(`value constructor \`${path}\``, inputType);
  for (const [path, { eventType }] of Object.entries(triggerSources)) check(`trigger source \`${path}\``, eventType);
}

function checkNamedType(name: string, type: TypeExpr): void {
  const refuse = (problem: string): never => {
    throw new HostCatalogError(`named data type \`${name}\` ${problem}`);
  };
  if (!name.includes(".")) refuse("needs a dotted name");
  if (type.kind !== "Object") refuse("must be an object");
  const check = (part: TypeExpr): void => {
    if (part.kind === "Ref") refuse(`refers to \`${part.name}\`; named data types stand on their own`);
    if (part.kind === "Process" || part.kind === "TriggerHandle") refuse("holds a process type");
    if (part.kind === "Enum" && new Set(part.values).size < part.values.length) refuse("repeats an enum value");
    if (part.kind === "Object" && new Set(part.fields.map((field) => field.name)).size < part.fields.length) refuse("repeats a field");
    partsOf(part).forEach(check);
  };
  check(type);
}
