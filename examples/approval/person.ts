// The person: node examples/approval/person.ts <folder> yes|no. A process with the store, the key, and no model.

// An app writes `from "lash-runtime"` and `from "lash-runtime/sqlite"`.
import { createLash } from "../../src/index.ts";
import { sqlite } from "../../src/stores/sqlite/store.ts";
import { storePath } from "./clerk-agent.ts";
import { Desk } from "./desk.ts";

const [home = ".", says = "yes"] = process.argv.slice(2);
const question = new Desk(home).questions.at(-1);
if (!question) throw new Error("there is nothing to decide");

await using lash = createLash({ store: sqlite(storePath(home)) });
const outcome = await lash.completions.resolve(
  question.key,
  says === "yes"
    ? { status: "ok", payload: { approved: true } }
    : { status: "err", payload: { code: "permission_denied", message: "the refund was not approved" } },
);
console.log(`  person ${process.pid}: ${question.asks} ${says}: ${outcome.status}`);
