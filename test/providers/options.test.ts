import { describe, expect, test } from "vitest";
import { resolveAttachments } from "../../src/providers/attachments.ts";
import type { ProviderOptions } from "../../src/providers/contract.ts";
import { ProviderError } from "../../src/providers/failure.ts";
import { outputTokenCap, parseProviderOptions, resolveReliability } from "../../src/providers/options.ts";
import { request } from "./fixtures.ts";

describe("provider options (PP-14)", () => {
  test("defaults are those of the spec", () => {
    expect(resolveReliability(undefined)).toEqual({
      requestTimeoutMs: 300_000,
      chunkTimeoutMs: 120_000,
      retry: {
        enabled: true,
        maxAttempts: 4,
        baseDelayMs: 2_000,
        maxDelayMs: 10_000,
        jitterMs: 0,
        retryAfterCapMs: 60_000,
        throttleWaitBudgetMs: 90_000,
      },
      rateLimits: {},
    });
  });

  test("options survive a round trip through JSON and fill up with defaults", () => {
    const options: ProviderOptions = {
      reliability: { requestTimeoutMs: false, retry: { maxAttempts: 2 }, rateLimits: { maxConcurrency: 3 } },
      cacheRetention: "long",
    };
    const parsed = parseProviderOptions(JSON.parse(JSON.stringify(options)));
    expect(parsed).toEqual(options);
    expect(resolveReliability(parsed)).toMatchObject({ requestTimeoutMs: false, retry: { maxAttempts: 2, baseDelayMs: 2_000 } });
  });

  test.each([
    [{ reliability: { requestTimeoutMs: 0 } }, "options.reliability.requestTimeoutMs must be"],
    [{ reliability: { retry: { attempts: 3 } } }, "options.reliability.retry.attempts is not an option; known are"],
    [{ reliability: { retry: { maxAttempts: 0 } } }, "options.reliability.retry.maxAttempts must be"],
    [{ reliability: 5 }, "options.reliability must be an object"],
    [{ constructor: 5 }, "options.constructor is not an option"],
    [{ maxOutputTokens: 1.5 }, "options.maxOutputTokens must be"],
    [{ cacheRetention: "forever" }, 'must be "none", "short" or "long"'],
    [null, "options must be an object"],
  ])("%j is refused with the field's name", (value, message) => {
    expect(() => parseProviderOptions(value)).toThrow(message);
  });
});

describe("output cap (PP-10, T-41)", () => {
  const asking = (outputTokenCap?: number) =>
    request({ generation: outputTokenCap === undefined ? {} : { outputTokenCap } });

  test("the request's cap goes before the provider's, which is bounded by the capacity", () => {
    expect(outputTokenCap(asking(5), { maxOutputTokens: 9 }, 10)).toBe(5);
    expect(outputTokenCap(asking(), { maxOutputTokens: 9 }, 10)).toBe(9);
    expect(outputTokenCap(asking(), { maxOutputTokens: 90 }, 10)).toBe(10);
    expect(outputTokenCap(asking(), {})).toBeUndefined();
  });

  test("a cap above the model's capacity fails locally", () => {
    expect(() => outputTokenCap(asking(11), {}, 10)).toThrow(
      expect.objectContaining({
        failure: expect.objectContaining({
          code: "output_token_cap_exceeds_model_capacity",
          kind: "validation",
          retryable: false,
        }),
      }),
    );
  });
});

describe("attachments (PP-9)", () => {
  const bytes = new Uint8Array([1]);
  const unresolved = request({ attachments: [{ mime: "image/png", data: new Uint8Array(), reference: "blob-1" }] });

  test("references are loaded, and a request without any is returned as it is", async () => {
    const resolved = await resolveAttachments(unresolved, () => Promise.resolve(bytes));
    expect(resolved.attachments).toEqual([{ mime: "image/png", data: bytes, reference: "blob-1" }]);
    expect(await resolveAttachments(resolved, () => Promise.reject(new Error("unused")))).toBe(resolved);
  });

  test("a blob that is gone or empty fails as attachment_resolution_failed, not retryable", async () => {
    for (const load of [() => Promise.reject(new Error("gone")), () => Promise.resolve(new Uint8Array())]) {
      const error = await resolveAttachments(unresolved, load).catch((reason: unknown) => reason);
      expect(ProviderError.is(error) && error.failure).toMatchObject({ code: "attachment_resolution_failed", retryable: false });
    }
  });
});
