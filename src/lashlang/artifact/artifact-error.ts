export type ArtifactErrorCode = "artifact_corrupt" | "artifact_mismatch" | "definition_invalid";

const brand = Symbol.for("lash-runtime.ArtifactError");

/** Stored code or a reference to it that cannot be trusted. Match `code`; `message` is for people. */
export class ArtifactError extends Error {
  override readonly name = "ArtifactError";
  readonly [brand] = true; // instanceof fails across two installed copies
  readonly code: ArtifactErrorCode;

  constructor(code: ArtifactErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  static is(error: unknown): error is ArtifactError {
    return typeof error === "object" && error !== null && brand in error;
  }
}
