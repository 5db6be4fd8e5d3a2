// What linking hands to the compiler: a tree in which every name is resolved. JSON data; the same shapes, without spans,
// are what an artifact stores and a recovered process is compiled from.
// Stable: the compiler, the graph and the identities are written against these shapes.
//
// What the compiler may rely on
//   L1. `Variable.slot` indexes `entry.variables`; one flat scope per entry (`LL-41`).
//   L2. Every effect and branch node has `site`, an index into `entry.sites`, where its identity stands (`LL-92`).
//       Within one entry no two nodes share a site. Occurrence counts are the VM's, one counter per site.
//   L3. `await` is already sorted out: an operation performs itself (`LL-48`), so `await m.op()` is a plain Operation;
//       `await x?` and `(await x)?` are both Unwrap(Await(x)), and around an operation `unwrap: true` (`LL-16`);
//       an aggregate of operations is a Batch (`LL-50`); what is left under Await is a handle or a tree of handles (`LL-52`).
//   L4. `await (c ? a : b)` is given as `c ? await a : await b`.
//   L5. Abilities, types and targets are checked; nothing in a linked program needs another check of them.
import type { BinaryOperator, Label, UnaryOperator } from "../syntax/ast.ts";
import type { Span } from "../syntax/span.ts";
import type { TypeExpr } from "../syntax/type-expr.ts";
import type { HostRequirements } from "./host-requirements.ts";

export interface LinkedProgram {
  /** `lashlang:v1:sha256:<hex>` */
  readonly moduleRef: string;
  /** `lashlang-host-requirements:v1:sha256:<hex>` */
  readonly hostRequirementsRef: string;
  readonly hostRequirements: HostRequirements;
  readonly types: readonly LinkedTypeDeclaration[];
  /** In source order, which is the ordinal that `processRef.pos` names. */
  readonly processes: readonly LinkedProcess[];
  readonly main: LinkedEntry;
}

export interface LinkedTypeDeclaration {
  readonly name: string;
  readonly type: TypeExpr;
}

/** Content hash of a declaration and its ordinal among the processes of its module; key text `{component}:{pos}`. */
export interface ProcessRef {
  readonly component: string;
  readonly pos: number;
}

export interface LinkedProcess {
  readonly name: string;
  readonly processRef: ProcessRef;
  readonly params: readonly LinkedParam[];
  readonly signals: readonly LinkedParam[];
  readonly returnType: TypeExpr | null;
  /** Inferred from its `finish` statements, plus null where it can fall through. */
  readonly outputType: TypeExpr;
  readonly label: Label | null;
  readonly entry: LinkedEntry;
  readonly span?: Span;
}

export interface LinkedParam {
  readonly name: string;
  readonly type: TypeExpr;
}

/** One thing that runs: the main block of a cell, or the body of a process. */
export interface LinkedEntry {
  /** `main`, or the key text of the process ref. */
  readonly key: string;
  /**
   * Slot to name. A process: its params in order, then `input`, `inputs`, then locals by first occurrence.
   * A cell: everything it reads or assigns, by first occurrence; what it reads before assigning is a session variable.
   */
  readonly variables: readonly string[];
  /** Slots whose names belong to the identity of the program: params, `input`, `inputs`, session variables. */
  readonly namedSlots: readonly number[];
  readonly body: LinkedExpr;
  readonly sites: readonly CallSite[];
}

export type SiteKind =
  | "resource_operation"
  | "child_process"
  | "sleep"
  | "wait"
  | "signal"
  | "process_event"
  | "terminal"
  | "branch"
  | "step";

export interface CallSite {
  /** `{nodeKind}:` and 24 hex digits. */
  readonly nodeId: string;
  readonly nodeKind: SiteKind;
  /** Of the statement this stands in, when that is labeled. */
  readonly label: Label | null;
  /** Only for nodeKind `branch`. */
  readonly branch?: { readonly thenEdgeId: string; readonly elseEdgeId: string };
}

export type LinkedExpr =
  | { readonly kind: "Null"; readonly span?: Span }
  | { readonly kind: "Bool"; readonly value: boolean; readonly span?: Span }
  | LinkedNumber
  | { readonly kind: "String"; readonly value: string; readonly span?: Span }
  | { readonly kind: "List" | "Tuple"; readonly items: readonly LinkedExpr[]; readonly span?: Span }
  | LinkedRecord
  | LinkedComprehension
  | LinkedTypeLiteral
  | LinkedVariable
  | LinkedResource
  | LinkedProcessValue
  | { readonly kind: "TriggerEvent"; readonly span?: Span }
  | { readonly kind: "Field"; readonly object: LinkedExpr; readonly field: string; readonly span?: Span }
  | { readonly kind: "Index"; readonly object: LinkedExpr; readonly index: LinkedExpr; readonly span?: Span }
  | { readonly kind: "Unwrap"; readonly value: LinkedExpr; readonly span?: Span }
  | { readonly kind: "Unary"; readonly operator: UnaryOperator; readonly operand: LinkedExpr; readonly span?: Span }
  | LinkedBinary
  | LinkedTernary
  | { readonly kind: "BuiltinCall"; readonly name: string; readonly args: readonly LinkedExpr[]; readonly span?: Span }
  | LinkedConstruct
  | LinkedOperation
  | LinkedBatch
  | { readonly kind: "Await"; readonly value: LinkedExpr; readonly site: number; readonly span?: Span }
  | LinkedStart
  | LinkedSleep
  | { readonly kind: "WaitSignal"; readonly name: string; readonly site: number; readonly span?: Span }
  | LinkedSignalRun
  | { readonly kind: "Block"; readonly statements: readonly LinkedExpr[]; readonly span?: Span }
  | LinkedLabeled
  | LinkedIf
  | LinkedFor
  | LinkedWhile
  | { readonly kind: "Break" | "Continue"; readonly span?: Span }
  | LinkedAssign
  | LinkedEmit;

/** JSON knows no Infinity, and a literal of 400 digits is one: then `value` is the text `inf`. */
export interface LinkedNumber {
  readonly kind: "Number";
  readonly value: number | "inf";
  readonly span?: Span;
}

export interface LinkedRecord {
  readonly kind: "Record";
  /** In source order; a repeated key keeps its first place and its last value. */
  readonly entries: readonly { readonly key: string; readonly value: LinkedExpr }[];
  readonly span?: Span;
}

export interface LinkedComprehension {
  readonly kind: "Comprehension";
  readonly element: LinkedExpr;
  readonly clauses: readonly LinkedClause[];
  readonly span?: Span;
}

export type LinkedClause =
  | { readonly kind: "For"; readonly slot: number; readonly iterable: LinkedExpr }
  | { readonly kind: "If"; readonly condition: LinkedExpr };

export interface LinkedTypeLiteral {
  readonly kind: "TypeLiteral";
  readonly type: TypeExpr;
  /**
   * How to evaluate each `Ref` inside `type`, by its name, in order of first occurrence. Empty: the literal is a constant.
   * The value must be a Type value.
   */
  readonly refs: readonly { readonly name: string; readonly value: LinkedExpr }[];
  readonly span?: Span;
}

/** Reading an unbound one is "unknown name `{name}`". */
export interface LinkedVariable {
  readonly kind: "Variable";
  readonly slot: number;
  readonly name: string;
  readonly span?: Span;
}

/** A module named as a value: its authority. */
export interface LinkedResource {
  readonly kind: "Resource";
  readonly resourceType: string;
  readonly alias: string;
  readonly span?: Span;
}

/** A process named as a value: evaluates to a process definition value; `process` names one of this module. */
export interface LinkedProcessValue {
  readonly kind: "ProcessValue";
  readonly process: string;
  readonly span?: Span;
}

/** Strict operators evaluate left then right; `and` and `or` short-circuit and give a bool. */
export interface LinkedBinary {
  readonly kind: "Binary";
  readonly operator: BinaryOperator;
  readonly left: LinkedExpr;
  readonly right: LinkedExpr;
  readonly span?: Span;
}

export interface LinkedTernary {
  readonly kind: "Ternary";
  readonly condition: LinkedExpr;
  readonly consequent: LinkedExpr;
  readonly otherwise: LinkedExpr;
  readonly site: number;
  readonly span?: Span;
}

/** A host value constructor: pure, gives the host descriptor record of `typeName` around the argument. */
export interface LinkedConstruct {
  readonly kind: "Construct";
  /** Dotted path as the host lists it, which for a trigger source is also its source type. */
  readonly path: string;
  readonly typeName: string;
  readonly argument: LinkedExpr;
  readonly span?: Span;
}

/** `receiver.operation(args)`; the receiver evaluates to an authority, or fails with "requires a module authority receiver". */
export interface LinkedOperation {
  readonly kind: "Operation";
  readonly receiver: LinkedExpr;
  readonly operation: string;
  readonly args: readonly LinkedExpr[];
  /** True: the raw value, or the program aborts. False: a result wrapper. */
  readonly unwrap: boolean;
  readonly site: number;
  readonly span?: Span;
}

/**
 * Aggregate await. `tree` is made of List, Tuple and Record nodes; its leaves are Operation nodes, at least one, and
 * expressions without effects. Operations dispatch together, each under its own site.
 */
export interface LinkedBatch {
  readonly kind: "Batch";
  readonly tree: LinkedExpr;
  readonly site: number;
  readonly span?: Span;
}

/** Starts a process of this module. Evaluates args in source order. */
export interface LinkedStart {
  readonly kind: "Start";
  readonly process: string;
  readonly args: readonly { readonly name: string; readonly value: LinkedExpr }[];
  readonly site: number;
  readonly span?: Span;
}

export interface LinkedSleep {
  readonly kind: "Sleep";
  readonly mode: "For" | "Until";
  readonly value: LinkedExpr;
  readonly site: number;
  readonly span?: Span;
}

export interface LinkedSignalRun {
  readonly kind: "SignalRun";
  readonly run: LinkedExpr;
  readonly name: string;
  readonly payload: LinkedExpr;
  readonly site: number;
  readonly span?: Span;
}

/** Changes nothing at run time but what an observer sees; adds no level to call-site paths. */
export interface LinkedLabeled {
  readonly kind: "Labeled";
  readonly label: Label;
  readonly statement: LinkedExpr;
  readonly site: number;
  readonly span?: Span;
}

export interface LinkedIf {
  readonly kind: "If";
  readonly condition: LinkedExpr;
  readonly consequent: LinkedExpr;
  readonly otherwise: LinkedExpr | null;
  readonly site: number;
  readonly span?: Span;
}

export interface LinkedFor {
  readonly kind: "For";
  readonly slot: number;
  readonly iterable: LinkedExpr;
  readonly body: LinkedExpr;
  readonly span?: Span;
}

export interface LinkedWhile {
  readonly kind: "While";
  readonly condition: LinkedExpr;
  readonly body: LinkedExpr;
  readonly site: number;
  readonly span?: Span;
}

/** Index expressions first, then the value, then the update. */
export interface LinkedAssign {
  readonly kind: "Assign";
  readonly slot: number;
  readonly name: string;
  readonly steps: readonly LinkedStep[];
  readonly value: LinkedExpr;
  readonly span?: Span;
}

export type LinkedStep =
  | { readonly kind: "Field"; readonly field: string }
  | { readonly kind: "Index"; readonly index: LinkedExpr };

/** The statements that hand one value to the host. */
export interface LinkedEmit {
  readonly kind: "Finish" | "Fail" | "Print" | "Cancel" | "Yield" | "Wake";
  readonly value: LinkedExpr;
  readonly site: number;
  readonly span?: Span;
}
