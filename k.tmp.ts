import * as z from "zod";
import { createLash, tool } from "./src/index.ts";
import { sqlite } from "./src/stores/sqlite/store.ts";
import { appendFileSync } from "node:fs";
const slow = (name: string, opts: any, ms: number) => tool({ name, description: "w", input: z.object({}), ...opts, run: async (_a, call) => { appendFileSync("/tmp/k.log", `${process.pid} ${name} start interrupted=${call.interrupted} key=${call.idempotencyKey.slice(0, 6)}\n`); if (ms > 500 && process.argv[2] === "die") { setTimeout(() => process.kill(process.pid, 9), 300); } await new Promise(r => setTimeout(r, ms)); appendFileSync("/tmp/k.log", `${process.pid} ${name} end\n`); return name; } });
const usage = { inputTokens: 1, outputTokens: 1, cacheReadInputTokens: 0, cacheWriteInputTokens: 0, reasoningOutputTokens: 0 };
const provider: any = { id: "p", modelId: "m", complete: async (req: any) => { const n = req.messages.filter((m: any) => m.blocks.some((b: any) => b.type === "toolResult")).length; appendFileSync("/tmp/k.log", `${process.pid} model ${n}\n`);
  const call = (...names: string[]) => ({ fullText: "", parts: names.map((toolName, i) => ({ type: "toolCall", toolName, callId: "c" + i, inputJson: "{}" })), usage, terminalReason: "tool_use" });
  return n === 0 ? call("fast", "slow") : n === 1 ? call("third") : { fullText: "", parts: [{ type: "text", text: "done" }], usage, terminalReason: "stop" }; } };
const lash = createLash({ provider, store: sqlite("/tmp/k.db"), tools: [slow("fast", {}, 10), slow("slow", { readOnly: process.argv[3] === "ro" }, 1000), slow("third", {}, 5)] });
if (process.argv[2] === "die") { const s = await lash.openSession("a"); await s.run("go", { turnId: "t1" }); }
else { const t = performance.now(); console.log(JSON.stringify(await lash.recover()), performance.now() - t); const s = await lash.openSession("a"); console.log(s.observe().readView.messages.map((m) => m.role + ":" + m.parts.map((p) => p.kind + " " + p.content).join("|"))); console.log(JSON.stringify(await s.run("go", { turnId: "t1" }))); await lash.close(); }
