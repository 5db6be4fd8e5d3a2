// What a linked program needs of its host: only what it uses, so that unrelated changes of the host change nothing (`LL-82`).
import type { HostOperation, NamedDataType, OperationSignature, TriggerSource, ValueConstructor } from "./host-environment.ts";

export interface HostRequirements {
  /** Sorted. */
  readonly abilities: readonly Ability[];
  /** Sorted. */
  readonly languageFeatures: readonly LanguageFeature[];
  /** By alias; only modules that the program names, with the operations it uses on them. */
  readonly modules: Readonly<Record<string, RequiredModule>>;
  readonly resourceTypes: Readonly<Record<string, { readonly operations: Readonly<Record<string, OperationSignature>> }>>;
  readonly namedDataTypes: Readonly<Record<string, NamedDataType>>;
  readonly valueConstructors: Readonly<Record<string, ValueConstructor>>;
  readonly triggerSources: Readonly<Record<string, TriggerSource>>;
}

export type Ability = "processes" | "sleep" | "processSignals" | "triggers";

export type LanguageFeature = "labelAnnotations";

export interface RequiredModule {
  readonly path: readonly string[];
  readonly resourceType: string;
  readonly operations: Readonly<Record<string, HostOperation>>;
}
