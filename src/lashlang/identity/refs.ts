// The content identities of programs: what a durable row points at instead of at code (`LL-80`, `LL-81`, `LL-85`).
import type { HostRequirements } from "../linker/host-requirements.ts";
import type { LinkedParam, LinkedProcess, LinkedTypeDeclaration, ProcessRef } from "../linker/linked-program.ts";
import { canonicalText } from "./canonical.ts";
import type { CanonicalValue } from "./canonical.ts";
import { SEMANTIC_VERSION, semanticEntry, semanticType } from "./semantic-form.ts";
import { sha256Hex } from "./sha256.ts";

type EntryShape = Parameters<typeof semanticEntry>[0];

/** What the identity of a process is made of. */
export type ProcessShape = Pick<LinkedProcess, "name" | "params" | "signals" | "returnType" | "label"> & { readonly entry: EntryShape };

export interface ModuleShape {
  readonly hostRequirementsRef: string;
  readonly types: readonly LinkedTypeDeclaration[];
  /** Of its processes, in order: they cover the declarations whole. */
  readonly processRefs: readonly ProcessRef[];
  readonly main: EntryShape;
}

export function hostRequirementsRefOf(requirements: HostRequirements): string {
  const { abilities, languageFeatures, modules, resourceTypes, namedDataTypes, valueConstructors, triggerSources } = requirements;
  const form: CanonicalValue = {
    abilities,
    languageFeatures,
    modules: mapEntries(modules, ({ path, resourceType, operations }) => ({
      path,
      resourceType,
      operations: mapEntries(operations, ({ hostOperation }) => hostOperation),
    })),
    resourceTypes: mapEntries(resourceTypes, ({ operations }) =>
      mapEntries(operations, ({ inputType, outputType }) => [semanticType(inputType), semanticType(outputType)]),
    ),
    namedDataTypes: mapEntries(namedDataTypes, ({ type }) => semanticType(type)),
    valueConstructors: mapEntries(valueConstructors, ({ path, typeName, inputType, outputType }) => ({
      path,
      typeName,
      input: semanticType(inputType),
      output: semanticType(outputType),
    })),
    triggerSources: mapEntries(triggerSources, ({ eventType }) => semanticType(eventType)),
  };
  return `lashlang-host-requirements:v1:sha256:${hash(form)}`;
}

export function moduleRefOf({ hostRequirementsRef, types, processRefs, main }: ModuleShape): string {
  const form: CanonicalValue = {
    requirements: hostRequirementsRef,
    types: types.map(({ name, type }) => [name, semanticType(type)]),
    processes: processRefs.map(({ component }) => component),
    main: semanticEntry(main),
  };
  return `lashlang:v1:sha256:${hash(form)}`;
}

export function processRefOf(process: ProcessShape, pos: number): ProcessRef {
  return { component: `sha256:${hash(processForm(process))}`, pos };
}

export function processRefKey({ component, pos }: ProcessRef): string {
  return `${component}:${pos}`;
}

function processForm({ name, params, signals, returnType, label, entry }: ProcessShape): CanonicalValue {
  return {
    name,
    params: params.map(paramForm),
    signals: signals.map(paramForm),
    returnType: returnType === null ? null : semanticType(returnType),
    label: label === null ? null : { title: label.title, description: label.description },
    body: semanticEntry(entry),
  };
}

function paramForm({ name, type }: LinkedParam): CanonicalValue {
  return [name, semanticType(type)];
}

function hash(form: CanonicalValue): string {
  return sha256Hex(canonicalText([SEMANTIC_VERSION, form]));
}

/** A list of pairs, because names are data and may be `__proto__`. */
function mapEntries<T>(record: Readonly<Record<string, T>>, form: (entry: T) => CanonicalValue): CanonicalValue {
  return Object.keys(record)
    .sort()
    .flatMap((key) => {
      const entry = record[key];
      return entry === undefined ? [] : [[key, form(entry)]];
    });
}
