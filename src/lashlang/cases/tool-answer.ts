import type { Json } from "../values/json-value.ts";

/** What a fixture tool answers. */
export type ToolAnswer = { readonly value: Json } | { readonly error: string };

export const failed = (error: string): ToolAnswer => ({ error });
