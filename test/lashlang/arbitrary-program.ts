// Random syntax trees: every shape the grammar allows, with the statements where they may stand.
import * as fc from "fast-check";
import type {
  AssignTarget,
  BinaryOperator,
  Block,
  ComprehensionClause,
  Declaration,
  Expr,
  Label,
  Program,
} from "../../src/lashlang/syntax/ast.ts";
import type { ObjectType, ScalarTypeKind, TypeExpr } from "../../src/lashlang/syntax/type-expr.ts";

const span = { start: 0, end: 0 };

export const hostileNames = ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty"] as const;

const name = fc.oneof(
  fc.constantFrom("a", "b", "x", "items", "tools", "files", "input", "trigger", "_"),
  fc.constantFrom("let", "while", "break", "continue", "finish", "yield", "wake", "fail", "process", "type", "trigger", "start", "sleep", "until", "Type", "signals", "label", "wait_signal", "signal_run", "parallel"),
  fc.constantFrom(...hostileNames),
);
/** Names that are not the start of another form when they are called. */
const callName = fc.constantFrom("len", "format", "push", "range", "to_string", "nope", "constructor");
const key = fc.oneof(name, fc.constantFrom("if", "in", "null", "two words", "", "é", "0", "a\nb", '"'));
const text = fc.oneof(fc.string({ unit: "binary", maxLength: 12 }), fc.constantFrom("", "a\nb", 'say "hi"', "back\\slash", "'''", '"""', "東京", "\r\n", "\t"));
const signalName = fc.constantFrom("go", "a-b", "x_1");
const typeName = fc.constantFrom("Row", "timer.Tick", "Tools", "a.b.c");

const scalar = fc.constantFrom<ScalarTypeKind>("Any", "Str", "Int", "Float", "Bool", "Dict", "Null").map((kind): TypeExpr => ({ kind }));

const { type: typeExpr } = fc.letrec<{ type: TypeExpr; term: TypeExpr; object: TypeExpr }>((tie) => ({
  type: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    tie("term"),
    fc.array(tie("term"), { minLength: 2, maxLength: 3 }).map((members): TypeExpr => ({ kind: "Union", members })),
  ),
  term: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    scalar,
    typeName.map((ref): TypeExpr => ({ kind: "Ref", name: ref })),
    fc.array(text, { minLength: 1, maxLength: 3 }).map((values): TypeExpr => ({ kind: "Enum", values })),
    tie("type").map((item): TypeExpr => ({ kind: "List", item })),
    tie("object"),
    tie("type").map((event): TypeExpr => ({ kind: "TriggerHandle", event })),
    fc.tuple(scalar, tie("type")).map(([input, output]): TypeExpr => ({ kind: "Process", input, output, inputCount: input.kind === "Null" ? 0 : 1 })),
  ),
  object: fc
    .uniqueArray(fc.tuple(key, tie("type"), fc.boolean()), { maxLength: 3, selector: ([field]) => field })
    .map((fields): TypeExpr => ({ kind: "Object", fields: fields.map(([field, type, optional]) => ({ name: field, type, optional })) })),
}));

const objectType = fc
  .uniqueArray(fc.tuple(key, typeExpr, fc.boolean()), { maxLength: 3, selector: ([field]) => field })
  .map((fields): ObjectType => ({ kind: "Object", fields: fields.map(([field, type, optional]) => ({ name: field, type, optional })) }));

const number = fc.oneof(
  fc.nat(1000),
  fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }).map((value) => Math.abs(value)),
  fc.constantFrom(0, 0.5, 1e21, 1e-7, 5e-324, Number.MAX_VALUE, Infinity),
);
const operator = fc.constantFrom<BinaryOperator>("or", "and", "==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%");

const leaf: fc.Arbitrary<Expr> = fc.oneof(
  fc.constant<Expr>({ kind: "Null", span }),
  fc.boolean().map((value): Expr => ({ kind: "Bool", value, span })),
  number.map((value): Expr => ({ kind: "Number", value, span })),
  text.map((value): Expr => ({ kind: "String", value, span })),
  name.map((variable): Expr => ({ kind: "Variable", name: variable, span })),
  objectType.map((type): Expr => ({ kind: "TypeLiteral", type, span })),
  signalName.map((signal): Expr => ({ kind: "WaitSignal", name: signal, span })),
);

const { expr } = fc.letrec<{ expr: Expr }>((tie) => {
  const inner = tie("expr");
  const items = fc.array(inner, { maxLength: 3 });
  const clauses = fc
    .tuple(fc.tuple(name, inner), fc.array(fc.oneof(fc.tuple(name, inner), inner), { maxLength: 2 }))
    .map(([first, rest]): ComprehensionClause[] =>
      [first, ...rest].map((clause) =>
        Array.isArray(clause) ? { kind: "For", name: clause[0], iterable: clause[1] } : { kind: "If", condition: clause },
      ),
    );
  return {
    expr: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      leaf,
      fc.tuple(fc.constantFrom("List" as const, "Tuple" as const), items).map(([kind, list]): Expr => ({ kind, items: list, span })),
      fc.array(fc.tuple(key, inner), { maxLength: 3 }).map((entries): Expr => ({ kind: "Record", entries: entries.map(([k, value]) => ({ key: k, value })), span })),
      fc.tuple(inner, clauses).map(([element, list]): Expr => ({ kind: "Comprehension", element, clauses: list, span })),
      fc.tuple(inner, key).map(([object, field]): Expr => ({ kind: "Field", object, field, span })),
      fc.tuple(inner, inner).map(([object, index]): Expr => ({ kind: "Index", object, index, span })),
      inner.map((value): Expr => ({ kind: "Unwrap", value, span })),
      inner.map((value): Expr => ({ kind: "Await", value, span })),
      fc.tuple(fc.constantFrom("-" as const, "not" as const), inner).map(([unary, operand]): Expr => ({ kind: "Unary", operator: unary, operand, span })),
      fc.tuple(operator, inner, inner).map(([binary, left, right]): Expr => ({ kind: "Binary", operator: binary, left, right, span })),
      fc.tuple(inner, inner, inner).map(([condition, consequent, otherwise]): Expr => ({ kind: "Ternary", condition, consequent, otherwise, span })),
      fc.tuple(callName, items).map(([called, args]): Expr => ({ kind: "BuiltinCall", name: called, args, span })),
      fc.tuple(inner, key, items).map(([receiver, operation, args]): Expr => ({ kind: "ReceiverCall", receiver, operation, args, span })),
      fc.tuple(name, fc.array(fc.tuple(key, inner), { maxLength: 2 })).map(([process, args]): Expr => ({ kind: "Start", process, args: args.map(([k, value]) => ({ name: k, value, span })), span })),
      fc.tuple(fc.constantFrom("For" as const, "Until" as const), inner).map(([mode, value]): Expr => ({ kind: "Sleep", mode, value, span })),
      fc.tuple(inner, signalName, inner).map(([run, signal, payload]): Expr => ({ kind: "SignalRun", run, name: signal, payload, span })),
    ),
  };
});

const target: fc.Arbitrary<AssignTarget> = fc
  .tuple(name, fc.array(fc.oneof(key, expr), { maxLength: 2 }))
  .map(([root, steps]) => ({
    name: root,
    steps: steps.map((step) => (typeof step === "string" ? { kind: "Field", field: step } : { kind: "Index", index: step })),
    span,
  }));

const label: fc.Arbitrary<Label> = fc.record({ title: text, description: fc.option(text) });

function block(inProcess: boolean, inLoop: boolean, depth: number): fc.Arbitrary<Block> {
  return fc.array(statement(inProcess, inLoop, depth), { maxLength: 3 }).map((statements) => ({ kind: "Block", statements, span }));
}

function statement(inProcess: boolean, inLoop: boolean, depth: number): fc.Arbitrary<Expr> {
  const simple: fc.Arbitrary<Expr>[] = [
    expr,
    fc.tuple(target, expr).map(([to, value]): Expr => ({ kind: "Assign", target: to, value, span })),
    expr.map((value): Expr => ({ kind: "Finish", value, span })),
    expr.map((handle): Expr => ({ kind: "Cancel", handle, span })),
  ];
  if (inProcess) {
    simple.push(fc.tuple(fc.constantFrom("Yield" as const, "Wake" as const, "Fail" as const), expr).map(([kind, value]): Expr => ({ kind, value, span })));
  } else {
    simple.push(expr.map((value): Expr => ({ kind: "Print", value, span })));
  }
  if (inLoop) simple.push(fc.constantFrom<Expr>({ kind: "Break", span }, { kind: "Continue", span }));
  const plain = fc.oneof(...simple);
  if (depth <= 0) return plain;
  const inner = block(inProcess, inLoop, depth - 1);
  const loopBody = block(inProcess, true, depth - 1);
  const ifs = fc.tuple(expr, inner, fc.option(inner)).map(([condition, consequent, otherwise]) => ({ kind: "If" as const, condition, consequent, otherwise, span }));
  const any = fc.oneof(
    { weight: 6, arbitrary: plain },
    { weight: 1, arbitrary: ifs },
    { weight: 1, arbitrary: fc.tuple(expr, inner, ifs).map(([condition, consequent, otherwise]): Expr => ({ kind: "If", condition, consequent, otherwise, span })) },
    { weight: 1, arbitrary: fc.tuple(name, expr, loopBody).map(([variable, iterable, body]): Expr => ({ kind: "For", name: variable, iterable, body, span })) },
    { weight: 1, arbitrary: fc.tuple(expr, loopBody).map(([condition, body]): Expr => ({ kind: "While", condition, body, span })) },
  );
  return fc.oneof(
    { weight: 8, arbitrary: any },
    { weight: 1, arbitrary: fc.tuple(label, any).map(([lab, inside]): Expr => ({ kind: "Labeled", label: lab, statement: inside, span })) },
  );
}

const param = fc.tuple(name, typeExpr).map(([paramName, type]) => ({ name: paramName, type, span }));

const declaration: fc.Arbitrary<Declaration> = fc.oneof(
  fc.tuple(name, typeExpr).map(([declared, type]): Declaration => ({ kind: "Type", name: declared, type, span })),
  fc
    .tuple(name, fc.array(param, { maxLength: 2 }), fc.array(param, { maxLength: 2 }), fc.option(typeExpr), fc.option(label), block(true, false, 2))
    .map(([declared, params, signals, returnType, lab, body]): Declaration => ({ kind: "Process", name: declared, params, signals, returnType, label: lab, body, span })),
);

export const program: fc.Arbitrary<Program> = fc
  .tuple(fc.array(declaration, { maxLength: 2 }), block(false, false, 2))
  .map(([declarations, main]) => ({ declarations, main }));

/** Text that looks like a program for a while. */
export const sourceLikeText: fc.Arbitrary<string> = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        "if", "else", "for", "in", "await", "cancel", "submit", "print", "call", "and", "or", "not", "true", "null", "while", "break", "finish", "process",
        "type", "start", "sleep", "until", "Type", "trigger", "event", "wait_signal", "signal_run", "parallel", "@label", "title", "enum", "list", "Process",
      ),
      fc.constantFrom("{", "}", "(", ")", "[", "]", ",", ":", "@", "?", ".", "!", "=", "==", "!=", "&&", "||", "|", "<", ">", "+", "-", "*", "/", "%", "->", ";", "#", "\n"),
      fc.constantFrom('"', "'", '"""', 'r"', "\\", "1", "3.", "1.2.3", "tools", ".echo(", "x", "__proto__"),
      fc.string({ maxLength: 3 }),
    ),
    { maxLength: 40 },
  )
  .map((parts) => parts.join(" "));
