/** First bytes of the image kinds that models read. */
const SIGNATURES: readonly (readonly [mime: string, offset: number, bytes: readonly number[]])[] = [
  ["image/png", 0, [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]],
  ["image/jpeg", 0, [0xff, 0xd8, 0xff]],
  ["image/gif", 0, [0x47, 0x49, 0x46, 0x38]],
  ["image/webp", 8, [0x57, 0x45, 0x42, 0x50]],
];

/** The media type that an image's own bytes show; undefined for anything models do not read. */
export const imageType = (bytes: Uint8Array): string | undefined =>
  SIGNATURES.find(([, offset, signature]) => signature.every((byte, index) => bytes[offset + index] === byte))?.[0];

/** Whether a media type is that of images which models read. */
export const isImageMime = (mime: string): boolean => SIGNATURES.some(([known]) => known === mime.toLowerCase());
