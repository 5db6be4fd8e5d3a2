// LashError: the one class that hosts see (OP-18), and a factory per family.
// Owns: shape, predicates, JSON form. Codes: error-codes.ts. Conversions between channels: error-mapping.ts.
import type {
  AttachmentErrorCode,
  EffectErrorCode,
  ErrorCode,
  ErrorFamily,
  ObservationErrorCode,
  PluginErrorCode,
  ProcessErrorCode,
  ProviderErrorCode,
  RuntimeErrorCode,
  SessionErrorCode,
  StoreErrorCode,
  ToolErrorCode,
  WiringErrorCode,
} from "./error-codes.ts";
import { familyOf, isRetryable, isTerminalCode } from "./error-traits.ts";
import { isJson, isPlainObject, type JsonObject } from "./json.ts";
import { cleanCause } from "./secrets/clean-error.ts";

const brand = Symbol.for("lash-runtime.LashError");
const NO_DETAILS: JsonObject = Object.freeze({});

/** The form that crosses wires and journals. */
export interface ErrorJson {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details?: JsonObject;
}

export interface LashErrorOptions {
  /** JSON that says which session, turn, field or limit; never payloads or secrets. Default `{}`. */
  readonly details?: JsonObject;
  /** The error that led here; kept in memory only. Where it holds secrets, a copy without them takes its place. */
  readonly cause?: unknown;
}

/** A call that produced no result. Match `code`; `message` is for people and may change. */
export class LashError extends Error {
  override readonly name = "LashError";
  readonly code: ErrorCode;
  /** The part of the runtime that raised the error, or that passed it on. */
  readonly family: ErrorFamily;
  /** What `code` alone does not say; `{}` when there is nothing to add. */
  readonly details: JsonObject;

  constructor(family: ErrorFamily, code: ErrorCode, message: string, options: LashErrorOptions = {}) {
    // Its own text is the runtime's; a cause is a stranger's, and is printed along (ME-26).
    super(message, "cause" in options ? { cause: LashError.is(options.cause) ? options.cause : cleanCause(options.cause) } : undefined);
    this.family = family;
    this.code = code;
    this.details = options.details ?? NO_DETAILS;
  }

  /** On the prototype, so that it costs no field and does not show when the error is printed. */
  get [brand](): true {
    return true;
  }

  /** Works where `instanceof` does not: with two installed copies of this package. */
  static is(value: unknown): value is LashError {
    return typeof value === "object" && value !== null && brand in value;
  }

  /**
   * Whether the same call may be made again, with backoff, and nothing is said twice. False means "no typed signal", not
   * "permanent"; where a turn was accepted, `askAgain` says how to go on instead.
   */
  get isRetryable(): boolean {
    return isRetryable(this.code, this.details);
  }

  /**
   * The turn that this error is about, where its input was accepted or may have been: it stays in flight, or has ended elsewhere.
   * Ask for it by its id, with the same input (`session.run(input, { turnId })`), instead of making the same call once more.
   */
  get askAgain(): { readonly sessionId: string; readonly turnId: string } | undefined {
    const { accepted, sessionId, turnId } = this.details;
    return accepted === true && typeof sessionId === "string" && typeof turnId === "string" ? { sessionId, turnId } : undefined;
  }

  /** Whether repeating is pointless before wiring or input change; never true together with `isRetryable`. */
  get isTerminal(): boolean {
    return isTerminalCode(this.code);
  }

  isCode<Code extends ErrorCode>(code: Code): this is LashError & { readonly code: Code } {
    return this.code === code;
  }

  override toString(): string {
    return `${this.code}: ${this.message}`;
  }

  toJSON(): ErrorJson {
    const { code, message, details } = this;
    return Object.keys(details).length > 0 ? { code, message, details } : { code, message };
  }

  /**
   * Reads what `toJSON` wrote; a code of another version survives unchanged.
   *
   * @throws LashError `json_invalid` - `value` is no object with a string `code`.
   */
  static fromJSON(value: unknown): LashError {
    const { code, message, details }: Readonly<Record<string, unknown>> = isPlainObject(value) ? value : {};
    if (typeof code !== "string") throw runtimeError("json_invalid", "an error in JSON form needs a string `code`");
    return new LashError(familyOf(code), code, typeof message === "string" ? message : "", {
      ...(isPlainObject(details) && isJson(details) && { details }),
    });
  }
}

const factory =
  <Code extends ErrorCode>(family: ErrorFamily) =>
  (code: Code, message: string, options?: LashErrorOptions): LashError =>
    new LashError(family, code, message, options);

export const runtimeError = factory<RuntimeErrorCode>("runtime");
export const effectError = factory<EffectErrorCode>("effect");
export const sessionError = factory<SessionErrorCode>("session");
export const storeError = factory<StoreErrorCode>("store");
export const wiringError = factory<WiringErrorCode>("wiring");
export const pluginError = factory<PluginErrorCode>("plugin");
export const providerError = factory<ProviderErrorCode>("provider");
export const toolError = factory<ToolErrorCode>("tool");
export const processError = factory<ProcessErrorCode>("process");
export const observationError = factory<ObservationErrorCode>("observation");
export const attachmentError = factory<AttachmentErrorCode>("attachment");
