import { createHash } from "node:crypto";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { sha256Hex } from "../../src/domain/sha256.ts";

test("the digest of nothing and of abc are the published ones", () => {
  expect(sha256Hex("")).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  expect(sha256Hex("abc")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
});

test("text and bytes hash as they do elsewhere", () => {
  const elsewhere = (data: string | Uint8Array): string => createHash("sha256").update(data).digest("hex");
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: "grapheme" }), fc.uint8Array({ maxLength: 300 })), (data) => {
      expect(sha256Hex(data)).toBe(elsewhere(data));
    }),
  );
});
