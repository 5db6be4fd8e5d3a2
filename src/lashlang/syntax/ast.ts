// The syntax tree: what the parser makes of source text and the printer turns back into it.
// Names are not resolved here; the linker lowers this tree to linker/linked-program.ts, and only that is compiled.
// `submit` and `finish` give the same node (`LL-1`); parentheses leave no node. The tree is JSON, never deeper than
// MAX_TREE_HEIGHT (syntax/limits.ts), so recursive walks are safe (`LL-19`).
import type { Span } from "./span.ts";
import type { ObjectType, TypeExpr } from "./type-expr.ts";

export interface Program {
  readonly declarations: readonly Declaration[];
  readonly main: Block;
}

export type Declaration = TypeDeclaration | ProcessDeclaration;

export interface TypeDeclaration {
  readonly kind: "Type";
  readonly name: string;
  readonly type: TypeExpr;
  readonly span: Span;
}

export interface ProcessDeclaration {
  readonly kind: "Process";
  readonly name: string;
  readonly params: readonly Param[];
  readonly signals: readonly Param[];
  readonly returnType: TypeExpr | null;
  readonly label: Label | null;
  readonly body: Block;
  readonly span: Span;
}

/** A process parameter, or a signal with the type of its payload. */
export interface Param {
  readonly name: string;
  readonly type: TypeExpr;
  readonly span: Span;
}

export interface Label {
  readonly title: string;
  readonly description: string | null;
}

/** Statements are expressions too; where which may stand is the parser's business. */
export type Expr =
  | NullLiteral
  | BoolLiteral
  | NumberLiteral
  | StringLiteral
  | ListExpr
  | TupleExpr
  | RecordExpr
  | ComprehensionExpr
  | TypeLiteral
  | VariableExpr
  | FieldExpr
  | IndexExpr
  | UnwrapExpr
  | UnaryExpr
  | BinaryExpr
  | TernaryExpr
  | AwaitExpr
  | BuiltinCall
  | ReceiverCall
  | StartExpr
  | SleepExpr
  | WaitSignalExpr
  | SignalRunExpr
  | Statement;

export type Statement =
  | Block
  | LabeledStatement
  | IfStatement
  | ForStatement
  | WhileStatement
  | LoopControl
  | AssignStatement
  | FinishStatement
  | PrintStatement
  | CancelStatement
  | ProcessAdminStatement;

export interface NullLiteral {
  readonly kind: "Null";
  readonly span: Span;
}

export interface BoolLiteral {
  readonly kind: "Bool";
  readonly value: boolean;
  readonly span: Span;
}

export interface NumberLiteral {
  readonly kind: "Number";
  /** Never negative, never NaN; may be Infinity for a very long literal. */
  readonly value: number;
  readonly span: Span;
}

export interface StringLiteral {
  readonly kind: "String";
  readonly value: string;
  readonly span: Span;
}

export interface ListExpr {
  readonly kind: "List";
  readonly items: readonly Expr[];
  readonly span: Span;
}

export interface TupleExpr {
  readonly kind: "Tuple";
  readonly items: readonly Expr[];
  readonly span: Span;
}

export interface RecordExpr {
  readonly kind: "Record";
  /** In source order, keys as written: a key may repeat, the last one wins at run time. */
  readonly entries: readonly RecordEntry[];
  readonly span: Span;
}

export interface RecordEntry {
  readonly key: string;
  readonly value: Expr;
}

/** `[element for a in xs if c ...]`; at least one clause, the first one a `For`. Clauses nest left to right. */
export interface ComprehensionExpr {
  readonly kind: "Comprehension";
  readonly element: Expr;
  readonly clauses: readonly ComprehensionClause[];
  readonly span: Span;
}

export type ComprehensionClause =
  | { readonly kind: "For"; readonly name: string; readonly iterable: Expr }
  | { readonly kind: "If"; readonly condition: Expr };

/** `Type { ... }` as a value. */
export interface TypeLiteral {
  readonly kind: "TypeLiteral";
  readonly type: ObjectType;
  readonly span: Span;
}

export interface VariableExpr {
  readonly kind: "Variable";
  readonly name: string;
  readonly span: Span;
}

export interface FieldExpr {
  readonly kind: "Field";
  readonly object: Expr;
  readonly field: string;
  readonly span: Span;
}

export interface IndexExpr {
  readonly kind: "Index";
  readonly object: Expr;
  readonly index: Expr;
  readonly span: Span;
}

/** Postfix `?`. */
export interface UnwrapExpr {
  readonly kind: "Unwrap";
  readonly value: Expr;
  readonly span: Span;
}

export interface UnaryExpr {
  readonly kind: "Unary";
  readonly operator: UnaryOperator;
  readonly operand: Expr;
  readonly span: Span;
}

export type UnaryOperator = "-" | "not";

export interface BinaryExpr {
  readonly kind: "Binary";
  readonly operator: BinaryOperator;
  readonly left: Expr;
  readonly right: Expr;
  readonly span: Span;
}

/** `&&` is read as `and`, `||` as `or`, `!` as `not`. */
export type BinaryOperator =
  | "or"
  | "and"
  | "=="
  | "!="
  | "<"
  | "<="
  | ">"
  | ">="
  | "+"
  | "-"
  | "*"
  | "/"
  | "%";

export interface TernaryExpr {
  readonly kind: "Ternary";
  readonly condition: Expr;
  readonly consequent: Expr;
  readonly otherwise: Expr;
  readonly span: Span;
}

/** As written: `await h?` is `Await(Unwrap(h))` here; the linker gives it its meaning. */
export interface AwaitExpr {
  readonly kind: "Await";
  readonly value: Expr;
  readonly span: Span;
}

/** `name(args)`; whether such a builtin exists is the linker's question. */
export interface BuiltinCall {
  readonly kind: "BuiltinCall";
  readonly name: string;
  readonly args: readonly Expr[];
  readonly span: Span;
}

/** `receiver.operation(args)`: a module operation, or a value constructor of the host. */
export interface ReceiverCall {
  readonly kind: "ReceiverCall";
  readonly receiver: Expr;
  readonly operation: string;
  readonly args: readonly Expr[];
  readonly span: Span;
}

export interface StartExpr {
  readonly kind: "Start";
  readonly process: string;
  /** In source order; duplicates are the linker's to refuse. */
  readonly args: readonly StartArgument[];
  readonly span: Span;
}

export interface StartArgument {
  readonly name: string;
  readonly value: Expr;
  readonly span: Span;
}

export interface SleepExpr {
  readonly kind: "Sleep";
  readonly mode: "For" | "Until";
  readonly value: Expr;
  readonly span: Span;
}

export interface WaitSignalExpr {
  readonly kind: "WaitSignal";
  readonly name: string;
  readonly span: Span;
}

export interface SignalRunExpr {
  readonly kind: "SignalRun";
  readonly run: Expr;
  readonly name: string;
  readonly payload: Expr;
  readonly span: Span;
}

export interface Block {
  readonly kind: "Block";
  readonly statements: readonly Expr[];
  readonly span: Span;
}

/** `@label(...)` before a statement; never wraps another label. */
export interface LabeledStatement {
  readonly kind: "Labeled";
  readonly label: Label;
  readonly statement: Expr;
  readonly span: Span;
}

export interface IfStatement {
  readonly kind: "If";
  readonly condition: Expr;
  readonly consequent: Block;
  readonly otherwise: IfStatement | Block | null;
  readonly span: Span;
}

export interface ForStatement {
  readonly kind: "For";
  readonly name: string;
  readonly iterable: Expr;
  readonly body: Block;
  readonly span: Span;
}

export interface WhileStatement {
  readonly kind: "While";
  readonly condition: Expr;
  readonly body: Block;
  readonly span: Span;
}

export interface LoopControl {
  readonly kind: "Break" | "Continue";
  readonly span: Span;
}

export interface AssignStatement {
  readonly kind: "Assign";
  readonly target: AssignTarget;
  readonly value: Expr;
  readonly span: Span;
}

export interface AssignTarget {
  readonly name: string;
  /** Empty for a plain variable. */
  readonly steps: readonly TargetStep[];
  readonly span: Span;
}

export type TargetStep =
  | { readonly kind: "Field"; readonly field: string }
  | { readonly kind: "Index"; readonly index: Expr };

export interface FinishStatement {
  readonly kind: "Finish";
  readonly value: Expr;
  readonly span: Span;
}

export interface PrintStatement {
  readonly kind: "Print";
  readonly value: Expr;
  readonly span: Span;
}

export interface CancelStatement {
  readonly kind: "Cancel";
  readonly handle: Expr;
  readonly span: Span;
}

/** Statements that only a process body may hold. */
export interface ProcessAdminStatement {
  readonly kind: "Yield" | "Wake" | "Fail";
  readonly value: Expr;
  readonly span: Span;
}
