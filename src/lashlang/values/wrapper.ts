// Result wrappers (`LL-34`, `LL-48`, `LL-53`): `{ok: true, value}` or `{ok: false, error}`.
import type { Meter } from "./bounds.ts";
import { display } from "./display.ts";
import { typeError, valueError } from "./errors.ts";
import { materialize } from "./materialize.ts";
import { Shape } from "./shape.ts";
import { Rec, type Value, makeRec, recGet, typeName } from "./value.ts";

export const success = (value: Value, meter: Meter): Rec => makeRec(SUCCESS.fork(), [true, value], meter);

export const failure = (error: string, meter: Meter): Rec => makeRec(FAILURE.fork(), [false, error], meter);

const SUCCESS = Shape.empty().with("ok").with("value");
const FAILURE = Shape.empty().with("ok").with("error");

/** Postfix `?`. */
export function unwrap(wrapper: Value, meter: Meter): Value {
  const record = materialize(wrapper, meter);
  if (!(record instanceof Rec)) {
    throw typeError(`\`?\` expected a tool result wrapper, got ${typeName(record)}`);
  }
  const ok = recGet(record, "ok");
  if (typeof ok !== "boolean") throw typeError("`?` expected a tool result wrapper with boolean `ok`");
  if (!ok) {
    const error = recGet(record, "error") ?? "unknown error";
    throw valueError(`\`?\` unwrapped failed tool result: ${display(error, meter)}`);
  }
  const value = recGet(record, "value");
  if (value === undefined) throw typeError("`?` found a successful tool result wrapper missing `value`");
  return value;
}
