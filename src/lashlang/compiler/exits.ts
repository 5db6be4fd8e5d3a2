// Simple statements as closures, and how they leave off.
import type { Frame, Slots } from "../vm/frame.ts";

export type Exit = typeof FALL | typeof BREAK | typeof CONTINUE;
export const FALL = 0;
export const BREAK = 1;
export const CONTINUE = 2;

/** A statement that neither suspends nor loops. */
export type Simple = (s: Slots, f: Frame) => Exit;
