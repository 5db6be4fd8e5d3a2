// The turn machine under pure transitions: every row of turn.md section 3, and what makes it replayable.

import { describe, expect, test } from "vitest";
import type { EffectOutcome } from "../../src/machines/effects.ts";
import { call, calls, codeProtocol, fails, fault, hello, issue, ok, reply, result, results, running, says, Stepper, thinks, turnInput } from "../support/turn-steps.ts";

const delivered = (texts: readonly string[] = [], abort?: typeof issue): EffectOutcome => ({
  kind: "checkpoint",
  messages: texts.map((content, index) => ({ id: `in:${index}`, role: "User", parts: [{ id: `in:${index}.p0`, kind: "Text", content }] })),
  ...(abort && { abort }),
});
const synced: EffectOutcome = { kind: "sync_execution_environment" };

describe("asking for model calls", () => {
  test("the first call is asked for with the whole log by reference and effect id 1 (T-18, T-26)", () => {
    const turn = running();
    expect(turn.value).toEqual({ running: "callingModel" });
    expect(turn.asked).toEqual([
      { type: "effect.requested", request: { effectId: 1, replayKey: "s:t:7:0:llm_call:1", command: { kind: "llm_call", iteration: 0, logLength: 1 } } },
    ]);
    expect(turn.context).toMatchObject({ logLength: 1, nextEffectId: 2, iteration: 0 });
  });

  test("with environment sync on, the environment comes before every model call (T-33)", () => {
    const turn = running({ hooks: ["syncsEnvironment"] });
    expect(turn.open.command).toEqual({ kind: "sync_execution_environment", iteration: 0 });
    turn.settle(synced);
    expect(turn.open).toMatchObject({ effectId: 2, command: { kind: "llm_call" } });
    turn.settle(reply([calls("a")])).settle(results(result("a")));
    expect(turn.value).toEqual({ running: "syncingEnvironment" });
    expect(turn.open.command).toEqual({ kind: "sync_execution_environment", iteration: 1 });
    turn.settle(synced);
    expect(turn.open.command).toEqual({ kind: "llm_call", iteration: 1, logLength: 3 });
  });

  test("an environment that cannot be refreshed stops the turn as runtime_error (waiting_environment, SYNCED err)", () => {
    const turn = running({ hooks: ["syncsEnvironment"] }).settle({ kind: "fault", code: "reconfigure_failed", message: "no" });
    expect(turn.value).toBe("committing");
    expect(turn.context).toMatchObject({ outcome: { stopped: "runtime_error" }, issues: [{ code: "reconfigure_failed" }], open: [] });
  });
});

describe("replies of the model", () => {
  test("an answer in words finishes, its message in the log under a deterministic id (T-23, T-28)", () => {
    const turn = running().settle(reply([says("Hello.")]));
    expect(turn.value).toBe("committing");
    expect(turn.context).toMatchObject({ outcome: { finished: { assistant_message: { text: "Hello." } } }, usage: call, lastPromptUsage: call, open: [] });
    expect(turn.appended).toEqual([{ id: "t:1", role: "Assistant", parts: [{ id: "t:1.p0", kind: "Prose", content: "Hello." }] }]);
  });

  test("tool calls are one message and one batch that names it by its place in the log (T-30)", () => {
    const turn = running().settle(reply([thinks("hm"), calls("a"), says("Let me."), calls("b")]));
    expect(turn.value).toEqual({ running: { runningTools: "executing" } });
    expect(turn.open).toEqual({ effectId: 2, replayKey: "s:t:7:0:tool_batch:2", command: { kind: "tool_batch", iteration: 0, logIndex: 1 } });
    expect(turn.appended[0]?.parts.map(({ kind }) => kind)).toEqual(["Reasoning", "ToolCall", "Prose", "ToolCall"]);
  });

  test.each([["output_limit", "incomplete"], ["cancelled", "cancelled"], ["content_filter", "provider_error"], ["context_overflow", "provider_error"], ["provider_error", "provider_error"]] as const)(
    "a reply that ended in %s stops the turn as %s with its usage; its text is kept as cut off, its calls are not (ME-11, PP-32, PP-34, T-60)",
    (terminalReason, stopped) => {
      const turn = running().settle(reply([says("x"), calls("a")], { terminalReason }));
      expect(turn.value).toBe("committing");
      expect(turn.context).toMatchObject({ outcome: { stopped }, usage: call, issues: [{ kind: "llm_provider", code: terminalReason, retryable: false }] });
      const incomplete = terminalReason === "output_limit" || terminalReason === "cancelled" || terminalReason === "content_filter" ? terminalReason : "failed";
      expect(turn.appended).toEqual([{ id: "t:1", role: "Assistant", incomplete, parts: [{ id: "t:1.p0", kind: "Prose", content: "x" }] }]);
    },
  );

  test("a reply that was cut off before it said anything leaves no message (ME-11)", () => {
    expect(running().settle(reply([calls("a")], { terminalReason: "output_limit" })).appended).toEqual([]);
  });

  test("a reply for an unknown reason is treated like one that stopped (PP-32)", () => {
    expect(running().settle(reply([says("ok")], { terminalReason: "unknown" })).context.outcome).toEqual({ finished: { assistant_message: { text: "ok" } } });
  });

  test("a failed call stops the turn with its retryability and kind (T-60)", () => {
    const turn = running().settle(fails({ retryable: true, kind: "http", code: "bad_gateway" }));
    expect(turn.context).toMatchObject({
      outcome: { stopped: "provider_error" },
      issues: [{ kind: "llm_provider", code: "bad_gateway", message: "LLM error: no key", retryable: true, providerFailureKind: "http" }],
    });
  });

  test("a call that failed as cancelled stops the turn as cancelled (T-63)", () => {
    expect(running().settle(fails({ terminalReason: "cancelled", code: "cancelled" })).context.outcome).toEqual({ stopped: "cancelled" });
  });
});

describe("results", () => {
  test("results are one message in call order and lead to the next model call (T-31)", () => {
    const turn = running().settle(reply([calls("a"), calls("b")])).settle(results(result("a"), result("b")));
    expect(turn.value).toEqual({ running: "callingModel" });
    expect(turn.open).toMatchObject({ effectId: 3, replayKey: "s:t:7:1:llm_call:3", command: { logLength: 3 } });
    expect(turn.appended).toMatchObject([{ id: "t:2", role: "User", parts: [{ toolCallId: "a" }, { toolCallId: "b" }] }]);
    expect(turn.context).toMatchObject({ iteration: 1, endsWithToolResult: true, toolFailed: false });
  });

  test("a failed tool is remembered and fed back (T-54)", () => {
    const failed = result("a", { outcome: { status: "failure", payload: { class: "execution", code: "x", message: "x", source: "tool", retry: { type: "never" } } } });
    expect(running().settle(reply([calls("a")])).settle(results(failed)).context).toMatchObject({ toolFailed: true, outcome: null });
  });

  test("a result with control finishes the turn (T-31, T-66)", () => {
    const turn = running().settle(reply([calls("a")])).settle(results(result("a", ok("x", { type: "finish", value: 42 }))));
    expect(turn.value).toBe("committing");
    expect(turn.context.outcome).toEqual({ finished: { tool_value: { tool_name: "a", value: 42 } } });
  });

  test("the turn limit finishes with a note under a synthetic id that counts the history (T-23, T-32)", () => {
    const turn = running({ maxTurns: 1 }).settle(reply([calls("a")])).settle(results(result("a")));
    expect(turn.value).toBe("committing");
    expect(turn.context.outcome).toEqual({ stopped: "max_turns" });
    expect(turn.appended.map(({ id }) => id)).toEqual(["t:2", "m_sansio_0_turn_limit_7"]);
  });

  test("code runs under the id of its own effect, and its result decides (waiting_exec)", () => {
    const turn = running({}, codeProtocol).settle(reply([says("submit 1")]));
    expect(turn.value).toEqual({ running: "runningCode" });
    expect(turn.open.command).toEqual({ kind: "exec_code", iteration: 0, language: "lashlang", code: "submit 1" });
    turn.settle({ kind: "exec_code", result: "again" });
    expect(turn.open).toMatchObject({ effectId: 3, command: { kind: "llm_call", iteration: 1 } });
    turn.settle(reply([says("submit 2")])).settle({ kind: "exec_code", result: 2 });
    expect(turn.context.outcome).toEqual({ finished: { final_value: { value: 2 } } });
  });

  test("a reply may simply lead to another call (iterate)", () => {
    expect(running({}, codeProtocol).settle(reply([])).open).toMatchObject({ effectId: 2, command: { kind: "llm_call", iteration: 1 } });
    const synced2 = running({ hooks: ["syncsEnvironment"] }, codeProtocol).settle(synced).settle(reply([]));
    expect(synced2.value).toEqual({ running: "syncingEnvironment" });
  });
});

describe("checkpoints", () => {
  const atEnd = (maxTurns: number | null = null, sync = false) => {
    const turn = running({ hooks: sync ? ["checkpoints", "syncsEnvironment"] : ["checkpoints"], maxTurns });
    if (sync) turn.settle(synced);
    return turn.settle(reply([says("Bye.")]));
  };
  const afterWork = () => running({ hooks: ["checkpoints"] }).settle(reply([calls("a")])).settle(results(result("a")));

  test("before an answer counts, what arrived meanwhile is collected (T-28, T-55)", () => {
    const turn = atEnd();
    expect(turn.value).toEqual({ running: "atCheckpoint" });
    expect(turn.open.command).toEqual({ kind: "checkpoint", iteration: 0, checkpoint: "before_completion" });
    expect(turn.settle(delivered()).context).toMatchObject({ outcome: { finished: { assistant_message: { text: "Bye." } } } });
  });

  test("input that arrives then prevents completion and starts another iteration (T-57, TT-7)", () => {
    const turn = atEnd().settle(delivered(["wait"]));
    expect(turn.value).toEqual({ running: "callingModel" });
    expect(turn.context).toMatchObject({ iteration: 1, outcome: null, logLength: 3 });
  });

  test("past the turn limit it is appended and the turn stops (TT-6)", () => {
    const turn = atEnd(1).settle(delivered(["wait"]));
    expect(turn.value).toBe("committing");
    expect(turn.context).toMatchObject({ iteration: 1, outcome: { stopped: "max_turns" } });
    expect(turn.appended).toHaveLength(1);
  });

  test("after work the next iteration follows, with what was delivered and without (T-55)", () => {
    for (const texts of [[], ["also this"]]) {
      const turn = afterWork();
      expect(turn.open.command).toEqual({ kind: "checkpoint", iteration: 1, checkpoint: "after_work" });
      turn.settle(delivered(texts));
      expect(turn.value).toEqual({ running: "callingModel" });
      expect(turn.open.command).toEqual({ kind: "llm_call", iteration: 1, logLength: 3 + texts.length });
    }
  });

  test("with environment sync on, the environment comes first (T-33)", () => {
    expect(atEnd(null, true).settle(delivered(["wait"])).value).toEqual({ running: "syncingEnvironment" });
  });

  test("a hook that aborts there stops the turn as plugin_abort (ER-9)", () => {
    expect(afterWork().settle(delivered([], issue)).context).toMatchObject({ outcome: { stopped: "plugin_abort" }, issues: [issue] });
  });
});

describe("input while the turn runs", () => {
  const finished = { finished: { assistant_message: { text: "Bye." } } };
  const ending = (maxTurns: number | null = null) => running({ hooks: ["takesInput"], maxTurns }).settle(reply([says("Bye.")]));
  const found = (maxTurns: number | null = null) => ending(maxTurns).send({ type: "input.waiting" });

  test("after work the turn looks for it, before completion it leaves that to its commit (T-55, M4)", () => {
    const working = running({ hooks: ["takesInput"] }).settle(reply([calls("a")])).settle(results(result("a")));
    expect(working.open.command).toEqual({ kind: "checkpoint", iteration: 1, checkpoint: "after_work" });
    const turn = ending();
    expect(turn.value).toBe("committing");
    expect(turn.context).toMatchObject({ outcome: finished, open: [], afterCheckpoint: { type: "finish", outcome: finished } });
  });

  test("a commit that finds some takes the completion back and asks the last checkpoint (T-57, TT-7)", () => {
    const turn = found();
    expect(turn.value).toEqual({ running: "atCheckpoint" });
    expect(turn.open.command).toEqual({ kind: "checkpoint", iteration: 0, checkpoint: "before_completion" });
    expect(turn.context.outcome).toBeNull();
    turn.settle(delivered(["wait"]));
    expect(turn.value).toEqual({ running: "callingModel" });
    expect(turn.context).toMatchObject({ iteration: 1, outcome: null, logLength: 3, afterCheckpoint: null });
  });

  test("input that was gone by then leaves the completion as it was, and the commit looks once more (T-57)", () => {
    const turn = found().settle(delivered());
    expect(turn.value).toBe("committing");
    expect(turn.context.outcome).toEqual(finished);
    expect(turn.send({ type: "input.waiting" }).value).toEqual({ running: "atCheckpoint" });
  });

  test("past the turn limit it is appended and the turn stops, for good (TT-6)", () => {
    const turn = found(1).settle(delivered(["wait"]));
    expect(turn.context).toMatchObject({ outcome: { stopped: "max_turns" }, logLength: 3 });
    expect(turn.send({ type: "input.waiting" }).value).toBe("committing");
  });

  test("a turn that is cancelled or fails at that checkpoint ends so; what was delivered is kept (I-33, T-64)", () => {
    const cancelled = found().send({ type: "turn.cancel" }).settle(delivered(["wait"]));
    expect(cancelled.context).toMatchObject({ outcome: { stopped: "cancelled" }, logLength: 3 });
    const failed = found().settle(fault);
    expect(failed.context).toMatchObject({ outcome: { stopped: "runtime_error" } });
    for (const turn of [cancelled, failed]) expect(turn.send({ type: "input.waiting" }).value).toBe("committing");
  });
});

describe("cancelling", () => {
  test("a cancel aborts the open effect and hears it out (T-63)", () => {
    const turn = running().send({ type: "turn.cancel" });
    expect(turn.value).toEqual({ running: "cancelling" });
    expect(turn.asked).toEqual([{ type: "effect.aborted", effectId: 1 }]);
    turn.send({ type: "turn.cancel" });
    expect(turn.asked).toEqual([]);
    turn.settle(fails({ terminalReason: "cancelled" }));
    expect(turn.value).toBe("committing");
    expect(turn.context).toMatchObject({ outcome: { stopped: "cancelled" }, issues: [{ code: "cancelled" }] });
  });

  test("a reply that arrives all the same is counted, and its text kept as cut off (T-64, ME-11)", () => {
    const turn = running().send({ type: "turn.cancel" }).settle(reply([says("too late"), calls("a")]));
    expect(turn.context).toMatchObject({ outcome: { stopped: "cancelled" }, usage: call, logLength: 2 });
    expect(turn.appended).toMatchObject([{ incomplete: "cancelled", parts: [{ kind: "Prose", content: "too late" }] }]);
  });

  test("what a call had said when it was aborted is kept as cut off (ME-11)", () => {
    const turn = running().send({ type: "turn.cancel" }).settle(fails({}, [{ type: "reasoning", text: "hm" }, { type: "text", text: "half" }]));
    expect(turn.appended).toMatchObject([{ role: "Assistant", incomplete: "cancelled", parts: [{ kind: "Reasoning", content: "hm" }, { kind: "Prose", content: "half" }] }]);
  });

  test("results of tools that finished are kept (T-64)", () => {
    const turn = running().settle(reply([calls("a")])).send({ type: "turn.cancel" }).settle(results(result("a")));
    expect(turn.context).toMatchObject({ outcome: { stopped: "cancelled" }, logLength: 3 });
  });

  test("a fault while cancelling is a cancelled turn (T-58)", () => {
    expect(running().send({ type: "turn.cancel" }).settle(fault).context.outcome).toEqual({ stopped: "cancelled" });
  });

  test("a batch that was cancelled at the turn limit leaves no note about the limit (T-32, T-58)", () => {
    const turn = running({ maxTurns: 1 }).settle(reply([calls("a")])).send({ type: "turn.cancel" }).settle(results(result("a")));
    expect(turn.appended.map(({ role }) => role)).toEqual(["User"]);
  });
});

describe("replies that do not count", () => {
  const outcomes: readonly EffectOutcome[] = [reply([says("x")]), fails(), results(result("a")), { kind: "exec_code", result: 1 }, delivered(), synced];
  const waiting: Readonly<Record<string, { readonly at: () => Stepper; readonly kinds: readonly EffectOutcome["kind"][] }>> = {
    syncingEnvironment: { at: () => running({ hooks: ["syncsEnvironment"] }), kinds: ["sync_execution_environment"] },
    callingModel: { at: () => running(), kinds: ["llm_call", "llm_failure"] },
    runningTools: { at: () => running().settle(reply([calls("a")])), kinds: ["tool_batch"] },
    runningCode: { at: () => running({}, codeProtocol).settle(reply([says("x")])), kinds: ["exec_code"] },
    atCheckpoint: { at: () => running({ hooks: ["checkpoints"] }).settle(reply([says("x")])), kinds: ["checkpoint"] },
  };

  test.each(Object.keys(waiting))("in %s a reply of another kind is dropped, as is one to no open effect (M2, TT-4)", (state) => {
    const { at, kinds } = waiting[state] ?? { at: () => running(), kinds: [] };
    for (const outcome of outcomes) {
      const turn = at();
      const before = turn.snapshot;
      const { effectId } = turn.open;
      for (const id of [effectId - 1, effectId + 1, 0, -1]) turn.settle(outcome, id);
      expect(turn.snapshot.value).toEqual(before.value);
      expect(turn.snapshot.context).toEqual(before.context);
      if (kinds.includes(outcome.kind)) continue;
      turn.settle(outcome, effectId);
      expect(turn.snapshot.context).toEqual(before.context);
      expect(turn.asked).toEqual([]);
    }
  });

  test.each(Object.keys(waiting))("in %s a second copy of a reply is dropped (M2, TT-4)", (state) => {
    const { at, kinds } = waiting[state] ?? { at: () => running(), kinds: [] };
    for (const outcome of outcomes.filter(({ kind }) => kinds.includes(kind))) {
      const turn = at();
      const { effectId } = turn.open;
      turn.settle(outcome, effectId);
      const { value, context } = turn.snapshot;
      turn.settle(outcome, effectId);
      expect(turn.snapshot.value).toEqual(value);
      expect(turn.snapshot.context).toEqual(context);
    }
  });

  test("while cancelling, only the reply to the open effect ends the turn (M2)", () => {
    const turn = running().send({ type: "turn.cancel" });
    turn.settle(reply([says("x")]), 99).settle(results(result("a")), 1);
    expect(turn.value).toEqual({ running: "cancelling" });
  });
});

describe("determinism", () => {
  const script: readonly EffectOutcome[] = [reply([calls("a"), calls("b")]), results(result("a"), result("b")), reply([calls("a")]), results(result("a")), reply([says("Done.")])];
  const run = () => script.reduce((turn, outcome) => turn.settle(outcome), running());

  test("effect ids count 1, 2, 3 and the same replies give the same messages, byte for byte (T-18, T-23)", () => {
    const first = run();
    expect(JSON.stringify(run().all)).toBe(JSON.stringify(first.all));
    const ids = first.all.flatMap((message) => (message.type === "effect.requested" ? [message.request.effectId] : []));
    expect(ids).toEqual([1, 2, 3, 4, 5]);
    const keys = first.all.flatMap((message) => (message.type === "effect.requested" ? [message.request.replayKey] : []));
    expect(new Set(keys).size).toBe(5);
  });

  test("a transition leaves the snapshot it started from as it was (T-18)", () => {
    const turn = running();
    const before = turn.snapshot;
    const copy = structuredClone(before.context);
    turn.settle(reply([calls("a")]));
    expect(before.context).toEqual(copy);
  });

  test("usage adds up over calls, and the last one is what the prompt cost (T-78, T-80)", () => {
    expect(run().context).toMatchObject({ usage: { inputTokens: 30, outputTokens: 15 }, lastPromptUsage: { inputTokens: 10 } });
  });
});

test("the input's messages go to the log before the model is asked (T-10)", () => {
  const turn = new Stepper(turnInput());
  turn.send({ type: "turn.opened" }, { type: "head.refreshed", history: running().context.history ?? expect.fail() }, { type: "input.normalized", messages: [hello] });
  expect(turn.asked).toEqual([{ type: "log.appended", messages: [hello] }, { type: "phase.requested", phase: "buildTurn" }]);
});
