// Every budget of design section 9 that Node can measure, in one run, beside the raw floor and the peers.
//   npm run bench                 all sections
//   npm run bench -- turns bytes  some of them
//
// Absolute times are this machine's; only ratios are judged. How noise is dealt with: measure.ts.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { idle } from "./idle.ts";
import { load } from "./load.ts";
import { peers } from "./peers.ts";
import { redaction } from "./redact.ts";
import { reopen } from "./reopen.ts";
import { Report } from "./report.ts";
import { streaming } from "./streaming.ts";
import { takeover } from "./takeover.ts";
import { throughput } from "./throughput.ts";
import { turnBytes } from "./turn-bytes.ts";
import { turnTimes } from "./turn-times.ts";

type Section = (report: Report, folder: string) => Promise<void>;

/** Peers last: what they load stays loaded. */
const SECTIONS: Readonly<Record<string, Section>> = { turns: turnTimes, throughput, bytes: turnBytes, streaming, idle, load, reopen, takeover, redaction, peers };

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => SECTIONS[name] === undefined);
if (unknown.length > 0) throw new Error(`no section ${unknown.join(", ")}; there are ${Object.keys(SECTIONS).join(", ")}`);

const folder = mkdtempSync(join(tmpdir(), "lash-bench-"));
const report = new Report();
try {
  for (const [name, run] of Object.entries(SECTIONS)) {
    if (asked.length === 0 || asked.includes(name)) await run(report, folder);
  }
  console.log(`\n${report.summary()}`);
  console.log(`written to ${report.save(join(import.meta.dirname, "results"))}`);
} finally {
  rmSync(folder, { recursive: true });
}
