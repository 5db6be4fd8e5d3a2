import { describe, expect, test } from "vitest";
import { SourceError } from "../../src/lashlang/diagnostics/source-error.ts";
import type { Expr } from "../../src/lashlang/syntax/ast.ts";
import { lex } from "../../src/lashlang/syntax/lexer.ts";
import { parse, parseTypeText } from "../../src/lashlang/syntax/parser.ts";
import { bare, errorOf } from "./support.ts";

const texts = (source: string): string[] => lex(source).tokens.slice(0, -1).map(({ kind, text }) => `${kind} ${text}`);

describe("lexer", () => {
  test.each<[id: string, source: string, tokens: string[]]>([
    ["LL-4: `;` and newlines separate and are otherwise nothing", "a;;\nb\u00a0\ufeffc", ["identifier a", "identifier b", "identifier c"]],
    ["LL-4: both comment forms end with their line", "a # x\n// y\nb", ["identifier a", "identifier b"]],
    ["LL-4: `//` inside a string is text", "'http://x' / 2", ["string http://x", "punctuation /", "number 2"]],
    ["LL-5: a number has at most one dot", "12 3.5 3.", ["number 12", "number 3.5", "number 3."]],
    ["LL-5: no sign and no exponent", "-1e5", ["punctuation -", "number 1", "identifier e5"]],
    ["LL-6: contextual words are identifiers, reserved ones are not", "finish submit let in", ["identifier finish", "reserved submit", "identifier let", "reserved in"]],
    ["LL-7: two-character punctuation first", "==!=<=>=&&||=!<>|", ["==", "!=", "<=", ">=", "&&", "||", "=", "!", "<", ">", "|"].map((text) => `punctuation ${text}`)],
    ["LL-8: escapes", String.raw`"\\ \n \r \t \" \q"`, ['string \\ \n \r \t " q']],
    ["LL-8: the other quote needs no escape", `"it's" 'say "hi"'`, ["string it's", 'string say "hi"']],
    ["LL-8: every string may span lines", "'a\nb' \"\"\"c\n\"d\" \"\"\"", ["string a\nb", 'string c\n"d" ']],
    ["LL-8: a triple string ends at the first three quotes that no escape takes", String.raw`"""a\"""" 1`, ['string a"', "number 1"]],
    ["LL-9: raw strings know no escapes", `r"\\n" R'''\\'''`, [String.raw`string \n`, "string \\"]],
    ["LL-9: `r#` is a name and a comment", 'r#".."#', ["identifier r"]],
    ["LL-9: @label in a string is text", "'@label(x)'", ["string @label(x)"]],
  ])("%s", (_, source, expected) => {
    expect(texts(source)).toEqual(expected);
  });

  test("LL-5: a literal of 400 digits is Infinity", () => {
    expect(bare(parse("9".repeat(400)).main.statements)).toEqual([{ kind: "Number", value: Infinity }]);
  });

  test.each<[id: string, source: string, message: string, start: number]>([
    ["LL-10: unterminated string points at its opening", 'a = "x', "unterminated string", 4],
    ["LL-10: unterminated after an escape", "'\\", "unterminated string", 0],
    ["LL-10: unterminated raw triple string", 'r"""x""', "unterminated string", 0],
    ["LL-10: two dots", "1.2.3", "invalid number `1.2.3`", 0],
    ["LL-7: a lone ampersand", "a & b", "unexpected `&`", 2],
    ["LL-7: a character beyond the basic plane is named whole", "x = 😀", "unexpected `😀`", 4],
    ["LL-5: letters are ASCII", "é = 1", "unexpected `é`", 0],
  ])("%s", (_, source, message, start) => {
    const error = errorOf(() => parse(source));
    expect([error.message, error.span.start]).toEqual([message, start]);
  });
});

const statement = (source: string): unknown => bare(parse(source).main.statements.at(-1));
const variable = (name: string): Partial<Expr> => ({ kind: "Variable", name });
const number = (value: number): Partial<Expr> => ({ kind: "Number", value });

describe("parser: what source means", () => {
  test.each<[id: string, one: string, other: string]>([
    ["LL-1: submit is finish", "submit 1", "finish 1"],
    ["LL-7: symbols are words", "a && b || !c", "a and b or not c"],
    ["LL-11: let changes nothing", "let x = 1", "x = 1"],
    ["LL-14: brackets on the next line continue", "x = a\n[0]", "x = a[0]"],
    ["LL-14: arguments on the next line continue", "x = f\n(1)", "x = f(1)"],
    ["LL-14: a minus on the next line continues", "x = a\n- 1", "x = a - 1"],
    ["LL-14: a dot on the next line continues", "x = a\n.b", "x = a.b"],
    ["LL-16: await takes the unwrap along", "await x.op()?", "await (x.op()?)"],
    ["LL-17: commas build tuples in statements", "x = 1, 2", "x = (1, 2)"],
    ["LL-17: a trailing comma makes a tuple of one", "x = 1,", "x = (1,)"],
    ["LL-30: comparison binds looser than sums", "a + 1 < b * 2", "(a + 1) < (b * 2)"],
    ["LL-30: or is looser than and", "a or b and c", "a or (b and c)"],
    ["LL-30: operators are left associative", "a - b - c", "(a - b) - c"],
    ["LL-30: unary binds tighter than binary", "-a * b", "(-a) * b"],
    ["LL-30: postfix binds tighter than unary", "not a.b[0]", "not (a.b[0])"],
    ["LL-15: ternaries nest to the right", "a ? b : c ? d : e", "a ? b : (c ? d : e)"],
    ["LL-15: a ternary in the middle", "a ? b ? c : d : e", "a ? (b ? c : d) : e"],
    ["LL-15: unwrap, then ternary", "a? ? b : c", "(a?) ? b : c"],
    ["LL-15: unwrap before a minus", "x = a? - 1", "x = (a?) - 1"],
    ["LL-15: `?` followed by a statement with a ternary unwraps", "x = a()? finish b ? 1 : 2", "x = (a()?) finish b ? 1 : 2"],
    ["LL-15: also before a parenthesis", "x = a()? finish (b) ? 1 : 2", "x = (a()?) finish (b) ? 1 : 2"],
    ["LL-15: `?` in a list of records", "[{ a: x? }, { b: y ? 1 : 2 }]", "[{ a: (x?) }, { b: (y ? 1 : 2) }]"],
    ["LL-15: before an assignment it unwraps", "a? b = { c: 1 }", "(a?) b = { c: 1 }"],
    ["LL-13: a block follows a header, a record does not", "if a? { x = 1 }", "if (a?) { x = 1 }"],
    ["LL-17: a sleep in a list ends at the comma", "[sleep for 1, 2]", "[(sleep for 1), 2]"],
  ])("%s", (_, one, other) => {
    const strip = (source: string): unknown => bare(parse(source));
    expect(strip(one)).toEqual(strip(other));
  });

  test.each<[id: string, source: string, tree: unknown]>([
    ["LL-11: contextual words are assignable", "finish = 2", { kind: "Assign", target: { name: "finish", steps: [] }, value: number(2) }],
    ["LL-11: with a path, too", 'start.a["b"] = 1', { kind: "Assign", target: { name: "start", steps: [{ kind: "Field", field: "a" }, { kind: "Index", index: { kind: "String", value: "b" } }] }, value: number(1) }],
    ["LL-12: start before a name begins a process start", "start p(a: 1)", { kind: "Start", process: "p", args: [{ name: "a", value: number(1) }] }],
    ["LL-12: elsewhere start is a variable", "x = start + 1", { kind: "Assign", target: { name: "x", steps: [] }, value: { kind: "Binary", operator: "+", left: variable("start"), right: number(1) } }],
    ["LL-12: or the name of a call", "start(1)", { kind: "BuiltinCall", name: "start", args: [number(1)] }],
    ["LL-13: a statement beginning with a brace is a record", "{ a: 1 }", { kind: "Record", entries: [{ key: "a", value: number(1) }] }],
    ["LL-17: the empty tuple", "()", { kind: "Tuple", items: [] }],
    ["LL-17: parentheses group", "(1)", number(1)],
    ["LL-17: an argument may be a tuple", "f((1, 2))", { kind: "BuiltinCall", name: "f", args: [{ kind: "Tuple", items: [number(1), number(2)] }] }],
    ["LL-18: clauses nest left to right", "[x for a in b for x in a if x]", { kind: "Comprehension", element: variable("x"), clauses: [{ kind: "For", name: "a", iterable: variable("b") }, { kind: "For", name: "x", iterable: variable("a") }, { kind: "If", condition: variable("x") }] }],
    ["keys may be reserved words and strings", '{ if: 1, "a b": 2 }', { kind: "Record", entries: [{ key: "if", value: number(1) }, { key: "a b", value: number(2) }] }],
    ["fields may be reserved words", "a.if", { kind: "Field", object: variable("a"), field: "if" }],
    ["names of prototypes are names", "__proto__.constructor", { kind: "Field", object: variable("__proto__"), field: "constructor" }],
    ["a receiver call", "a.b.c(1)", { kind: "ReceiverCall", receiver: { kind: "Field", object: variable("a"), field: "b" }, operation: "c", args: [number(1)] }],
    ["sleep until", "sleep until t", { kind: "Sleep", mode: "Until", value: variable("t") }],
    ["sleep as a name", "x = sleep", { kind: "Assign", target: { name: "x", steps: [] }, value: variable("sleep") }],
    ["LL-6: parallel as a name", "if parallel { }", { kind: "If", condition: variable("parallel"), consequent: { kind: "Block", statements: [] }, otherwise: null }],
  ])("%s", (_, source, tree) => {
    expect(statement(source)).toEqual(tree);
  });

  test("declarations and statements may alternate", () => {
    const program = parse("x = 1\nprocess p(a: str,) signals { s: any } -> { b: int? } { finish a }\ntype T = list[str] | null\ny = 2");
    expect(bare(program.declarations)).toMatchObject([
      { kind: "Process", name: "p", params: [{ name: "a", type: { kind: "Str" } }], signals: [{ name: "s" }], returnType: { kind: "Object" } },
      { kind: "Type", name: "T", type: { kind: "Union", members: [{ kind: "List", item: { kind: "Str" } }, { kind: "Null" }] } },
    ]);
    expect(program.main.statements).toHaveLength(2);
  });

  test("spans are the text of a node", () => {
    const source = "x = f(1)\nfinish a + b.c";
    const [, finish] = parse(source).main.statements;
    if (finish?.kind !== "Finish" || finish.value.kind !== "Binary") throw new Error("unexpected tree");
    const textOf = ({ span }: Expr): string => source.slice(span.start, span.end);
    expect([textOf(finish), textOf(finish.value), textOf(finish.value.right)]).toEqual(["finish a + b.c", "a + b.c", "b.c"]);
  });

  test.each([
    ["integer | boolean", "int | bool"], ["object", "dict"], ["number", "float"], ["Type { a: string? }", "{ a: str? }"],
    ['enum["a"]', '"a"'], ["Process<null, str>", "Process<null, str>"], ["TriggerHandle<timer.Tick>", "TriggerHandle<timer.Tick>"],
  ])("the type %s is %s", (one, other) => {
    expect(bare(parseTypeText(one))).toEqual(bare(parseTypeText(other)));
  });
});

describe("parser: errors (LL-20, LL-21)", () => {
  test.each<[source: string, code: string, message: string]>([
    ["parallel { a: 1 }", "Unexpected", "unexpected `parallel`"],
    ["x = call foo()", "Unexpected", "unexpected `call`"],
    ["start { a: 1 }", "Unexpected", "unexpected inline `start` process body"],
    ["start (a) { b: 1 }", "Unexpected", "unexpected inline `start` process body"],
    ["start call", "Unexpected", "unexpected `start call`"],
    ["trigger daily on x { }", "DeclarativeTriggerRemoved", "declarative trigger syntax has been removed; construct a source value and call the trigger registry register operation"],
    ["finish if true { 1 }", "Unexpected", "unexpected `if`"],
    ["finish", "MissingFinishValue", "`finish` requires a value; use `finish null` to finish with null"],
    ["if a { submit }", "MissingFinishValue", "`submit` requires a value; use `submit null` to submit null"],
    ["break", "LoopControlOutsideLoop", "`break` can only be used inside a loop"],
    ["while a { process p() { } }", "Unexpected", "unexpected `process`"],
    ["while a { type T = str }", "Unexpected", "unexpected `type`"],
    ["process p() { continue }", "LoopControlOutsideLoop", "`continue` can only be used inside a loop"],
    ["yield 1", "SessionProcessAdminOutsideBlock", "`yield` can only be used inside a `process` body"],
    ["wake 1", "SessionProcessAdminOutsideBlock", "`wake` can only be used inside a `process` body"],
    ["fail 1", "SessionProcessAdminOutsideBlock", "`fail` can only be used inside a `process` body"],
    ["process p() { print 1 }", "ForegroundControlInsideProcess", "`print` can't be used inside a `process` body"],
    ["process p() { submit 1 }", "ForegroundControlInsideProcess", "`submit` can't be used inside a `process` body"],
    ["x = submit", "Unexpected", "unexpected `submit`"],
    ['@label(title: "a", title: "b") x = 1', "InvalidLabelAnnotation", "invalid @label annotation: duplicate `title` field"],
    ['@label(color: "a") x = 1', "InvalidLabelAnnotation", "invalid @label annotation: unknown field `color`"],
    ['@label(description: "a") x = 1', "InvalidLabelAnnotation", "invalid @label annotation: `title` is required"],
    ['@label(title: "a") type T = str', "InvalidLabelTarget", "@label can annotate statements or process declarations, but not other declarations or another @label"],
    ['@label(title: "a") @label(title: "b") x = 1', "InvalidLabelTarget", "@label can annotate statements or process declarations, but not other declarations or another @label"],
    ['if a { @label(title: "a") }', "InvalidLabelTarget", "@label can annotate statements or process declarations, but not other declarations or another @label"],
    ["x = {", "Expected", "expected a field name or `}`, found end of input"],
    ["x = { 1: 2 }", "Expected", "expected a field name or `}`, found number 1"],
    ["x = (1", "Expected", "expected `)`, found end of input"],
    ["for x of y { }", "Expected", "expected `in`, found identifier `of`"],
    ['for "x" in y { }', "Expected", 'expected a variable name, found string "x"'],
    ["type T = { ok: str, ok: int }", "Expected", "expected unique field name, found duplicate field `ok`"],
    ["type T = enum[]", "Expected", "expected at least one enum string literal, found `]`"],
    ["sleep 5", "Expected", "expected `for` or `until`, found number 5"],
    ["sleep d", "Expected", "expected `for` or `until`, found identifier `d`"],
    ["x = sleep(5)", "Expected", "expected `for` or `until`, found `(`"],
    ["process p() { wait_signal() }", "Expected", "expected one signal name for `wait_signal`, found `)`"],
    ["process p() { wait_signal('a', 'b') }", "Expected", 'expected one signal name for `wait_signal`, found string "b"'],
    ["process p() { wait_signal(x) }", "Unexpected", "unexpected non-literal signal name in `wait_signal`"],
    ["process p() { wait_signal('a' + 'b') }", "Unexpected", "unexpected non-literal signal name in `wait_signal`"],
    ["signal_run(h, 'a')", "Expected", "expected three arguments for `signal_run`: handle, signal name, payload, found `)`"],
    ["type T str", "Expected", "expected `=`, found identifier `str`"],
    ["process p { }", "Expected", "expected `(`, found `{`"],
    ["let x", "Expected", "expected `=`, found end of input"],
    ["x = 1 +", "Unexpected", "unexpected end of input"],
    ["a = 1 = 2", "Unexpected", "unexpected `=`"],
  ])("%s", (source, code, message) => {
    const error = errorOf(() => parse(source));
    expect([error.code, error.message]).toEqual([code, message]);
  });

  test("LL-2: strict mode names the replacement wherever `submit` stands", () => {
    for (const source of ["submit 1", "x = submit", "process p() { submit 1 }", "if a { submit }"]) {
      expect(errorOf(() => parse(source, { submitKeyword: "reject" })).message).toBe("`submit` was removed; use `finish <value>`");
    }
  });
});

describe("parser: hostile input (LL-10, LL-19)", () => {
  test("32 nested parentheses parse", () => {
    expect(statement(`${"(".repeat(32)}1${")".repeat(32)}`)).toEqual(number(1));
  });

  test.each([
    ["parentheses", "(".repeat(5000)],
    ["closed parentheses", `${"(".repeat(5000)}1${")".repeat(5000)}`],
    ["blocks", "if a { ".repeat(5000)],
    ["lists", "[".repeat(5000)],
    ["records", "{ a: ".repeat(5000)],
    ["calls", "f(".repeat(5000)],
    ["indexes", `x${"[x".repeat(5000)}`],
    ["minus signs", `${"-".repeat(5000)}1`],
    ["awaits", `${"await ".repeat(5000)}x`],
    ["types", `type T = ${"list[".repeat(5000)}`],
    ["object types", `x = Type ${"{ a: ".repeat(5000)}`],
    ["a sum of 5000 terms", `x = 1${" + 1".repeat(5000)}`],
    ["a path of 5000 fields", `x = a${".b".repeat(5000)}`],
    ["5000 `else if`", `if a { } ${"else if a { } ".repeat(5000)}`],
    ["ternaries", `x = ${"a ? b : ".repeat(5000)}c`],
  ])("deep %s are refused, not a stack overflow", (_, source) => {
    expect(errorOf(() => parse(source)).message).toMatch(/^expression nesting too deep \(limit 40\); flatten the program$/);
  });

  test("what is long but not deep parses: 200 terms, 200 fields, 100 arms", () => {
    expect(() => parse(`x = 1${" + 1".repeat(200)}\ny = a${".b".repeat(200)}\nif a { } ${"else if a { } ".repeat(100)}`)).not.toThrow();
  });

  test.each([
    ["unwraps", `x = ${"a? ".repeat(20_000)}`],
    ["lists side by side", "[] ".repeat(20_000)],
    ["assignments", "a[0] = 1\n".repeat(20_000)],
    ["a megabyte of text", `x = "${"é".repeat(1_000_000)}"`],
    ["comments", "# x\n".repeat(50_000)],
    ["question marks in a record", `x = { ${"a: b? , ".repeat(20_000)} }`],
  ])("%s take linear time", (_, source) => {
    // Looking at each place again for each place would be billions of steps.
    try {
      expect(parse(source)).toBeDefined();
    } catch (error) {
      expect(SourceError.is(error)).toBe(true);
    }
  });
});
