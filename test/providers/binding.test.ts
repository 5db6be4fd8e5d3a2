import { expect, test } from "vitest";
import { bindProvider } from "../../src/providers/binding.ts";
import { scriptedProvider } from "../../src/testing/index.ts";

const provider = scriptedProvider([], { id: "ai-sdk:a" });

test("the recorded provider binds again (PP-26)", () => {
  expect(bindProvider("ai-sdk:a", (id) => (id === provider.id ? provider : undefined))).toEqual({ ok: true, provider });
});

test("a blank, an unknown and another provider are three problems, each with its data (PP-26, PP-27)", () => {
  expect(bindProvider(" ", () => provider)).toEqual({ ok: false, problem: { code: "provider_unconfigured" } });
  expect(bindProvider("x", () => undefined)).toEqual({
    ok: false,
    problem: { code: "provider_unavailable", providerId: "x" },
  });
  expect(bindProvider("x", () => provider)).toEqual({
    ok: false,
    problem: { code: "provider_mismatch", expected: "x", actual: "ai-sdk:a" },
  });
});
