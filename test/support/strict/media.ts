// Images as providers take them: the media type has to be one of theirs and has to be true.

import { demand } from "./json.ts";

const MAGIC: Readonly<Record<string, (bytes: Buffer) => boolean>> = {
  "image/png": (bytes) => bytes.subarray(0, 8).equals(Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])),
  "image/jpeg": (bytes) => bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff,
  "image/gif": (bytes) => /^GIF8[79]a$/.test(bytes.subarray(0, 6).toString("latin1")),
  "image/webp": (bytes) => bytes.subarray(0, 4).toString("latin1") === "RIFF" && bytes.subarray(8, 12).toString("latin1") === "WEBP",
};

const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
const MAX_BYTES = 5 * 1024 * 1024;

export function demandImage(mediaType: unknown, data: unknown, where: string): void {
  const looksRight = MAGIC[String(mediaType)];
  demand(looksRight !== undefined, `${where}: unsupported image media type ${String(mediaType)}`);
  demand(typeof data === "string" && BASE64.test(data), `${where}: invalid base64 data`);
  const bytes = Buffer.from(data, "base64");
  demand(bytes.length <= MAX_BYTES, `${where}: image exceeds 5 MB maximum`);
  demand(looksRight(bytes), `${where}: the image does not match the provided media type ${String(mediaType)}`);
}

export function demandImageUrl(url: unknown, where: string): void {
  const match = /^data:([^;,]+);base64,(.*)$/s.exec(String(url));
  if (match === null) demand(/^https?:\/\//.test(String(url)), `${where}: expected a URL of an image`);
  else demandImage(match[1], match[2], where);
}
