// What a host offers a program: modules with typed operations, value constructors, trigger sources, abilities.
// JSON data, safe to store beside a process (`LL-91`). Built by hand or with `createHostEnvironment` (environment-builder.ts).
import type { TypeExpr } from "../syntax/type-expr.ts";

export interface HostEnvironment {
  readonly catalog: HostCatalog;
  readonly abilities: HostAbilities;
  readonly languageFeatures: LanguageFeatures;
}

export interface HostAbilities {
  readonly processes: boolean;
  readonly sleep: boolean;
  readonly processSignals: boolean;
  readonly triggers: boolean;
}

export interface LanguageFeatures {
  readonly labelAnnotations: boolean;
}

export interface HostCatalog {
  /** By alias. Several modules may share a resource type and route to different host operations. */
  readonly modules: Readonly<Record<string, ModuleInstance>>;
  /** By resource type. */
  readonly resourceTypes: Readonly<Record<string, ResourceType>>;
  /** By dotted name: the object types that params and operations may refer to. */
  readonly namedDataTypes: Readonly<Record<string, NamedDataType>>;
  /** By dotted source type, which is the path of its constructor. */
  readonly triggerSources: Readonly<Record<string, TriggerSource>>;
  /** By dotted path. */
  readonly valueConstructors: Readonly<Record<string, ValueConstructor>>;
}

export interface ModuleInstance {
  /** The name a program writes, split at its dots. */
  readonly path: readonly string[];
  readonly resourceType: string;
  readonly alias: string;
  readonly operations: Readonly<Record<string, HostOperation>>;
}

export interface HostOperation {
  /** The name of the tool that the host runs; stands in replay keys. */
  readonly hostOperation: string;
}

export interface ResourceType {
  readonly operations: Readonly<Record<string, OperationSignature>>;
}

export interface OperationSignature {
  readonly inputType: TypeExpr;
  readonly outputType: TypeExpr;
}

export interface NamedDataType {
  readonly name: string;
  readonly type: TypeExpr;
}

export interface TriggerSource {
  /** The type of the event it emits, as a rule a `Ref` to a named data type. */
  readonly eventType: TypeExpr;
}

export interface ValueConstructor {
  readonly path: readonly string[];
  /** Name of the descriptor type that constructed values carry. */
  readonly typeName: string;
  readonly inputType: TypeExpr;
  readonly outputType: TypeExpr;
}
