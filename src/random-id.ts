import { nanoid } from "nanoid";

/** A fresh id: 21 characters, safe in keys and URLs. Used outside machines only. */
export const randomId = (): string => nanoid();

/** 32 random bytes as hex. */
export const randomSecret = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(32)), (byte) => byte.toString(16).padStart(2, "0")).join("");
