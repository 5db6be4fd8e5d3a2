import { indexedDbEngine } from "../../src/stores/indexeddb/index.ts";
import { mailboxCases } from "./mailbox-cases.ts";

mailboxCases({ name: "IndexedDB", open: () => indexedDbEngine(`mailbox ${crypto.randomUUID()}`), isCheap: false });
