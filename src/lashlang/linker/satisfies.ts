// Whether a host still offers what a program was linked against (`LL-83`): asked when a process starts, and again
// whenever it runs or is recovered, perhaps by another version of the host.
import { printType } from "../printer/print-type.ts";
import type { TypeExpr } from "../syntax/type-expr.ts";
import { sameType } from "../types/type-algebra.ts";
import type { HostEnvironment } from "./host-environment.ts";
import type { HostRequirements } from "./host-requirements.ts";
import { lookup } from "./lookup.ts";

export function satisfies(environment: HostEnvironment, requirements: HostRequirements): boolean {
  return firstUnmetRequirement(environment, requirements) === null;
}

/** What is missing or different, in words; null when nothing is. */
export function firstUnmetRequirement(environment: HostEnvironment, requirements: HostRequirements): string | null {
  for (const unmet of unmetRequirements(environment, requirements)) return unmet;
  return null;
}

function* unmetRequirements({ catalog, abilities, languageFeatures }: HostEnvironment, required: HostRequirements): Generator<string> {
  for (const ability of required.abilities) {
    if (!abilities[ability]) yield `ability \`${ability}\` is off`;
  }
  for (const feature of required.languageFeatures) {
    if (!languageFeatures[feature]) yield `language feature \`${feature}\` is off`;
  }
  for (const [alias, wanted] of Object.entries(required.modules)) {
    const module = lookup(catalog.modules, alias);
    if (module === undefined) yield `module \`${alias}\` is missing`;
    else if (module.resourceType !== wanted.resourceType) yield `module \`${alias}\` is of another resource type`;
    else if (module.path.join(".") !== wanted.path.join(".")) yield `module \`${alias}\` has another path`;
    for (const [name, { hostOperation }] of Object.entries(wanted.operations)) {
      if (lookup(module?.operations ?? {}, name)?.hostOperation !== hostOperation) yield `operation \`${alias}.${name}\` is missing or another one`;
    }
  }
  for (const [name, wanted] of Object.entries(required.resourceTypes)) {
    const type = lookup(catalog.resourceTypes, name);
    if (type === undefined) yield `resource type \`${name}\` is missing`;
    for (const [operation, { inputType, outputType }] of Object.entries(wanted.operations)) {
      const signature = lookup(type?.operations ?? {}, operation);
      if (!equalTypes(signature?.inputType, inputType) || !equalTypes(signature?.outputType, outputType)) {
        yield `operation \`${operation}\` of resource type \`${name}\` changed its types`;
      }
    }
  }
  for (const [name, wanted] of Object.entries(required.namedDataTypes)) {
    if (!equalTypes(lookup(catalog.namedDataTypes, name)?.type, wanted.type)) yield `data type \`${name}\` is not ${printType(wanted.type)}`;
  }
  for (const [path, wanted] of Object.entries(required.valueConstructors)) {
    const constructor = lookup(catalog.valueConstructors, path);
    const equal =
      constructor?.typeName === wanted.typeName &&
      equalTypes(constructor.inputType, wanted.inputType) &&
      equalTypes(constructor.outputType, wanted.outputType);
    if (!equal) yield `value constructor \`${path}\` is missing or another one`;
  }
  for (const [sourceType, wanted] of Object.entries(required.triggerSources)) {
    if (!equalTypes(lookup(catalog.triggerSources, sourceType)?.eventType, wanted.eventType)) {
      yield `trigger source \`${sourceType}\` is missing or emits another event`;
    }
  }
}

function equalTypes(found: TypeExpr | undefined, wanted: TypeExpr): boolean {
  return found !== undefined && sameType(found, wanted);
}
