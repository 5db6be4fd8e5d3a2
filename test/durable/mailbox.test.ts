import { engineCases } from "../support/engines.ts";
import { mailboxCases } from "./mailbox-cases.ts";

for (const { name, open } of engineCases()) mailboxCases({ name, open, isCheap: name === "memory" });
