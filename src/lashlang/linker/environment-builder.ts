// Builds a host environment from what a host knows of its tools, and refuses catalogs that contradict themselves (`LL-74`).
import { parseTypeText } from "../syntax/parser.ts";
import type { TypeExpr } from "../syntax/type-expr.ts";
import { partsOf, sameType } from "../types/type-algebra.ts";
import { withoutSpans } from "../types/without-spans.ts";
import type {
  HostAbilities,
  HostCatalog,
  HostEnvironment,
  LanguageFeatures,
  ModuleInstance,
  NamedDataType,
  OperationSignature,
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
  const resourceTypes = new Map<string, Map<string, OperationSignature>>();
  const namedDataTypes = new Map<string, NamedDataType>();
  const valueConstructors = new Map<string, ValueConstructor>();
  const triggerSources = new Map<string, TriggerSource>();
  for (const part of [...parts, { modules: [TRIGGERS_MODULE] }]) {
    for (const module of part.modules ?? []) addModule(module, modules, resourceTypes);
    for (const [name, type] of Object.entries(part.namedDataTypes ?? {})) addNamedType(name, toType(type), namedDataTypes);
    for (const constructor of part.constructors ?? []) addConstructor(constructor, valueConstructors, triggerSources);
  }
  const catalog: HostCatalog = {
    modules: toRecord(modules),
    resourceTypes: toRecord(new Map(Array.from(resourceTypes, ([name, operations]): [string, ResourceType] => [name, { operations: toRecord(operations) }]))),
    namedDataTypes: toRecord(namedDataTypes),
    triggerSources: toRecord(triggerSources),
    valueConstructors: toRecord(valueConstructors),
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

/** Names of a catalog are data: `Object.fromEntries` makes `__proto__` an entry like any other. */
function toRecord<T>(entries: ReadonlyMap<string, T>): Readonly<Record<string, T>> {
  return Object.fromEntries(entries);
}

function addModule(input: ModuleInput, modules: Map<string, ModuleInstance>, resourceTypes: Map<string, Map<string, OperationSignature>>): void {
  const existing = modules.get(input.path);
  if (existing !== undefined && existing.resourceType !== input.resourceType) {
    throw new HostCatalogError(
      `module \`${input.path}\` changes its resource type from \`${existing.resourceType}\` to \`${input.resourceType}\``,
    );
  }
  const operations = new Map(Object.entries(existing?.operations ?? {}));
  const signatures = resourceTypes.get(input.resourceType) ?? new Map<string, OperationSignature>();
  for (const [name, operation] of Object.entries(input.operations)) {
    const signature = { inputType: toType(operation.input ?? "any"), outputType: toType(operation.output ?? "any") };
    const known = signatures.get(name);
    if (known !== undefined && !(sameType(known.inputType, signature.inputType) && sameType(known.outputType, signature.outputType))) {
      throw new HostCatalogError(`operation \`${name}\` of resource type \`${input.resourceType}\` changes its types`);
    }
    signatures.set(name, signature);
    operations.set(name, { hostOperation: operation.hostOperation });
  }
  resourceTypes.set(input.resourceType, signatures);
  modules.set(input.path, {
    path: input.path.split("."),
    resourceType: input.resourceType,
    alias: input.path,
    operations: toRecord(operations),
  });
}

function addConstructor(input: ConstructorInput, constructors: Map<string, ValueConstructor>, sources: Map<string, TriggerSource>): void {
  const typeName = input.typeName ?? input.path;
  const constructor: ValueConstructor = {
    path: input.path.split("."),
    typeName,
    inputType: toType(input.input),
    outputType: { kind: "Ref", name: typeName },
  };
  const known = constructors.get(input.path);
  if (known !== undefined && !(known.typeName === typeName && sameType(known.inputType, constructor.inputType))) {
    throw new HostCatalogError(`value constructor \`${input.path}\` changes its types`);
  }
  constructors.set(input.path, constructor);
  if (input.emits === undefined) return;
  const eventType = toType(input.emits);
  const source = sources.get(input.path);
  if (source !== undefined && !sameType(source.eventType, eventType)) {
    throw new HostCatalogError(`trigger source \`${input.path}\` changes its event type`);
  }
  sources.set(input.path, { eventType });
}

/** Spans point into the text of one call; a catalog is compared and stored without them. */
function toType(input: TypeInput): TypeExpr {
  return withoutSpans(typeof input === "string" ? parseTypeText(input) : input);
}

function addNamedType(name: string, type: TypeExpr, namedDataTypes: Map<string, NamedDataType>): void {
  const known = namedDataTypes.get(name);
  if (known !== undefined && !sameType(known.type, type)) throw new HostCatalogError(`named data type \`${name}\` changes its shape`);
  namedDataTypes.set(name, { name, type: checkNamedType(name, type) });
}

/** A signature that names a type nobody knows would fail at the first program that uses it, far from its cause. */
function checkNames({ resourceTypes, namedDataTypes, triggerSources, valueConstructors }: HostCatalog): void {
  const known = new Set([...Object.keys(namedDataTypes), ...Object.keys(resourceTypes), ...Object.values(valueConstructors).map(({ typeName }) => typeName)]);
  const check = (type: TypeExpr, where: string): void => {
    if (type.kind === "Ref" && !known.has(type.name)) throw new HostCatalogError(`${where} names the unknown type \`${type.name}\``);
    for (const part of partsOf(type)) check(part, where);
  };
  for (const [name, { operations }] of Object.entries(resourceTypes)) {
    for (const [operation, { inputType, outputType }] of Object.entries(operations)) {
      const where = `operation \`${operation}\` of resource type \`${name}\``;
      check(inputType, where);
      check(outputType, where);
    }
  }
  for (const [path, { inputType }] of Object.entries(valueConstructors)) check(inputType, `value constructor \`${path}\``);
  for (const [path, { eventType }] of Object.entries(triggerSources)) check(eventType, `trigger source \`${path}\``);
}

function checkNamedType(name: string, type: TypeExpr): TypeExpr {
  const refuse = (problem: string): never => {
    throw new HostCatalogError(`named data type \`${name}\` ${problem}`);
  };
  if (!name.includes(".")) refuse("needs a dotted name");
  if (type.kind !== "Object") refuse("must be an object");
  const check = (part: TypeExpr): void => {
    if (part.kind === "Ref") refuse(`refers to \`${part.name}\`; named data types stand on their own`);
    if (part.kind === "Process" || part.kind === "TriggerHandle") refuse("holds a process type");
    if (part.kind === "Enum" && new Set(part.values).size < part.values.length) refuse("repeats an enum value");
    if (part.kind === "List") check(part.item);
    if (part.kind === "Union") part.members.forEach(check);
    if (part.kind !== "Object") return;
    if (new Set(part.fields.map((field) => field.name)).size < part.fields.length) refuse("repeats a field");
    part.fields.forEach((field) => check(field.type));
  };
  check(type);
  return type;
}
