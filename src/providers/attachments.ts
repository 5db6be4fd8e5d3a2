// Images of a request: which kinds are sent, and when their bytes have to be there (PP-9).

import type { LlmAttachment, LlmRequest } from "./contract.ts";
import { ProviderError, providerFailure } from "./failure.ts";

const IMAGE_MIMES: ReadonlySet<string> = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"]);

/**
 * The media type under which an image is sent.
 *
 * @throws ProviderError `unsupported_image_format` for a type that models do not read; nothing has been sent.
 */
export function imageMime(mime: string): string {
  const lower = mime.toLowerCase();
  const normal = lower === "image/jpg" ? "image/jpeg" : lower;
  if (IMAGE_MIMES.has(normal)) return normal;
  throw new ProviderError(
    providerFailure("validation", `images of type "${mime}" are not supported; use png, jpeg, gif or webp`, {
      code: "unsupported_image_format",
    }),
  );
}

/**
 * The attachment that an image block points to, with its bytes.
 *
 * @throws ProviderError `attachment_resolution_failed` when it is missing or has not been resolved.
 */
export function resolvedAttachment(request: LlmRequest, index: number): LlmAttachment {
  const attachment = request.attachments[index];
  if (attachment === undefined) throw unresolved(`the request has no attachment ${index}`);
  if (attachment.data.length === 0) throw unresolved(`attachment ${index} has no bytes`);
  return attachment;
}

/**
 * Loads the bytes of every attachment that only has a reference. The request is returned as it is when there is none.
 *
 * @throws ProviderError `attachment_resolution_failed` when `load` fails or finds nothing; not retryable.
 */
export async function resolveAttachments(
  request: LlmRequest,
  load: (reference: string) => Promise<Uint8Array>,
): Promise<LlmRequest> {
  if (!request.attachments.some(isUnresolved)) return request;
  const attachments = await Promise.all(
    request.attachments.map(async (attachment) => {
      if (!isUnresolved(attachment)) return attachment;
      try {
        const data = await load(attachment.reference);
        if (data.length > 0) return { ...attachment, data };
      } catch (cause) {
        throw unresolved(`attachment ${attachment.reference} could not be loaded`, cause);
      }
      throw unresolved(`attachment ${attachment.reference} is empty`);
    }),
  );
  return { ...request, attachments };
}

function isUnresolved(attachment: LlmAttachment): attachment is LlmAttachment & { reference: string } {
  return attachment.data.length === 0 && attachment.reference !== undefined;
}

function unresolved(message: string, cause?: unknown): ProviderError {
  return new ProviderError(providerFailure("validation", message, { code: "attachment_resolution_failed" }), { cause });
}
