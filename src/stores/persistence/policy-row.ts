// The policy of a session as rows keep it, and journaled outcomes. Apart from the rows that hold it: whoever only checks a policy
// needs none of those.

import * as z from "zod/mini";

export const policyRow = z.strictObject({
  providerId: z.string(),
  model: z.strictObject({
    id: z.string(),
    variant: z.exactOptional(z.string()),
    limits: z.exactOptional(z.strictObject({ contextWindowTokens: z.number(), outputTokenCapacity: z.exactOptional(z.number()) })),
  }),
  maxTurns: z.nullable(z.number()),
});
