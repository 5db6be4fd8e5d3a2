import type { LlmOrigin } from "../contract.ts";
import type { Wire } from "../wire.ts";

/** Who a request goes to. */
export interface Target extends LlmOrigin {
  /** Whether metadata of the one means something to the other. Default: both ids are equal. */
  readonly sameOrigin?: (a: LlmOrigin, b: LlmOrigin) => boolean;
}

/** What one message has to know of its request. */
export interface Receiver {
  readonly wire: Wire;
  readonly isOwn: (origin: LlmOrigin | undefined) => boolean;
  /** Calls and results are sent as such. */
  readonly hasToolBlocks: boolean;
  /** Media type of an attachment; undefined where there is none of that index. */
  readonly mimeOf: (attachmentIndex: number) => string | undefined;
}

export const isEqualOrigin = (a: LlmOrigin, b: LlmOrigin): boolean => a.provider === b.provider && a.model === b.model;
