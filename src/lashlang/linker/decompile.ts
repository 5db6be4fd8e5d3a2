// A linked program back to a syntax tree. Printed and linked again on a host that satisfies it, it has the same
// identities (`LL-87`): linking forgot only what identities do not see.
import type { Block, ComprehensionClause, Expr, IfStatement, Program, RecordEntry } from "../syntax/ast.ts";
import type { HostRequirements } from "./host-requirements.ts";
import type { LinkedEntry, LinkedExpr, LinkedProcess, LinkedTypeDeclaration } from "./linked-program.ts";
import { lookup } from "./lookup.ts";

export interface Decompilable {
  readonly hostRequirements: HostRequirements;
  readonly types: readonly LinkedTypeDeclaration[];
  readonly processes: readonly (Pick<LinkedProcess, "name" | "params" | "signals" | "returnType" | "label"> & { readonly entry: EntryShape })[];
  readonly main: EntryShape;
}

type EntryShape = Pick<LinkedEntry, "variables" | "body">;

/** There is no source that the tree came from. */
const span = { start: 0, end: 0 };

export function decompile(program: Decompilable): Program {
  const modules = program.hostRequirements.modules;
  const processes = program.processes.map(({ name, params, signals, returnType, label, entry }) => ({
    kind: "Process" as const,
    name,
    params: params.map((param) => ({ ...param, span })),
    signals: signals.map((signal) => ({ ...signal, span })),
    returnType,
    label,
    body: blockOf(decompileEntry(entry, modules)),
    span,
  }));
  const types = program.types.map(({ name, type }) => ({ kind: "Type" as const, name, type, span }));
  return { declarations: [...types, ...processes], main: blockOf(decompileEntry(program.main, modules)) };
}

function decompileEntry({ variables, body }: EntryShape, modules: HostRequirements["modules"]): Expr {
  const nameOf = (slot: number): string => variables[slot] ?? "_";

  const all = (nodes: readonly LinkedExpr[]): Expr[] => nodes.map(expr);

  const expr = (node: LinkedExpr): Expr => {
    switch (node.kind) {
      case "Null":
      case "Break":
      case "Continue":
        return { kind: node.kind, span };
      case "Bool":
        return { kind: "Bool", value: node.value, span };
      case "String":
        return { kind: "String", value: node.value, span };
      case "Number":
        return { kind: "Number", value: node.value === "inf" ? Infinity : node.value, span };
      case "List":
      case "Tuple":
        return { kind: node.kind, items: all(node.items), span };
      case "Record":
        return { kind: "Record", entries: node.entries.map(({ key, value }): RecordEntry => ({ key, value: expr(value) })), span };
      case "Comprehension": {
        const clauses = node.clauses.map((clause): ComprehensionClause =>
          clause.kind === "For" ? { kind: "For", name: nameOf(clause.slot), iterable: expr(clause.iterable) } : { kind: "If", condition: expr(clause.condition) },
        );
        return { kind: "Comprehension", clauses, element: expr(node.element), span };
      }
      case "TypeLiteral":
        return { kind: "TypeLiteral", type: node.type.kind === "Object" ? node.type : { kind: "Object", fields: [] }, span };
      case "Variable":
        return { kind: "Variable", name: nameOf(node.slot), span };
      case "Resource":
        return pathExpr(lookup(modules, node.alias)?.path ?? node.alias.split("."));
      case "ProcessValue":
        return { kind: "Variable", name: node.process, span };
      case "TriggerEvent":
        return pathExpr(["trigger", "event"]);
      case "Field":
        return { kind: "Field", object: expr(node.object), field: node.field, span };
      case "Index":
        return { kind: "Index", object: expr(node.object), index: expr(node.index), span };
      case "Unary":
        return { kind: "Unary", operator: node.operator, operand: expr(node.operand), span };
      case "Binary":
        return { kind: "Binary", operator: node.operator, left: expr(node.left), right: expr(node.right), span };
      case "Ternary":
        return { kind: "Ternary", condition: expr(node.condition), consequent: expr(node.consequent), otherwise: expr(node.otherwise), span };
      case "BuiltinCall":
        return { kind: "BuiltinCall", name: node.name, args: all(node.args), span };
      case "Construct": {
        const path = node.path.split(".");
        return { kind: "ReceiverCall", receiver: pathExpr(path.slice(0, -1)), operation: path.at(-1) ?? "", args: [expr(node.argument)], span };
      }
      case "Operation":
        return awaitOf(operation(node));
      case "Batch":
        return awaitOf(batchTree(node.tree));
      case "Await":
        return awaitOf(awaitedOnce(expr(node.value)));
      case "Unwrap":
        return unwrapOf(expr(node.value));
      case "Start":
        return { kind: "Start", process: node.process, args: node.args.map(({ name, value }) => ({ name, value: expr(value), span })), span };
      case "Sleep":
        return { kind: "Sleep", mode: node.mode, value: expr(node.value), span };
      case "WaitSignal":
        return { kind: "WaitSignal", name: node.name, span };
      case "SignalRun":
        return { kind: "SignalRun", run: expr(node.run), name: node.name, payload: expr(node.payload), span };
      case "Block":
        return { kind: "Block", statements: all(node.statements), span };
      case "Labeled":
        return { kind: "Labeled", label: node.label, statement: expr(node.statement), span };
      case "If":
        return { kind: "If", condition: expr(node.condition), consequent: blockOf(expr(node.consequent)), otherwise: elseOf(node.otherwise), span };
      case "For":
        return { kind: "For", name: nameOf(node.slot), iterable: expr(node.iterable), body: blockOf(expr(node.body)), span };
      case "While":
        return { kind: "While", condition: expr(node.condition), body: blockOf(expr(node.body)), span };
      case "Assign": {
        const steps = node.steps.map((step) => (step.kind === "Field" ? step : { kind: "Index" as const, index: expr(step.index) }));
        return { kind: "Assign", target: { name: nameOf(node.slot), steps, span }, value: expr(node.value), span };
      }
      case "Cancel":
        return { kind: "Cancel", handle: expr(node.value), span };
      case "Finish":
        return { kind: "Finish", value: expr(node.value), span };
      case "Print":
        return { kind: "Print", value: expr(node.value), span };
      case "Fail":
      case "Yield":
      case "Wake":
        return { kind: node.kind, value: expr(node.value), span };
    }
  };

  const elseOf = (node: LinkedExpr | null): IfStatement | Block | null => {
    if (node === null) return null;
    const otherwise = expr(node);
    return otherwise.kind === "If" ? otherwise : blockOf(otherwise);
  };

  const operation = (node: Extract<LinkedExpr, { kind: "Operation" }>): Expr => {
    const call: Expr = { kind: "ReceiverCall", receiver: expr(node.receiver), operation: node.operation, args: all(node.args), span };
    return node.unwrap ? { kind: "Unwrap", value: call, span } : call;
  };

  /** Leaves that are operations stand without `await` of their own. */
  const batchTree = (node: LinkedExpr): Expr => {
    switch (node.kind) {
      case "List":
      case "Tuple":
        return { kind: node.kind, items: node.items.map(batchTree), span };
      case "Record":
        return { kind: "Record", entries: node.entries.map(({ key, value }) => ({ key, value: batchTree(value) })), span };
      case "Operation":
        return operation(node);
      default:
        return expr(node);
    }
  };

  return expr(body);
}

function blockOf(expr: Expr): Block {
  return expr.kind === "Block" ? expr : { kind: "Block", statements: [expr], span };
}

function pathExpr([root = "_", ...fields]: readonly string[]): Expr {
  return fields.reduce<Expr>((object, field) => ({ kind: "Field", object, field, span }), { kind: "Variable", name: root, span });
}

function awaitOf(value: Expr): Expr {
  return { kind: "Await", value, span };
}

/** `await x?`, which is what linking reads `(await x)?` as; not so with more than one `await`. */
function unwrapOf(value: Expr): Expr {
  const isOnce = value.kind === "Await" && value.value.kind !== "Await";
  return isOnce ? awaitOf({ kind: "Unwrap", value: value.value, span }) : { kind: "Unwrap", value, span };
}

/** An awaited ternary moves its `await` into its branches, so awaiting the result once more takes one to move. */
function awaitedOnce(value: Expr): Expr {
  return value.kind === "Ternary" ? awaitOf(withoutAwait(value)) : value;
}

function withoutAwait(value: Expr): Expr {
  if (value.kind === "Ternary") return { ...value, consequent: withoutAwait(value.consequent), otherwise: withoutAwait(value.otherwise) };
  return value.kind === "Await" ? value.value : value;
}
