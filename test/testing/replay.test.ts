import { describe, expect, test } from "vitest";
import * as z from "zod";
import { createLash, memory, tool, type TurnActivity } from "../../src/index.ts";
import type { LlmRequest, LlmStreamEvent, Provider, ProviderCall } from "../../src/providers/contract.ts";
import { ProviderError } from "../../src/providers/failure.ts";
import { autoClock, byToolResults, type Cassette, manualClock, recordProvider, ReplayMismatch, replayProvider, scriptedProvider } from "../../src/testing/index.ts";
import { activitiesOf } from "../support/lash.ts";

const request = (text: string, more: Partial<LlmRequest> = {}): LlmRequest => ({
  model: "m", messages: [{ role: "user", blocks: [{ type: "text", text }] }], attachments: [], tools: [], toolChoice: "auto", generation: {},
  scope: { sessionId: "s", agentFrameId: "f", requestId: "r" }, ...more,
});

function call(): ProviderCall & { readonly heard: LlmStreamEvent[] } {
  const heard: LlmStreamEvent[] = [];
  return { clock: manualClock(), signal: new AbortController().signal, heard, onStreamEvent: (event) => void heard.push(event) };
}

/** As it comes out of a file. */
const stored = (cassette: Cassette): Cassette => JSON.parse(JSON.stringify(cassette)) as Cassette;

const asked = async (provider: Provider, what: LlmRequest): Promise<unknown> => {
  const listening = call();
  const answer = await provider.complete(what, listening).catch((error: unknown) => (ProviderError.is(error) ? error.failure : error));
  return { answer, heard: listening.heard };
};

describe("a replayed provider", () => {
  test("answers a whole turn as the recorded one did: same activities, same messages, nothing of the recording unused", async () => {
    const script = byToolResults([{ text: ["Let ", "me ", "look."], reasoning: "hm", toolCalls: [{ name: "look", args: { at: 1 } }] }, { text: ["It ", "rains."] }]);
    const turnWith = async (provider: Provider): Promise<readonly unknown[]> => {
      const look = tool({ name: "look", description: "Look", input: z.object({ at: z.number() }), readOnly: true, run: () => "rain" });
      const clock = autoClock();
      const ids = { next: 0 };
      const lash = createLash({ provider, store: memory(), tools: [look], clock, newId: () => `id-${++ids.next}` });
      const session = await lash.openSession("s");
      const turn = session.turn("Weather?");
      const activities: readonly TurnActivity[] = await activitiesOf(turn);
      const result = await turn.result;
      await lash.close();
      return [activities, result, session.observe().readView.messages];
    };
    const recording = recordProvider(scriptedProvider(script));
    const recorded = await turnWith(recording);
    const cassette = stored(recording.toJSON());
    expect(cassette.calls).toHaveLength(2);
    // Another session asks the same: ids of session and turn are no part of a request.
    const replay = replayProvider(cassette);
    expect(replay.unused).toEqual([0, 1]);
    expect(await turnWith(replay)).toEqual(recorded);
    expect([replay.unused, replay.mismatches]).toEqual([[], []]);
  });

  test("gives equal requests their answers in the order in which they were recorded, and the last one to all beyond", async () => {
    const recording = recordProvider(scriptedProvider(["one", "two", "other"]));
    for (const text of ["again", "again", "else"]) await recording.complete(request(text), call());
    const replay = replayProvider(stored(recording.toJSON()));
    const texts: string[] = [];
    for (const text of ["else", "again", "again", "again"]) texts.push((await replay.complete(request(text, { scope: { sessionId: "t", agentFrameId: "g", requestId: "q" } }), call())).fullText);
    expect(texts).toEqual(["other", "one", "two", "two"]);
  });

  test("fails as the recorded one failed, after the same stream, with all that retries go by", async () => {
    const script = [{ text: ["half", " of it"], failure: { kind: "http", status: 429, retryable: true, retryAfterMs: 7_000, headers: [["retry-after", "7"]] } }, "whole"] as const;
    const recording = recordProvider(scriptedProvider(script));
    const first = await asked(recording, request("go"));
    const second = await asked(recording, request("go"));
    const replay = replayProvider(stored(recording.toJSON()));
    expect([await asked(replay, request("go")), await asked(replay, request("go"))]).toEqual([first, second]);
    expect(first).toMatchObject({ answer: { status: 429, retryAfterMs: 7_000 }, heard: [{ text: "half" }, { text: " of it" }] });
  });

  test("classifies failures as the recorded provider does", async () => {
    const strict: Provider = { ...scriptedProvider([{ failure: { kind: "http", status: 418, retryable: true } }]), classify: (failure) => ({ ...failure, kind: "quota", retryable: false }) };
    const recording = recordProvider(strict);
    await asked(recording, request("tea"));
    const replay = replayProvider(stored(recording.toJSON()));
    const { answer } = (await asked(replay, request("tea"))) as { answer: Parameters<NonNullable<Provider["classify"]>>[0] };
    expect(replay.classify?.(answer)).toMatchObject({ kind: "quota", retryable: false, status: 418 });
    expect(replayProvider(stored(recordProvider(scriptedProvider([])).toJSON())).classify).toBeUndefined();
  });

  test("keeps bytes that models make and knows images of requests by what they show", async () => {
    const painter: Provider = {
      id: "painter",
      complete: async (_request, { onStreamEvent }) => {
        const part = { type: "file", mime: "image/png", data: new Uint8Array([1, 2, 250]) } as const;
        await onStreamEvent?.({ type: "part", part });
        return { fullText: "", parts: [part], usage: { inputTokens: 1, outputTokens: 1, cacheReadInputTokens: 0, cacheWriteInputTokens: 0, reasoningOutputTokens: 0 }, terminalReason: "stop" };
      },
    };
    const shows = (byte: number): LlmRequest => request("like this", { attachments: [{ mime: "image/png", data: new Uint8Array([byte]), reference: `ref-${Math.random()}` }] });
    const recording = recordProvider(painter);
    const live = await asked(recording, shows(7));
    const replay = replayProvider(stored(recording.toJSON()));
    expect(await asked(replay, shows(7))).toEqual(live);
    expect(await replay.complete(shows(8), call()).catch((error: unknown) => error)).toMatchObject({ difference: { path: "attachments[0].sha256" } });
    expect(JSON.stringify(recording.toJSON())).not.toContain("ref-");
  });

  test("refuses a request that was not recorded, and says where it first differs and from which call", async () => {
    const recording = recordProvider(scriptedProvider(() => "yes"));
    await recording.complete(request("first"), call());
    await recording.complete(request(`${"long ".repeat(60)}second`), call());
    const replay = replayProvider(stored(recording.toJSON()));
    await replay.complete(request("first"), call());
    const error: unknown = await replay.complete(request(`${"long ".repeat(60)}third`), call()).catch((reason: unknown) => reason);
    if (!(error instanceof ReplayMismatch)) throw new Error("no mismatch", { cause: error });
    expect(error.failure).toMatchObject({ kind: "validation", code: "replay_mismatch", retryable: false });
    expect(error).toMatchObject({ comparedWith: 1, difference: { path: "messages[0].blocks[0].text", asked: `${"long ".repeat(60)}third` } });
    expect(error.message).toContain("differs from recorded call 2 of 2 at messages[0].blocks[0].text: recorded …");
    expect(error.message).toMatch(/recorded …[^"]*long second", asked …[^"]*long third"/);
    expect(replay.mismatches).toEqual([error]);
    const changed = await replay.complete(request("first", { generation: { temperature: 1 } }), call()).catch((reason: unknown) => reason);
    expect(changed).toMatchObject({ difference: { path: "generation.temperature", recorded: undefined, asked: 1 } });
    const empty = await replayProvider(stored(recordProvider(scriptedProvider([])).toJSON())).complete(request("x"), call()).catch((reason: unknown) => reason);
    expect(empty).toMatchObject({ message: expect.stringContaining("no calls") });
  });

  test("asks another provider about what was not recorded, where it is told to", async () => {
    const recording = recordProvider(scriptedProvider(["recorded"]));
    await recording.complete(request("known"), call());
    const replay = replayProvider(recording.toJSON(), { onMismatch: scriptedProvider(["improvised"]) });
    expect((await replay.complete(request("unknown"), call())).fullText).toBe("improvised");
    expect((await replay.complete(request("known"), call())).fullText).toBe("recorded");
    expect(replay.mismatches).toHaveLength(1);
  });

  test("says of something that is no cassette what it is, and stops where it is aborted", async () => {
    expect(() => replayProvider({} as Cassette)).toThrow("without a version");
    expect(() => replayProvider({ version: 2 } as unknown as Cassette)).toThrow("version 2");
    expect(() => replayProvider({ version: 1 } as unknown as Cassette)).toThrow("no provider");
    const recording = recordProvider(scriptedProvider(["long"]));
    await recording.complete(request("go"), call());
    const aborted = new AbortController();
    aborted.abort();
    await expect(replayProvider(recording.toJSON()).complete(request("go"), { ...call(), signal: aborted.signal })).rejects.toMatchObject({ failure: { code: "cancelled" } });
  });
});

describe("a recording", () => {
  const KEY = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGH";

  test("holds no secret: not of headers, texts, arguments, failures, nor one that the stream cuts in two; a replay still knows its requests", async () => {
    const leaky = scriptedProvider([
      { text: [`key ${KEY.slice(0, 20)}`, KEY.slice(20), " is it"], toolCalls: [{ name: "login", args: { password: "hunter22" } }] },
      { failure: { message: `401 for ${KEY}`, raw: `{"apiKey":"${KEY}"}` } },
      "my codename is Bluebird",
    ]);
    const recording = recordProvider(leaky, { redact: ["Bluebird"] });
    const secret = (): LlmRequest => request(`use ${KEY}`, { headers: { authorization: "Bearer very-secret-token" } });
    for (let n = 0; n < 3; n++) await asked(recording, secret());
    const text = JSON.stringify(recording.toJSON());
    for (const each of [KEY, KEY.slice(0, 20), KEY.slice(20), "hunter22", "very-secret-token", "Bluebird"]) expect(text).not.toContain(each);
    const listening = call();
    const replay = replayProvider(stored(recording.toJSON()), { redact: ["Bluebird"] });
    expect((await replay.complete(secret(), listening)).fullText).toBe("key [redacted] is it");
    expect(listening.heard.flatMap((event) => ("text" in event ? [event.text] : [])).join("")).toBe("key [redacted] is it");
  });

  test("is what the provider said when it was asked, and leaves out calls that were aborted", async () => {
    const controller = new AbortController();
    const recording = recordProvider(scriptedProvider([{ text: "half", hang: true }, "whole"], { maxOutputTokens: 9 }));
    const hanging = recording.complete(request("go"), { ...call(), signal: controller.signal, onStreamEvent: () => controller.abort() });
    await expect(hanging).rejects.toMatchObject({ failure: { code: "cancelled" } });
    await recording.complete(request("go"), call());
    const { version, provider, calls } = recording.toJSON();
    expect([version, provider, calls.length]).toEqual([1, { id: "scripted", modelId: "scripted-model", options: { maxOutputTokens: 9 }, wire: { toolBlocks: "always" }, classifies: false }, 1]);
    expect((await replayProvider(recording.toJSON()).complete(request("go"), call())).fullText).toBe("whole");
    expect(replayProvider(recording.toJSON())).toMatchObject({ id: "scripted", modelId: "scripted-model", options: { maxOutputTokens: 9 } });
  });
});
