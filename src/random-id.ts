import { nanoid } from "nanoid";

/** A fresh id: 21 characters, safe in keys and URLs. Used outside machines only. */
export const randomId = (): string => nanoid();
