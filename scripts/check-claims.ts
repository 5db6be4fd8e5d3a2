// Part of `npm run lint`: every claim still applies to src and names a test that is there. Whether its test turns red is for
// `npm run claims`, which takes minutes.

import { fileURLToPath } from "node:url";
import { CLAIMS } from "./claims/all.ts";
import { faultOfClaim } from "./claims/check.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const faults = CLAIMS.flatMap((claim) => faultOfClaim(root, claim) ?? []);
if (faults.length > 0) {
  console.error(faults.join("\n"));
  process.exitCode = 1;
} else console.log(`${CLAIMS.length} claims of ${new Set(CLAIMS.map(({ id }) => id)).size} requirements can be broken on purpose: npm run claims`);
