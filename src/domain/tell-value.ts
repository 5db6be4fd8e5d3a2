// Any value of JavaScript as JSON, told as well as possible.
//
//   V1. Nothing that is thrown by what is looked at gets out: a getter, a proxy or a toJSON that throws is told as unreadable.
//   V2. A kind of value is told the same way at every depth, and what is JSON already is told as it is.
//   V3. The work is bounded by the limits, not by the value. What is over them is cut there, and a marker says so.

import { isPlainObject, type Json } from "./json.ts";
import { byteSize, describeFunction, describeObject, digitsOf, errorKeys, pathText, tagOf, thrownText, unboxed } from "./tell-kinds.ts";
import { jsonStringLength, jsonStringPrefix } from "./utf8.ts";

/** What a value was before it became JSON; `cut`: it was over a limit, `unreadable`: it threw when it was looked at. */
export type ConvertedFrom =
  | "Error" | "Map" | "Set" | "Date" | "bytes" | "bigint" | "number" | "undefined" | "function" | "symbol" | "toJSON" | "object" | "circular"
  | "prototype key" | "unreadable" | "cut";

/** A place in a value that is not as it was given. */
export interface ConvertedValue {
  /** As in `$.rows[2].id`; `$` is the whole value. */
  readonly path: string;
  readonly from: ConvertedFrom;
}

export interface ToldValue {
  readonly value: Json;
  /** The first ten places that were converted; empty for JSON. Members that are `undefined` are left out without being named. */
  readonly converted: readonly ConvertedValue[];
}

/** UTF-8 bytes of the JSON text, levels of arrays and objects, values altogether. */
export interface TellLimits {
  readonly bytes: number;
  readonly depth: number;
  readonly values: number;
}

const MOST_NOTED = 10;
/** Kept free in every open array and object, for the marker of what does not fit. */
const MARKER_BYTES = 48;
const FEWEST_BYTES_OF_CUT_TEXT = 16;
/** What merges such a key into another object changes more than that object. */
const PROTOTYPE_KEYS: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

/** Never throws, whatever the value does. */
export function tellValue(value: unknown, limits: TellLimits): ToldValue {
  const teller = new Teller(limits);
  return { value: teller.tell(value), converted: teller.converted };
}

/** What does not fit is marked by whoever holds it. */
const NO_ROOM = Symbol("no room");
type Told = Json | typeof NO_ROOM;

class Teller {
  readonly converted: ConvertedValue[] = [];
  readonly #depth: number;
  readonly #path: (string | number)[] = [];
  /** Objects that hold the one that is told. */
  readonly #holders = new Set<object>();
  #room: number;
  #values: number;

  constructor({ bytes, depth, values }: TellLimits) {
    this.#depth = depth;
    this.#room = bytes;
    this.#values = values;
  }

  tell(value: unknown): Json {
    const told = this.#tell(() => value);
    return told === NO_ROOM ? this.#marker("nothing of it fits") : told;
  }

  #tell(read: () => unknown): Told {
    if (this.#values === 0) return NO_ROOM;
    this.#values -= 1;
    const room = this.#room;
    try {
      return this.#value(read(), true);
    } catch (error) {
      // What was told of it so far is let go of.
      this.#room = room;
      return this.#said(`[unreadable: ${thrownText(error)}]`, "unreadable");
    }
  }

  /** @param mayConvertItself - asks its `toJSON`; what that gives is not asked again. */
  #value(value: unknown, mayConvertItself: boolean): Told {
    switch (typeof value) {
      case "string":
        return this.#text(value);
      case "number":
        return Number.isFinite(value) ? this.#plain(Object.is(value, -0) ? 0 : value) : this.#said(String(value), "number");
      case "boolean":
        return this.#plain(value);
      case "undefined":
        return this.#path.length === 0 ? this.#plain(null) : this.#noted("undefined", () => this.#plain(null));
      case "bigint":
        return this.#said(digitsOf(value), "bigint");
      case "symbol":
        return this.#said(String(value), "symbol");
      case "function":
        return this.#said(describeFunction(value), "function");
      default:
        return value === null ? this.#plain(null) : this.#held(value as object, mayConvertItself);
    }
  }

  #held(value: object, mayConvertItself: boolean): Told {
    if (this.#holders.has(value)) return this.#said("[circular]", "circular");
    if (this.#holders.size === this.#depth) return this.#takes(MARKER_BYTES) ? this.#marker(`deeper than ${this.#depth} levels`) : NO_ROOM;
    const { length } = this.#path;
    this.#holders.add(value);
    try {
      return this.#object(value, mayConvertItself);
    } finally {
      this.#holders.delete(value);
      this.#path.length = length;
    }
  }

  #object(value: object, mayConvertItself: boolean): Told {
    if (Array.isArray(value)) return this.#list(value);
    if (isPlainObject(value) && !("toJSON" in value)) return this.#members(value, Object.keys(value));
    const tag = tagOf(value);
    const bytes = byteSize(value, tag);
    if (bytes !== undefined) return this.#noted("bytes", () => this.#members({ bytes }, ["bytes"]));
    if (tag === "Date") return this.#said(dateText(value), "Date");
    if (tag === "Map") return this.#noted("Map", () => this.#entries(Map.prototype.entries.call(value)));
    if (tag === "Set") return this.#noted("Set", () => this.#entries(Set.prototype.values.call(value)));
    if (tag === "Error" || value instanceof Error) return this.#noted("Error", () => this.#members(value, errorKeys(value)));
    if (mayConvertItself && typeof (value as Partial<Convertible>).toJSON === "function") return this.#ownJson(value as Convertible);
    const primitive = unboxed(value, tag);
    if (primitive !== undefined) return this.#value(primitive, false);
    const keys = Object.keys(value);
    if (keys.length > 0 || isPlainObject(value)) return this.#members(value, keys);
    return isIterable(value) ? this.#noted("object", () => this.#entries(value[Symbol.iterator]())) : this.#said(describeObject(value, tag), "object");
  }

  #ownJson(value: Convertible): Told {
    let own: unknown;
    try {
      own = value.toJSON(String(this.#path.at(-1) ?? ""));
    } catch (error) {
      const keys = Object.keys(value).filter((key) => key !== "toJSON");
      if (keys.length === 0) throw error;
      return this.#noted("unreadable", () => this.#members(value, keys));
    }
    return own === value ? this.#members(value, Object.keys(value)) : this.#noted("toJSON", () => this.#value(own, false));
  }

  #list(list: readonly unknown[]): Told {
    let index = -1;
    const next = (): (() => unknown) | undefined => {
      index += 1;
      return index < list.length ? () => list[index] : undefined;
    };
    return this.#items(next, () => `${list.length - index} more items`);
  }

  /** Of what can be gone through once, and whose length nobody knows. */
  #entries(entries: Iterator<unknown>): Told {
    const next = (): (() => unknown) | undefined => {
      const { done, value } = entries.next();
      return done ? undefined : () => value;
    };
    return this.#items(next, () => "more items");
  }

  #items(next: () => (() => unknown) | undefined, rest: () => string): Told {
    if (!this.#takes(2 + MARKER_BYTES)) return NO_ROOM;
    const items: Json[] = [];
    for (let read = next(); read; read = next()) {
      this.#path.push(items.length);
      const told = this.#takes(1) ? this.#tell(read) : NO_ROOM;
      items.push(told === NO_ROOM ? this.#marker(rest()) : told);
      this.#path.pop();
      if (told === NO_ROOM) return items;
    }
    this.#room += MARKER_BYTES;
    return items;
  }

  #members(value: object, keys: readonly string[]): Told {
    if (!this.#takes(2 + MARKER_BYTES)) return NO_ROOM;
    const members: Record<string, Json> = {};
    for (const [index, key] of keys.entries()) {
      this.#path.push(key);
      const told = PROTOTYPE_KEYS.has(key) ? undefined : this.#member(value as Readonly<Record<string, unknown>>, key);
      if (told === NO_ROOM) members[freeKey(members)] = this.#marker(`${keys.length - index} more fields`);
      else if (told !== undefined) members[key] = told;
      else if (PROTOTYPE_KEYS.has(key)) this.#note("prototype key");
      this.#path.pop();
      if (told === NO_ROOM) return members;
    }
    this.#room += MARKER_BYTES;
    return members;
  }

  /** @returns undefined for a member that is left out. */
  #member(object: Readonly<Record<string, unknown>>, key: string): Told | undefined {
    const room = this.#room;
    // A key that cannot fit is not measured.
    if (key.length > room || !this.#takes(jsonStringLength(key) + 2)) return NO_ROOM;
    let isAbsent = false;
    const told = this.#tell(() => {
      const member = object[key];
      isAbsent = member === undefined;
      return isAbsent ? null : member;
    });
    if (told === NO_ROOM || isAbsent) this.#room = room;
    return isAbsent ? undefined : told;
  }

  #text(text: string): Told {
    const size = text.length + 2 > this.#room ? Infinity : jsonStringLength(text);
    if (this.#takes(size)) return text;
    // Half of what is left, so that something of what follows fits as well.
    const room = this.#path.length === 0 ? this.#room : Math.floor(this.#room / 2);
    const most = room - MARKER_BYTES;
    if (most < FEWEST_BYTES_OF_CUT_TEXT) return NO_ROOM;
    const kept = jsonStringPrefix(text, most);
    const cut = `${kept}[cut: ${text.length - kept.length} more characters]`;
    this.#note("cut");
    this.#room -= jsonStringLength(cut);
    return cut;
  }

  #plain(value: null | boolean | number): Told {
    return this.#takes(String(value).length) ? value : NO_ROOM;
  }

  #said(text: string, from: ConvertedFrom): Told {
    return this.#noted(from, () => this.#text(text));
  }

  /** Paid for already. */
  #marker(what: string): string {
    this.#note("cut");
    return `[cut: ${what}]`;
  }

  /** Named before what it holds. */
  #noted(from: ConvertedFrom, tell: () => Told): Told {
    const at = this.converted.length;
    const told = tell();
    if (told !== NO_ROOM) this.#note(from, at);
    return told;
  }

  #note(from: ConvertedFrom, at = this.converted.length): void {
    if (this.converted.length < MOST_NOTED) this.converted.splice(at, 0, { path: pathText(this.#path), from });
  }

  #takes(bytes: number): boolean {
    if (bytes > this.#room) return false;
    this.#room -= bytes;
    return true;
  }
}

interface Convertible {
  toJSON(key: string): unknown;
}

const isIterable = (value: object): value is Iterable<unknown> => typeof (value as Partial<Iterable<unknown>>)[Symbol.iterator] === "function";

function dateText(value: object): string {
  const time = Date.prototype.getTime.call(value);
  return Number.isNaN(time) ? "Invalid Date" : new Date(time).toISOString();
}

/** For the marker: what the value has under that name stays. */
function freeKey(members: Readonly<Record<string, Json>>): string {
  let key = "[cut]";
  while (Object.hasOwn(members, key)) key += " ";
  return key;
}
