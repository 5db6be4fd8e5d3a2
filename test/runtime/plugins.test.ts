// Plugins as a host sees them: what they contribute to a turn, from end to end.

import { describe, expect, test } from "vitest";
import * as z from "zod";
import { tool } from "../../src/index.ts";
import { plugin } from "../../src/plugins/index.ts";
import { activitiesOf, testLash, transcriptOf } from "../support/lash.ts";

const clock = tool({ name: "clock", description: "", input: z.object({}), readOnly: true, run: () => "noon" });

describe("end to end", () => {
  test("a plugin's tool, prompt and before-turn message take part in a turn (PT-3, T-11, T-12, T-16)", async () => {
    const guide = plugin({
      id: "guide",
      build: ({ sessionId }) => ({
        tools: [clock],
        prompt: () => `You guide ${sessionId}.`,
        beforeTurn: () => ({ type: "enqueue_messages", messages: [{ role: "System", text: "be kind" }] }),
      }),
    });
    const { lash, provider } = testLash({ plugins: [guide], prompt: "Base.", script: [{ toolCalls: [{ name: "clock" }] }, "it is noon"] });
    const session = await lash.openSession("s");
    const result = await session.run("what time?");
    expect(result).toMatchObject({ text: "it is noon", isSuccess: true });
    expect(provider.requests[0]?.messages[0]?.blocks[0]).toMatchObject({ text: "Base.\n\n## Guidance\n\nYou guide s." });
    expect(provider.requests[0]?.tools.map(({ name }) => name)).toEqual(["clock"]);
    expect(transcriptOf(session)).toEqual([
      "User: Text what time?",
      "System: Text be kind",
      "Assistant: ToolCall {}",
      "User: ToolResult noon",
      "Assistant: Prose it is noon",
    ]);
    void activitiesOf;
  });
});
