/**
 * What it takes to write a storage engine of your own (docs/write-an-engine.md): the contract, and the parts that the engines
 * of this package share.
 *
 * @module
 */
export { END, prefixRange } from "./engine.ts";
export type { Bound, Engine, Entry, Key, KeyPart, RangeOptions, ReadTransaction, Value, WriteTransaction } from "./engine.ts";
export { decodeKey, encodeKey } from "./key-codec.ts";
export { compareKeys } from "./keys.ts";
export { Lane } from "./lane.ts";
export { Lifetime } from "./lifetime.ts";
export { orderText } from "./order-text.ts";
export { CheckedTransaction } from "./transaction.ts";
export { settleWithoutWaiting } from "./unwaiting-body.ts";
export { checkValue, freezeJson, MAX_VALUE_SIZE, sealValue } from "./values.ts";
