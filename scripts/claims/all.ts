// All claims. One that is made true by a new test is added here together with it.

import { ANSWERS_AND_TOOLS } from "./answers-and-tools.ts";
import type { Claim } from "./claim.ts";
import { LEASES } from "./leases.ts";
import { PROVIDERS } from "./providers.ts";
import { SESSIONS } from "./sessions.ts";
import { STORES_AND_LANGUAGE } from "./stores-and-language.ts";

export const CLAIMS: readonly Claim[] = [...ANSWERS_AND_TOOLS, ...LEASES, ...PROVIDERS, ...SESSIONS, ...STORES_AND_LANGUAGE];
