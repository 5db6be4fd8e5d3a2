import { createHash } from "node:crypto";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { portableSha256Hex, sha256Hex } from "../../src/domain/sha256.ts";

const implementations = [["this host's", sha256Hex], ["the portable", portableSha256Hex]] as const;

test.each(implementations)("%s digest of nothing and of abc is the published one", (_, digest) => {
  expect(digest("")).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  expect(digest("abc")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
});

test("Node hashes natively, and to the same digests as the portable code", () => {
  expect(sha256Hex).not.toBe(portableSha256Hex);
  expect(sha256Hex("\ud800 half a pair")).toBe(portableSha256Hex("\ud800 half a pair"));
});

test.each(implementations)("with %s digest, text and bytes hash as they do elsewhere", (_, digest) => {
  const elsewhere = (data: string | Uint8Array): string => createHash("sha256").update(data).digest("hex");
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: "grapheme" }), fc.uint8Array({ maxLength: 300 })), (data) => {
      expect(digest(data)).toBe(elsewhere(data));
    }),
  );
});
