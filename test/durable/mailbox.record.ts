// Where a mailbox is written: a handful of rows on any engine.

import { storeError } from "../../src/domain/errors.ts";
import type { Json } from "../../src/domain/json.ts";
import type { ClaimAnswer, DurableRecord, EndAnswer, Held, ParkAnswer, ParkUntil, StepAnswer, StepDraft, SureWrite } from "../../src/actors/durable/contract.ts";
import { type Engine, prefixRange, type ReadTransaction, type WriteTransaction } from "../../src/stores/engine.ts";
import type { JournalEntry, MachineSnapshot } from "../../src/stores/contract.ts";
import type { MailTypes } from "./mailbox.machine.ts";

interface BoxRow {
  readonly step: number;
  readonly journal: readonly JournalEntry[];
  readonly issued: readonly string[];
  readonly snapshot?: MachineSnapshot;
  readonly lease?: string;
  readonly parked?: ParkUntil;
  /** Letters by the key of the effect that claimed them. */
  readonly claims: Readonly<Record<string, readonly string[]>>;
  readonly cancelled?: true;
  readonly result?: MailTypes["result"];
}

const FRESH: BoxRow = { step: 0, journal: [], issued: [], claims: {} };
const boxKey = (id: string) => ["box", id] as const;
const letterKey = (id: string, n: number) => ["letter", id, n] as const;
const answerKey = (id: string) => ["answer", id] as const;

const boxOf = async (tx: ReadTransaction, id: string): Promise<BoxRow> => ((await tx.get(boxKey(id))) as unknown as BoxRow | undefined) ?? FRESH;
const setBox = (tx: WriteTransaction, id: string, row: BoxRow): void => tx.set(boxKey(id), JSON.parse(JSON.stringify(row)) as Json);

export const post = (engine: Engine, id: string, n: number, text: string): Promise<void> => engine.write(async (tx) => tx.set(letterKey(id, n), text));
export const answer = (engine: Engine, id: string, text: string): Promise<void> => engine.write(async (tx) => tx.set(answerKey(id), text));
export const answerOf = (engine: Engine, id: string): Promise<string | undefined> => engine.read(async (tx) => (await tx.get(answerKey(id))) as string | undefined);
export const cancelBox = (engine: Engine, id: string): Promise<void> => engine.write(async (tx) => setBox(tx, id, { ...(await boxOf(tx, id)), cancelled: true }));
export const readBox = (engine: Engine, id: string): Promise<BoxRow> => engine.read((tx) => boxOf(tx, id));

export class MailRecord implements DurableRecord<MailTypes> {
  readonly isDurable = true;
  readonly #engine: Engine;
  readonly #id: string;
  readonly #owner: string;
  readonly #isDead: (owner: string) => boolean;
  readonly #lost = new AbortController();
  #isOfficeOpen = false;

  constructor(engine: Engine, id: string, owner: string, isDead: (owner: string) => boolean) {
    this.#engine = engine;
    this.#id = id;
    this.#owner = owner;
    this.#isDead = isDead;
  }

  openOffice(): void {
    this.#isOfficeOpen = true;
  }

  async claim(): Promise<ClaimAnswer<MailTypes>> {
    if (!this.#isOfficeOpen) return { kind: "notYet", first: "post office opens" };
    const attempt = (): Promise<ClaimAnswer<MailTypes>> =>
      this.#engine.write(async (tx): Promise<ClaimAnswer<MailTypes>> => {
        const box = await boxOf(tx, this.#id);
        if (box.result) return { kind: "over", result: box.result };
        if (box.lease !== undefined && box.lease !== this.#owner && !this.#isDead(box.lease)) return { kind: "elsewhere", holder: box.lease };
        const { parked: _, ...kept } = box;
        setBox(tx, this.#id, { ...kept, lease: this.#owner });
        return { kind: "held", held: this.#held(), start: { snapshot: box.snapshot }, step: box.step, journal: box.journal, issued: box.issued };
      });
    // Asked again, it answers the same.
    return attempt().catch(attempt);
  }

  #held(): Held<MailTypes["fence"]> {
    const fence = { token: this.#owner };
    const release = (): Promise<void> =>
      this.#engine.write(async (tx) => {
        const { lease, ...box } = await boxOf(tx, this.#id);
        if (lease === this.#owner) setBox(tx, this.#id, box);
      });
    return {
      fence,
      lost: this.#lost.signal,
      ensureLive: async () => undefined,
      ending: () => undefined,
      goingOn: () => undefined,
      letGo: async (how) => (how === "release" ? release().catch(() => undefined) : undefined),
    };
  }

  step(fence: MailTypes["fence"], draft: StepDraft<MailTypes>): SureWrite<StepAnswer<MailTypes>> {
    return {
      write: () => this.#engine.write((tx) => this.#writeStep(tx, fence, draft)),
      find: async () => {
        const box = await this.#mine();
        if (box.step < draft.number) return undefined;
        return async () => ({ kind: "recorded", brought: draft.extra && (box.claims[draft.extra.collect] ?? []), ...(box.cancelled && { cancel: true }) });
      },
    };
  }

  async #writeStep(tx: WriteTransaction, { token }: MailTypes["fence"], draft: StepDraft<MailTypes>): Promise<StepAnswer<MailTypes>> {
    const box = await boxOf(tx, this.#id);
    if (box.result) return { kind: "over" };
    this.#check(box, token);
    if (draft.number !== box.step + 1) throw storeError("turn_step_conflict", `step ${draft.number} does not follow ${box.step}`);
    let { claims } = box;
    if (draft.extra) {
      const letters = await tx.range(...prefixRange(["letter", this.#id]));
      for (const { key } of letters) tx.delete(key);
      claims = { ...claims, [draft.extra.collect]: letters.map(({ value }) => String(value)) };
    }
    setBox(tx, this.#id, { ...box, step: draft.number, journal: [...box.journal, ...draft.settled], issued: draft.issued, claims, ...(draft.snapshot && { snapshot: draft.snapshot }) });
    return { kind: "recorded", ...(draft.extra && { brought: claims[draft.extra.collect] ?? [] }), ...(box.cancelled && { cancel: true }) };
  }

  park(fence: MailTypes["fence"], draft: StepDraft<MailTypes>, until: ParkUntil): SureWrite<ParkAnswer<MailTypes>> {
    return {
      write: () =>
        this.#engine.write(async (tx) => {
          const there = await tx.get(answerKey(this.#id));
          const step = await this.#writeStep(tx, fence, draft);
          if (step.kind === "over") throw storeError("session_execution_lease_expired", `box ${this.#id} has ended`);
          if (there !== undefined) return { kind: "answered", ...(step.cancel && { cancel: step.cancel }) };
          const { lease: _, ...box } = await boxOf(tx, this.#id);
          setBox(tx, this.#id, { ...box, parked: until });
          return { kind: "parked" };
        }),
      find: async () => {
        const box = await readBox(this.#engine, this.#id);
        if (box.step >= draft.number) return async () => ({ kind: box.lease === this.#owner ? "answered" : "parked" });
        this.#check(box, this.#owner);
        return undefined;
      },
    };
  }

  end({ token }: MailTypes["fence"], ending: MailTypes["ending"]): SureWrite<EndAnswer<MailTypes>> {
    const write = (): Promise<EndAnswer<MailTypes>> =>
      this.#engine.write(async (tx): Promise<EndAnswer<MailTypes>> => {
        const box = await boxOf(tx, this.#id);
        if (box.result) return { kind: "ended", result: box.result };
        this.#check(box, token);
        const [waiting] = await tx.range(...prefixRange(["letter", this.#id]), { limit: 1 });
        if (waiting && !ending.isCancelled) return { kind: "refused", why: "mailWaits" };
        const { lease: _, ...kept } = box;
        setBox(tx, this.#id, { ...kept, result: ending });
        return { kind: "ended", result: ending };
      });
    return { write, find: async () => ((await readBox(this.#engine, this.#id)).result ? write : undefined) };
  }

  async #mine(): Promise<BoxRow> {
    const box = await readBox(this.#engine, this.#id);
    this.#check(box, this.#owner);
    return box;
  }

  #check({ lease }: BoxRow, token: string): void {
    if (lease !== token) throw storeError("session_execution_lease_expired", `box ${this.#id} is held by ${lease ?? "nobody"}`);
  }

  /** Letters that the box has claimed under that key before. */
  claimed(key: string): Promise<readonly string[] | undefined> {
    return readBox(this.#engine, this.#id).then(({ claims }) => claims[key]);
  }
}
