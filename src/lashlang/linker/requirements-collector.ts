// Notes, while a program is lowered, what it uses of its host; nothing it does not use gets in (`LL-82`).
import type { TypeExpr } from "../syntax/type-expr.ts";
import { partsOf } from "../types/type-algebra.ts";
import type { HostCatalog, HostOperation, ModuleInstance, OperationSignature, ValueConstructor } from "./host-environment.ts";
import type { Ability, HostRequirements, LanguageFeature, RequiredModule } from "./host-requirements.ts";
import { lookup } from "./lookup.ts";

export class RequirementsCollector {
  private readonly catalog: HostCatalog;
  private readonly abilities = new Set<Ability>();
  private readonly features = new Set<LanguageFeature>();
  private readonly modules = new Map<string, { readonly module: ModuleInstance; readonly operations: Map<string, HostOperation> }>();
  private readonly resourceTypes = new Map<string, Map<string, OperationSignature>>();
  private readonly namedDataTypes = new Set<string>();
  private readonly constructors = new Map<string, ValueConstructor>();
  private readonly triggerSources = new Set<string>();

  constructor(catalog: HostCatalog) {
    this.catalog = catalog;
  }

  ability(ability: Ability): void {
    this.abilities.add(ability);
  }

  feature(feature: LanguageFeature): void {
    this.features.add(feature);
  }

  module(module: ModuleInstance): void {
    if (!this.modules.has(module.alias)) this.modules.set(module.alias, { module, operations: new Map() });
    this.resourceType(module.resourceType);
  }

  resourceType(name: string): void {
    if (!this.resourceTypes.has(name)) this.resourceTypes.set(name, new Map());
  }

  operation(resourceType: string, name: string, signature: OperationSignature): void {
    this.resourceType(resourceType);
    this.resourceTypes.get(resourceType)?.set(name, signature);
    this.type(signature.inputType);
    this.type(signature.outputType);
  }

  moduleOperation(module: ModuleInstance, name: string, operation: HostOperation): void {
    this.module(module);
    this.modules.get(module.alias)?.operations.set(name, operation);
  }

  constructorOf(path: string, constructor: ValueConstructor): void {
    this.constructors.set(path, constructor);
    this.type(constructor.inputType);
    this.type(constructor.outputType);
  }

  triggerSource(sourceType: string): void {
    this.triggerSources.add(sourceType);
    const source = lookup(this.catalog.triggerSources, sourceType);
    if (source !== undefined) this.type(source.eventType);
  }

  /** Notes the host's names inside a type. */
  type(type: TypeExpr): void {
    if (type.kind !== "Ref") return partsOf(type).forEach((part) => this.type(part));
    if (lookup(this.catalog.namedDataTypes, type.name) !== undefined) this.namedDataTypes.add(type.name);
    else if (lookup(this.catalog.resourceTypes, type.name) !== undefined) this.resourceType(type.name);
  }

  collect(): HostRequirements {
    const modules = sorted(this.modules).map(([alias, { module, operations }]): [string, RequiredModule] => [
      alias,
      { path: module.path, resourceType: module.resourceType, operations: Object.fromEntries(sorted(operations)) },
    ]);
    const resourceTypes = sorted(this.resourceTypes).map(([name, operations]): [string, { operations: Record<string, OperationSignature> }] => [
      name,
      { operations: Object.fromEntries(sorted(operations)) },
    ]);
    return {
      abilities: Array.from(this.abilities).sort(),
      languageFeatures: Array.from(this.features).sort(),
      modules: Object.fromEntries(modules),
      resourceTypes: Object.fromEntries(resourceTypes),
      namedDataTypes: this.pick(this.catalog.namedDataTypes, this.namedDataTypes),
      valueConstructors: Object.fromEntries(sorted(this.constructors)),
      triggerSources: this.pick(this.catalog.triggerSources, this.triggerSources),
    };
  }

  private pick<T>(from: Readonly<Record<string, T>>, names: ReadonlySet<string>): Record<string, T> {
    return Object.fromEntries(Array.from(names).sort().flatMap((name): [string, T][] => {
      const entry = lookup(from, name);
      return entry === undefined ? [] : [[name, entry]];
    }));
  }
}

function sorted<T>(entries: ReadonlyMap<string, T>): [string, T][] {
  return Array.from(entries).sort(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0));
}
