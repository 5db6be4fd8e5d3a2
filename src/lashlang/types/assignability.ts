// Whether a value of one type may stand where another is expected (`LL-71`).
import type { ObjectType, TypeExpr } from "../syntax/type-expr.ts";
import { partsOf } from "./type-algebra.ts";

/** What a name stands for; null when it stands for itself, as resource types and opaque descriptors do. */
export type ResolveType = (name: string) => TypeExpr | null;

/**
 * True when every value of `source` is one of `target`.
 * Recursive type declarations end where a pair of names comes up a second time: nothing on the way spoke against it.
 */
export function isAssignable(source: TypeExpr, target: TypeExpr, resolve: ResolveType): boolean {
  const verdicts = new Map<string, boolean>();

  const assignable = (from: TypeExpr, to: TypeExpr): boolean => {
    if (to.kind === "Any") return true;
    if (from.kind === "Union") return from.members.every((member) => assignable(member, to));
    if (from.kind === "Ref" || to.kind === "Ref") return namesAssignable(from, to);
    if (to.kind === "Union") return to.members.some((member) => assignable(from, member));
    switch (from.kind) {
      case "Any":
        return false; // a value of unknown type must be validated first
      case "Int":
        return to.kind === "Int" || to.kind === "Float";
      case "Enum":
        return to.kind === "Str" || (to.kind === "Enum" && from.values.every((value) => to.values.includes(value)));
      case "Object":
        return to.kind === "Dict" || (to.kind === "Object" && objectAssignable(from, to));
      case "Process":
        return (
          to.kind === "Process" &&
          from.inputCount === to.inputCount &&
          assignable(to.input, from.input) && // whoever starts it passes what `to` promises
          assignable(from.output, to.output)
        );
      default: // scalars, and lists and trigger handles, which are covariant
        return from.kind === to.kind && partsOf(from).every((part, index) => assignable(part, partsOf(to)[index] as TypeExpr));
    }
  };

  const namesAssignable = (from: TypeExpr, to: TypeExpr): boolean => {
    if (from.kind !== "Ref" || to.kind !== "Ref") return meaningsAssignable(from, to);
    if (from.name === to.name) return true;
    const pair = `${from.name} ${to.name}`; // names hold no space
    const known = verdicts.get(pair);
    if (known !== undefined) return known;
    verdicts.set(pair, true);
    const verdict = meaningsAssignable(from, to);
    verdicts.set(pair, verdict);
    return verdict;
  };

  const meaningsAssignable = (from: TypeExpr, to: TypeExpr): boolean => {
    const fromMeaning = from.kind === "Ref" ? resolve(from.name) : from;
    const toMeaning = to.kind === "Ref" ? resolve(to.name) : to;
    if (fromMeaning === null && to.kind === "Union") return to.members.some((member) => assignable(from, member));
    if (fromMeaning === null || toMeaning === null) return false;
    return assignable(fromMeaning, toMeaning);
  };

  const objectAssignable = (from: ObjectType, to: ObjectType): boolean => {
    const fields = new Map(from.fields.map((field) => [field.name, field]));
    return to.fields.every(({ name, type, optional }) => {
      const given = fields.get(name);
      return given === undefined ? optional : (optional || !given.optional) && assignable(given.type, type);
    });
  };

  return assignable(source, target);
}
