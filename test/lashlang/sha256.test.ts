import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { sha256Hex } from "../../src/lashlang/identity/sha256.ts";

const reference = (text: string): string => createHash("sha256").update(text).digest("hex");

test("sha256Hex gives the values of the standard", () => {
  expect(sha256Hex("")).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  expect(sha256Hex("abc")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
});

test("sha256Hex agrees with Node at every length around the block size", () => {
  const lengths = Array.from({ length: 260 }, (_, length) => length);
  expect(lengths.filter((length) => sha256Hex("x".repeat(length)) !== reference("x".repeat(length)))).toEqual([]);
});

test("sha256Hex agrees with Node on any text, lone surrogates included", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => sha256Hex(text) === reference(text)));
  expect(sha256Hex("a\ud800b")).toBe(reference("a\ud800b"));
});
