/**
 * What it takes to write a storage engine of your own (docs/write-an-engine.md): the contract, and the parts that the engines
 * of this package share.
 *
 * @module
 */
export { storeError } from "../domain/errors.ts";
export { defineEngine, type EngineFacts, wrapEngine } from "./define-engine.ts";
export { below, END, prefixRange } from "./engine.ts";
export type { Body, Bound, DefinedEngine, Engine, Entry, Key, KeyPart, RangeOptions, RangeRead, Read, ReadTransaction, Scope, Topics, Value, WriteTransaction } from "./engine.ts";
export { type Change, type Fetched, type Missing, runFetching } from "./fetching.ts";
export { decodeKey, encodeKey } from "./key-codec.ts";
export { compareKeys, describeKey } from "./keys.ts";
export { Lane } from "./lane.ts";
export { Lifetime } from "./lifetime.ts";
export { type Liveness, opaqueLiveness } from "./liveness.ts";
export { orderText } from "./order-text.ts";
export { CheckedTransaction, runBodyOf } from "./transaction.ts";
export { runBody, settleWithoutWaiting } from "./unwaiting-body.ts";
export { checkValue, freezeJson, MAX_VALUE_SIZE, sealValue } from "./values.ts";
