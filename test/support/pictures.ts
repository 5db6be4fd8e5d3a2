// Bytes that are images as far as anybody looks: a signature and something that makes them differ.

const PNG = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

export const png = (...rest: readonly number[]): Uint8Array => Uint8Array.from([...PNG, ...rest]);
export const jpeg = (...rest: readonly number[]): Uint8Array => Uint8Array.from([0xff, 0xd8, 0xff, ...rest]);
export const gif = (): Uint8Array => new TextEncoder().encode("GIF89a");
export const webp = (): Uint8Array => new TextEncoder().encode("RIFF\0\0\0\0WEBPVP8 ");
export const svg = (): Uint8Array => new TextEncoder().encode("<svg/>");
