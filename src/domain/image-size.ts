// Width and height of an image, from its own header.

export interface ImageSize {
  readonly width: number;
  readonly height: number;
}

/** @returns undefined where the header does not say: it is cut off, or of no kind that is known. */
export function imageSize(bytes: Uint8Array): ImageSize | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    if (hasText(bytes, 1, "PNG")) return hasText(bytes, 12, "IHDR") ? { width: view.getUint32(16), height: view.getUint32(20) } : undefined;
    if (hasText(bytes, 0, "GIF8")) return { width: view.getUint16(6, true), height: view.getUint16(8, true) };
    if (hasText(bytes, 8, "WEBP")) return webpSize(bytes, view);
    return view.getUint16(0) === 0xffd8 ? jpegSize(view) : undefined;
  } catch (error) {
    // Read past its end.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

const hasText = (bytes: Uint8Array, at: number, text: string): boolean => [...text].every((char, index) => bytes[at + index] === char.charCodeAt(0));

function webpSize(bytes: Uint8Array, view: DataView): ImageSize | undefined {
  if (hasText(bytes, 12, "VP8 ")) return { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff };
  if (hasText(bytes, 12, "VP8L")) {
    const bits = view.getUint32(21, true);
    return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
  }
  if (!hasText(bytes, 12, "VP8X")) return undefined;
  return { width: uint24(view, 24) + 1, height: uint24(view, 27) + 1 };
}

const uint24 = (view: DataView, at: number): number => view.getUint16(at, true) | (view.getUint8(at + 2) << 16);

/** Segment by segment to the one that begins a frame. */
function jpegSize(view: DataView): ImageSize | undefined {
  for (let at = 2; view.getUint8(at) === 0xff; at += 2 + view.getUint16(at + 2)) {
    while (view.getUint8(at + 1) === 0xff) at += 1;
    const marker = view.getUint8(at + 1);
    const beginsFrame = marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
    if (beginsFrame) return { width: view.getUint16(at + 7), height: view.getUint16(at + 5) };
  }
  return undefined;
}
