// Width and height of images, from the bytes that their formats define.

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { imageSize } from "../../src/domain/image-size.ts";

const text = (value: string): readonly number[] => [...value].map((char) => char.charCodeAt(0));
const bytesOf = (...parts: readonly (number | string)[]): Uint8Array => Uint8Array.from(parts.flatMap((part) => (typeof part === "string" ? text(part) : [part])));

const PNG = bytesOf(0x89, "PNG\r\n", 0x1a, 0x0a, 0, 0, 0, 13, "IHDR", 0, 0, 2, 128, 0, 0, 1, 224);
const GIF = bytesOf("GIF89a", 128, 2, 224, 1);
const JPEG = bytesOf(0xff, 0xd8, 0xff, 0xe0, 0, 4, 0, 0, 0xff, 0xff, 0xc4, 0, 3, 0, 0xff, 0xc2, 0, 17, 8, 1, 224, 2, 128);
const VP8 = bytesOf("RIFF", 0, 0, 0, 0, "WEBPVP8 ", 0, 0, 0, 0, 0, 0, 0, 0x9d, 1, 0x2a, 128, 2, 224, 1);
// 14 bits each, less one: 639 and 479.
const VP8L = bytesOf("RIFF", 0, 0, 0, 0, "WEBPVP8L", 0, 0, 0, 0, 0x2f, 0x7f, 0xc2, 0x77, 0);
const VP8X = bytesOf("RIFF", 0, 0, 0, 0, "WEBPVP8X", 10, 0, 0, 0, 0, 0, 0, 0, 127, 2, 0, 223, 1, 0);

describe("imageSize", () => {
  test.each([["png", PNG], ["gif", GIF], ["jpeg, behind other segments", JPEG], ["webp", VP8], ["lossless webp", VP8L], ["extended webp", VP8X]])("a %s says that it is 640 by 480 (ME-15)", (_kind, bytes) => {
    expect(imageSize(bytes)).toEqual({ width: 640, height: 480 });
  });

  test("what is cut off or something else says nothing, and nothing makes it throw (ME-15)", () => {
    for (const bytes of [PNG, GIF, JPEG, VP8, VP8L, VP8X]) for (let length = 0; length < bytes.length - 1; length++) expect([undefined, 640]).toContain(imageSize(bytes.slice(0, length))?.width);
    expect(imageSize(bytesOf("<svg/>"))).toBeUndefined();
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), fc.constantFrom([], [0xff, 0xd8], Array.from(VP8X.slice(0, 12)), Array.from(PNG.slice(0, 16))), (tail, head) => void imageSize(Uint8Array.from([...head, ...tail]))));
  });
});
