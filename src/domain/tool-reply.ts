// Answers of a tool that do more than hand the model a value (T-31, PT-57).

import type { Json } from "./json.ts";
import { invalidArgument } from "./invalid-argument.ts";
import { readDraft, type MessageDraft } from "./message-draft.ts";
import type { ToolControl } from "./tool-output.ts";

const brand = Symbol.for("lash-runtime.ToolReply");

/** A file that a tool returns. */
export interface ToolFile {
  readonly data: Uint8Array;
  /** Media type, such as `application/pdf`. */
  readonly mediaType: string;
  /** Its name, for models and readers that show one. */
  readonly filename?: string;
}

/** Returned by a tool's `run`; made by `finishTurn`, `failTurn`, `switchFrame`, `withImages` and `withFiles`. */
export class ToolReply {
  /** What the model is shown, if the turn goes on. */
  readonly payload: Json;
  readonly control: ToolControl | undefined;
  /** Bytes of images that the model is shown beside it. */
  readonly images: readonly Uint8Array[];
  /** Files of any media type that it is shown beside it. */
  readonly files: readonly ToolFile[];

  constructor(payload: Json, control?: ToolControl, images: readonly Uint8Array[] = [], files: readonly ToolFile[] = []) {
    this.payload = payload;
    this.control = control;
    this.images = images;
    this.files = files;
  }

  get [brand](): true {
    return true;
  }

  static is(value: unknown): value is ToolReply {
    return typeof value === "object" && value !== null && brand in value;
  }
}

/** Shows the model images beside the value: png, jpeg, gif or webp, at most 20 MiB each. They are stored with the session. */
export const withImages = (value: Json, images: readonly Uint8Array[]): ToolReply => new ToolReply(value, undefined, images);

/**
 * Shows the model files of any media type beside the value, each at most `limits.imageBytes`. They are stored with the session; a
 * model that does not take a media type is told that the file is there. A file that cannot be taken is left out, and the result says so.
 */
export const withFiles = (value: Json, files: readonly ToolFile[]): ToolReply => new ToolReply(value, undefined, [], files);

/** Ends the turn with this value as its outcome, `finished: tool_value`. */
export const finishTurn = (value: Json): ToolReply => new ToolReply(value, { type: "finish", value });

/** Ends the turn as `stopped: tool_error` with this value. */
export const failTurn = (value: Json): ToolReply => new ToolReply(value, { type: "fail", failure: value });

export interface FrameSwitch {
  /** Id of the frame to open; it must be new to the session. */
  readonly frameId: string;
  /** What the turn in the new frame is asked. */
  readonly task: string;
  /** Messages the new frame starts with; nothing of the old one is visible there. */
  readonly seed?: readonly MessageDraft[];
}

/**
 * Ends the turn, opens a frame with a fresh context, and goes on there with `task`. The frame is opened by the turn's
 * own commit, so a crash leaves both or neither.
 *
 * @throws LashError `invalid_argument` - a seed message that is none, which in a tool makes its call fail.
 */
export function switchFrame({ frameId, task, seed = [] }: FrameSwitch): ToolReply {
  if (typeof frameId !== "string") throw invalidArgument("frameId", "a string");
  if (typeof task !== "string") throw invalidArgument("task", "a string");
  const initial = seed.map((draft, index) => {
    const read = readDraft(draft as unknown as Json);
    if (!read) throw invalidArgument(`seed[${index}]`, '{ role: "User" | "Assistant" | "System", text }');
    return { role: read.role, text: read.text };
  });
  return new ToolReply(null, { type: "switch_agent_frame", frame_id: frameId, task, initial_nodes: initial });
}
