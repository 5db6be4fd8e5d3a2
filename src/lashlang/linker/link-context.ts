// What all parts of the linker share about one program: its host, its declarations, and what it turns out to need.
import { SourceError } from "../diagnostics/source-error.ts";
import type { LinkErrorCode } from "../diagnostics/source-error.ts";
import type { ProcessDeclaration } from "../syntax/ast.ts";
import { printType } from "../printer/print-type.ts";
import type { Span } from "../syntax/span.ts";
import type { TypeExpr } from "../syntax/type-expr.ts";
import { isAssignable } from "../types/assignability.ts";
import type { HostEnvironment, ModuleInstance } from "./host-environment.ts";
import type { Ability, LanguageFeature } from "./host-requirements.ts";
import { lookup } from "./lookup.ts";
import { RequirementsCollector } from "./requirements-collector.ts";

const ABILITY_NAMES: Readonly<Record<Ability, string>> = {
  processes: "processes",
  sleep: "sleep",
  processSignals: "process signals",
  triggers: "triggers",
};

export class LinkContext {
  readonly source: string;
  readonly environment: HostEnvironment;
  readonly required: RequirementsCollector;
  readonly declaredTypes = new Map<string, TypeExpr>();
  readonly processes = new Map<string, ProcessDeclaration>();
  /** By dotted path. */
  readonly modules: ReadonlyMap<string, ModuleInstance>;
  /** What a Type value describes, a handle will give, or a process value names, for inferred types that are such values. */
  readonly meanings = new WeakMap<TypeExpr, TypeMeaning>();
  /** The process whose body is being lowered. */
  declaration: Span | null = null;
  readonly #opaqueTypes: ReadonlySet<string>;

  constructor(source: string, environment: HostEnvironment) {
    this.source = source;
    this.environment = environment;
    this.required = new RequirementsCollector(environment.catalog);
    this.modules = new Map(Object.values(environment.catalog.modules).map((module) => [module.path.join("."), module]));
    this.#opaqueTypes = new Set(Object.values(environment.catalog.valueConstructors).map((constructor) => constructor.typeName));
  }

  needAbility(ability: Ability, span: Span): void {
    if (!this.environment.abilities[ability]) {
      this.fail("AbilityDisabled", `lashlang feature \`${ABILITY_NAMES[ability]}\` is disabled by this host`, span); // LL-73
    }
    this.required.abilities.add(ability);
  }

  needFeature(feature: LanguageFeature, span: Span): void {
    if (!this.environment.languageFeatures[feature]) {
      this.fail("AbilityDisabled", "lashlang feature `label annotations` is disabled by this host", span); // LL-75
    }
    this.required.features.add(feature);
  }

  readonly resolveType = (name: string): TypeExpr | null =>
    this.declaredTypes.get(name) ?? lookup(this.environment.catalog.namedDataTypes, name)?.type ?? null;

  isAssignable(source: TypeExpr, target: TypeExpr): boolean {
    return isAssignable(source, target, this.resolveType);
  }

  /** The type behind a name, or the type itself. */
  expand(type: TypeExpr): TypeExpr {
    return type.kind === "Ref" ? (this.resolveType(type.name) ?? type) : type;
  }

  /** The resource type that a type names, if it names one. */
  resourceTypeOf(type: TypeExpr): string | null {
    if (type.kind !== "Ref") return null;
    if (this.declaredTypes.has(type.name)) {
      const meaning = this.expand(type);
      return meaning.kind === "Ref" ? this.resourceTypeOf(meaning) : null;
    }
    return lookup(this.environment.catalog.resourceTypes, type.name) === undefined ? null : type.name;
  }

  /** The name of a host descriptor type, whose inside is the host's business. */
  opaqueTypeOf(type: TypeExpr): string | null {
    return type.kind === "Ref" && this.#opaqueTypes.has(type.name) && this.resolveType(type.name) === null ? type.name : null;
  }

  isKnownType(name: string): boolean {
    return this.resolveType(name) !== null || lookup(this.environment.catalog.resourceTypes, name) !== undefined || this.#opaqueTypes.has(name);
  }

  fail(code: LinkErrorCode, message: string, span: Span): never {
    throw new SourceError({ phase: "link", code, span, source: this.source, declaration: this.declaration }, message);
  }
}

export type TypeMeaning =
  | { readonly kind: "typeValue"; readonly described: TypeExpr }
  | { readonly kind: "handle"; readonly output: TypeExpr }
  | { readonly kind: "process"; readonly process: string }
  | { readonly kind: "source"; readonly sourceType: string };

/** A type as messages show it, short enough to read. */
export function showType(type: TypeExpr): string {
  const text = printType(type);
  return text.length <= 200 ? text : `${text.slice(0, 199)}…`;
}
