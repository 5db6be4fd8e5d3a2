// A linked entry as its identity sees it: no spans, no site numbers, and locals numbered instead of named (`LL-81`).
// Formatting, comments and the names of locals are gone; params, session variables, labels, types and structure remain.
import type { LinkedEntry, LinkedExpr } from "../linker/linked-program.ts";
import type { TypeExpr } from "../syntax/type-expr.ts";
import type { CanonicalValue } from "./canonical.ts";

type SemanticRecord = { readonly [key: string]: CanonicalValue };

/** Version of the form below; part of every hash, so that a change here makes new identities rather than wrong matches. */
export const SEMANTIC_VERSION = "lashlang-semantic-v2";

export function semanticEntry(entry: Pick<LinkedEntry, "variables" | "namedSlots" | "body">): CanonicalValue {
  const named = new Set(entry.namedSlots);
  const numbers = new Map<number, number>();

  const variable = (slot: number): CanonicalValue => {
    if (named.has(slot)) return entry.variables[slot] ?? null;
    const number = numbers.get(slot) ?? numbers.size;
    numbers.set(slot, number);
    return number;
  };
  const all = (nodes: readonly LinkedExpr[]): CanonicalValue => nodes.map(form);

  const form = (node: LinkedExpr): SemanticRecord => {
    const { kind } = node;
    switch (kind) {
      case "Null":
      case "TriggerEvent":
      case "Break":
      case "Continue":
        return { kind };
      case "Bool":
      case "Number":
      case "String":
        return { kind, value: node.value };
      case "List":
      case "Tuple":
        return { kind, items: all(node.items) };
      case "Record":
        return { kind, entries: node.entries.map(({ key, value }) => [key, form(value)]) };
      case "Comprehension":
        return {
          kind,
          clauses: node.clauses.map((clause) => (clause.kind === "For" ? [form(clause.iterable), variable(clause.slot)] : form(clause.condition))),
          element: form(node.element),
        };
      case "TypeLiteral": {
        const refs = node.refs.map(({ name }) => name);
        const semantic = semanticType(node.type, (name) => (refs.includes(name) ? refs.indexOf(name) : name));
        return { kind, refs: node.refs.map(({ value }) => form(value)), type: semantic };
      }
      case "Variable":
        return { kind, variable: variable(node.slot) };
      case "Resource":
        return { kind, alias: node.alias, resourceType: node.resourceType };
      case "ProcessValue":
        return { kind, process: node.process };
      case "Field":
        return { kind, object: form(node.object), field: node.field };
      case "Index":
        return { kind, object: form(node.object), index: form(node.index) };
      case "Unwrap":
      case "Await":
      case "Finish":
      case "Fail":
      case "Print":
      case "Cancel":
      case "Yield":
      case "Wake":
        return { kind, value: form(node.value) };
      case "Unary":
        return { kind, operator: node.operator, operand: form(node.operand) };
      case "Binary":
        return { kind, operator: node.operator, left: form(node.left), right: form(node.right) };
      case "Ternary":
        return { kind, condition: form(node.condition), then: form(node.then), otherwise: form(node.otherwise) };
      case "BuiltinCall":
        return { kind, name: node.name, args: all(node.args) };
      case "Construct":
        return { kind, path: node.path, typeName: node.typeName, argument: form(node.argument) };
      case "Operation":
        return { kind, receiver: form(node.receiver), operation: node.operation, args: all(node.args), unwrap: node.unwrap };
      case "Batch":
        return { kind, tree: form(node.tree) };
      case "Start":
        return { kind, process: node.process, args: node.args.map(({ name, value }) => [name, form(value)]) };
      case "Sleep":
        return { kind, mode: node.mode, value: form(node.value) };
      case "WaitSignal":
        return { kind, name: node.name };
      case "SignalRun":
        return { kind, run: form(node.run), name: node.name, payload: form(node.payload) };
      case "Block":
        return { kind, statements: all(node.statements) };
      case "Labeled":
        return { kind, label: { title: node.label.title, description: node.label.description }, statement: form(node.statement) };
      case "If":
        return { kind, condition: form(node.condition), then: form(node.then), otherwise: node.otherwise === null ? null : form(node.otherwise) };
      case "For":
        return { kind, iterable: form(node.iterable), variable: variable(node.slot), body: form(node.body) };
      case "While":
        return { kind, condition: form(node.condition), body: form(node.body) };
      case "Assign": {
        const steps = node.steps.map((step) => (step.kind === "Field" ? [step.field] : form(step.index)));
        return { kind, steps, value: form(node.value), variable: variable(node.slot) };
      }
    }
  };
  return form(entry.body);
}

/** A type without spans. `nameOf` says what stands for a reference. */
export function semanticType(type: TypeExpr, nameOf: (name: string) => CanonicalValue = (name) => name): CanonicalValue {
  const { kind } = type;
  const inner = (part: TypeExpr): CanonicalValue => semanticType(part, nameOf);
  switch (type.kind) {
    case "Enum":
      return { kind, values: type.values };
    case "List":
      return { kind, item: inner(type.item) };
    case "Object":
      return { kind, fields: type.fields.map(({ name, type: field, optional }) => [name, inner(field), optional]) };
    case "Ref":
      return { kind, name: nameOf(type.name) };
    case "Process":
      return { kind, input: inner(type.input), output: inner(type.output), inputCount: type.inputCount };
    case "TriggerHandle":
      return { kind, event: inner(type.event) };
    case "Union":
      return { kind, members: type.members.map(inner) };
    default:
      return { kind };
  }
}
