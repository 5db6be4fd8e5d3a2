import { mkdtempSync, rmSync, statSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os"; import { join } from "node:path";
import { systemClock } from "../src/domain/clock.ts";
import { createPersistence } from "../src/stores/persistence/index.ts";
import { sqliteEngine } from "../src/stores/sqlite/index.ts";
import { runToolTurn, toolTurn, toolTurnLeaf, fenceOf } from "../src/testing/persistence-fixtures.ts";
const folder = mkdtempSync(join(tmpdir(), "lash-rows-")); const path = join(folder, "store.db");
const store = createPersistence(sqliteEngine(path), { clock: systemClock });
const N = Number(process.argv[2] ?? 100);
for (let i=0;i<N;i++) await runToolTurn(store,"chat-0",i);
await store.close();
const s2 = createPersistence(sqliteEngine(path), { clock: systemClock });
const pagesOf = (from: number) => { const b = readFileSync(path+"-wal"); const out:number[]=[]; for (let at=32+from*2072; at<b.length; at+=2072) out.push(b.readUInt32BE(at)); return out; };
let seen = 0;
const show = (l: string) => { const p = pagesOf(seen); seen += p.length; console.log(l, p.length, p.join(" ")); };
for (let i=N;i<N+4;i++){
 const t = toolTurn({sessionId:"chat-0", index:i, parent: toolTurnLeaf(i-1)});
 const o = await s2.turns.accept(t.accept); if (o.kind!=="accepted") throw 1; show("accept");
 const f = fenceOf(o.lease); const [a,b] = t.steps(f);
 await s2.turns.recordStep(a!); show("step1"); await s2.turns.recordStep(b!); show("step2");
 if (i===N) { const { DatabaseSync } = await import("node:sqlite"); const d = new DatabaseSync(path,{readOnly:true}); for (const r of d.prepare("select length(key) k, length(value) v, cast(key as text) t, substr(value,1,4000) val from entries order by key").all() as any[]) if (r.v>0 && !String(r.t).includes("turn-") ) console.log(r.k, r.v, JSON.stringify(r.t).slice(0,60), String(r.val).slice(0,700)); d.close(); }
 await s2.sessions.commit(t.commit(f)); show("commit");
}
await s2.close(); rmSync(folder,{recursive:true});
