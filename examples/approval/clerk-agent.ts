// The agent: it may pay a refund back, but only after a person has said yes.

import { appendFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
// An app writes `from "lash-runtime"`, `from "lash-runtime/sqlite"`, `from "lash-runtime/testing"`.
import { createLash, pending, tool, type Lash } from "../../src/index.ts";
import { sqlite } from "../../src/stores/sqlite/store.ts";
import { scriptedProvider } from "../../src/testing/index.ts";
import { Desk } from "./desk.ts";

const DAY_MS = 86_400_000;

export const storePath = (home: string): string => join(home, "clerk.db");
export const paymentsPath = (home: string): string => join(home, "payments.txt");

export function createClerk(home: string): Lash {
  const desk = new Desk(home);
  const askForApproval = tool({
    name: "ask_for_approval",
    description: "Asks a person whether a refund may be paid.",
    input: z.object({ order: z.string(), amount: z.number() }),
    // The one line that matters: hand the key over, then say that the answer comes later. A crash in between runs the tool
    // again with the same key, so that the desk may have the question twice, but never two different ones.
    readOnly: true,
    run: async ({ order, amount }, call) => {
      desk.put({ asks: `Pay ${amount} back for order ${order}?`, key: await call.completionKey() });
      return pending({ timeoutMs: 3 * DAY_MS });
    },
  });
  const pay = tool({
    name: "pay",
    description: "Pays a refund.",
    input: z.object({ order: z.string(), amount: z.number() }),
    idempotent: true,
    run: ({ order, amount }, { idempotencyKey }) => {
      appendFileSync(paymentsPath(home), `${amount} for order ${order}, under ${idempotencyKey.slice(0, 8)}\n`);
      return "paid";
    },
  });
  return createLash({ provider: model(), store: sqlite(storePath(home)), tools: [askForApproval, pay] });
}

/** Stands for a model: asks first, pays only after a yes, and tells the customer. */
const model = () =>
  scriptedProvider(({ messages }) => {
    const results = messages.flatMap(({ blocks }) => blocks.flatMap((block) => (block.type === "toolResult" ? [block.content] : [])));
    const refund = { order: "A-17", amount: 40 };
    if (results.length === 0) return { text: "I have to ask somebody.", toolCalls: [{ name: "ask_for_approval", args: refund }] };
    if (!results[0]?.includes('"approved":true')) return "I am sorry, the refund was not approved.";
    return results.length === 1 ? { toolCalls: [{ name: "pay", args: refund }] } : "Your refund has been paid.";
  });
