// What the scripted server would bill: the usage it gave with each answer, added up.

import type { WireRequest } from "../../src/testing/index.ts";
import { travelAgent } from "./script.ts";

export function billOf(requests: readonly WireRequest[]): { readonly calls: number; readonly inputTokens: number; readonly outputTokens: number } {
  const answer = travelAgent(0);
  const usages = requests.map((request) => answer(request).usage ?? { input: 0, output: 0 });
  return {
    calls: requests.length,
    inputTokens: usages.reduce((sum, { input }) => sum + input, 0),
    outputTokens: usages.reduce((sum, { output }) => sum + output, 0),
  };
}
