// Bytes of attachments: in pieces beside their header, or in a home outside the store under a key that the header names.
//
//   B1. A key is reserved in a row of its own before its bytes are put, and named by a header in the write that needs them;
//       that write takes the reservation away. So there is never a header without bytes, and no bytes that no row knows.
//   B2. A header that goes leaves its key behind as dropped, in the same write. Dropped bytes are deleted after it, by whoever
//       dropped them, or else by the next sweep; nobody can name them again, for keys are never used twice.
//   B3. A sweep takes reservations by turning them into dropped ones. Whoever made one finds it gone and puts the bytes anew.

import * as z from "zod/mini";
import { attachmentError, wiringError } from "../../domain/errors.ts";
import { sha256Hex } from "../../domain/sha256.ts";
import type { AttachmentHome } from "../attachment-home.ts";
import type { NewAttachment } from "../content-contract.ts";
import { type Engine, prefixRange, type ReadTransaction, type WriteTransaction } from "../engine.ts";
import { type ContentHeader, deleteContent, describeContent, getBytes, hasContent, type PreparedContent, setContent, withId } from "./content.ts";
import type { StoreContext } from "./context.ts";
import { BLOBS, blobKey, textAt } from "./layout.ts";
import { parseRow } from "./schema.ts";

/** Space of attachment bytes in content.ts. */
export const ATTACHMENT_BYTES = "attachment";

const blobRow = z.union([z.strictObject({ reservedAtMs: z.number() }), z.strictObject({ droppedAtMs: z.number() })]);
const KIND = "attachment home entry";

/** Bytes that a write may refer to: ready to be set, waiting in the home, or stored when this was made. */
export type PlacedBytes = PreparedContent | { readonly id: string; readonly isStored: true };

/** What a write throws that came too late: a sweep took the bytes it was about to name. */
const SWEPT = Symbol("swept");

/** A write that refers to new bytes. They are in their place before it begins (S-77, E4). */
export async function writeWithBytes<T>(
  context: StoreContext,
  attachments: readonly NewAttachment[],
  body: (tx: WriteTransaction, placed: readonly PlacedBytes[]) => Promise<T>,
): Promise<T> {
  const { engine, home } = context;
  if (home === undefined || attachments.length === 0) {
    const prepared = attachments.map(({ bytes, mime }): PreparedContent => ({ ...withId(sha256Hex(bytes), bytes), mime }));
    return engine.write((tx) => body(tx, prepared));
  }
  const byId = new Map(attachments.map((attachment) => [sha256Hex(attachment.bytes), attachment]));
  for (;;) {
    const placed = await place(context, home, byId);
    try {
      return await engine.write((tx) => body(tx, placed));
    } catch (error) {
      if (error !== SWEPT) throw error;
    } finally {
      await giveBack(context, placed);
    }
  }
}

/** Puts what is not there yet under keys of its own, each reserved before its bytes are written (B1). */
async function place({ engine, now }: StoreContext, home: AttachmentHome, byId: ReadonlyMap<string, NewAttachment>): Promise<readonly PlacedBytes[]> {
  const stored = await engine.read(async (tx) => {
    const found = new Set<string>();
    for (const id of byId.keys()) if (await hasContent(tx, ATTACHMENT_BYTES, id)) found.add(id);
    return found;
  });
  const missing = [...byId].filter(([id]) => !stored.has(id));
  const fresh = missing.map(([id, { bytes, mime }]) => ({ id, bytes: bytes.length, pieces: [], mime, home: `${id}.${randomHex()}` }));
  if (fresh.length > 0) {
    const reservedAtMs = now();
    await engine.write(async (tx) => {
      for (const { home: key } of fresh) tx.set(blobKey(key), { reservedAtMs });
    });
  }
  // One after another: images are few and large, and a home that fails is asked for no more of them.
  for (const { id, home: key } of fresh) await home.put(key, (byId.get(id) as NewAttachment).bytes);
  return [...fresh, ...[...stored].map((id) => ({ id, isStored: true as const }))];
}

/** Names the bytes, unless a header for them is there already. */
export async function setBytes(tx: WriteTransaction, placed: PlacedBytes): Promise<void> {
  if (await hasContent(tx, ATTACHMENT_BYTES, placed.id)) return;
  if ("isStored" in placed) throw SWEPT;
  if (placed.home !== undefined) {
    const reservation = await tx.get(blobKey(placed.home));
    if (reservation === undefined || "droppedAtMs" in parseRow(blobRow, KIND, blobKey(placed.home), reservation)) throw SWEPT;
    tx.delete(blobKey(placed.home));
  }
  setContent(tx, ATTACHMENT_BYTES, placed);
}

/** Removes what the write made no use of: it failed, or somebody else had put the same bytes meanwhile. */
async function giveBack({ engine, home, now }: StoreContext, placed: readonly PlacedBytes[]): Promise<void> {
  const unnamed = async (tx: ReadTransaction): Promise<string[]> => {
    const keys: string[] = [];
    for (const each of placed) {
      if (!("home" in each) || each.home === undefined) continue;
      if ((await describeContent(tx, ATTACHMENT_BYTES, each.id))?.home !== each.home) keys.push(each.home);
    }
    return keys;
  };
  try {
    if ((await engine.read(unnamed)).length === 0) return;
    const droppedAtMs = now();
    const keys = await engine.write(async (tx) => {
      const found = await unnamed(tx);
      for (const key of found) tx.set(blobKey(key), { droppedAtMs });
      return found;
    });
    await remove(engine, home as AttachmentHome, keys);
  } catch {
    // What the write came to is what counts; rows still know these bytes, and the next sweep removes them.
  }
}

/** Deletes bytes, and then the rows that knew them (B2). */
async function remove(engine: Engine, home: AttachmentHome, keys: readonly string[]): Promise<void> {
  for (const key of keys) await home.delete(key);
  await engine.write(async (tx) => {
    for (const key of keys) tx.delete(blobKey(key));
  });
}

/** @throws LashError `attachment_not_found`, `attachment_damaged`, `missing_attachment_store`. */
export async function readBytes({ engine, home }: StoreContext, id: string): Promise<{ readonly header: ContentHeader; readonly bytes: Uint8Array }> {
  const describe = (tx: ReadTransaction): Promise<ContentHeader | undefined> => describeContent(tx, ATTACHMENT_BYTES, id);
  const notFound = () => attachmentError("attachment_not_found", `there is no attachment ${id}`, { details: { attachmentId: id } });
  let { header, bytes } = await engine.read(async (tx) => {
    const found = await describe(tx);
    return { header: found, bytes: found?.home === undefined ? await getBytes(tx, ATTACHMENT_BYTES, id) : undefined };
  });
  for (;;) {
    if (header === undefined) throw notFound();
    if (header.home === undefined) {
      if (bytes === undefined) throw notFound();
      return { header, bytes };
    }
    if (home === undefined) throw elsewhere(id, engine.name);
    bytes = await home.get(header.home);
    if (bytes !== undefined && (await hashOf(bytes)) === id) return { header, bytes };
    const now = await engine.read(describe);
    // Bytes that were deleted, and perhaps put again, while they were read are no damage.
    if (now?.home === header.home) throw damaged(id, home.name, bytes === undefined ? "missing" : "changed");
    header = now;
  }
}

/** Forgets where the bytes are; `clearDropped` deletes them once this is durable. */
export async function dropBytes(tx: WriteTransaction, id: string, droppedAtMs: number): Promise<void> {
  const home = (await describeContent(tx, ATTACHMENT_BYTES, id))?.home;
  if (home !== undefined) tx.set(blobKey(home), { droppedAtMs });
  await deleteContent(tx, ATTACHMENT_BYTES, id);
}

/**
 * Deletes what was dropped from the home.
 *
 * @param cutoffMs - reservations up to then are taken as dropped, too: what put them is dead (B3).
 * @returns how many reservations that were.
 */
export async function clearDropped({ engine, home, now }: StoreContext, cutoffMs = Number.NEGATIVE_INFINITY): Promise<number> {
  if (home === undefined) return 0;
  const rows = await engine.read((tx) => tx.range(...prefixRange(BLOBS)));
  const entries = rows.map(({ key, value }) => ({ key: textAt(key, 1), row: parseRow(blobRow, KIND, key, value) }));
  const dropped = entries.filter(({ row }) => "droppedAtMs" in row).map(({ key }) => key);
  const aged = entries.filter(({ row }) => "reservedAtMs" in row && row.reservedAtMs <= cutoffMs).map(({ key }) => key);
  if (dropped.length + aged.length === 0) return 0;
  const droppedAtMs = now();
  const taken = aged.length === 0 ? [] : await engine.write(async (tx) => {
    const still: string[] = [];
    // One that is gone was named or given back meanwhile.
    for (const key of aged) if ((await tx.get(blobKey(key))) !== undefined) still.push(key);
    for (const key of still) tx.set(blobKey(key), { droppedAtMs });
    return still;
  });
  await remove(engine, home, [...dropped, ...taken]);
  return taken.length;
}

const elsewhere = (attachmentId: string, store: string) =>
  wiringError("missing_attachment_store", `the bytes of attachment ${attachmentId} are not in ${store} but in a home of their own; open the store with the \`attachments\` it was written with`, { details: { attachmentId } });

const damaged = (attachmentId: string, home: string, problem: "missing" | "changed") =>
  attachmentError("attachment_damaged", `the bytes of attachment ${attachmentId} in ${home} are ${problem === "missing" ? "missing" : "not those that were put there"}; restore them from a backup`, {
    details: { attachmentId, home, problem },
  });

/** WebCrypto hashes megabytes without holding up the event loop; pages outside a secure context have none. */
async function hashOf(bytes: Uint8Array): Promise<string> {
  const { subtle } = crypto as { readonly subtle?: SubtleCrypto };
  return subtle === undefined ? sha256Hex(bytes) : hex(new Uint8Array(await subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>)));
}

const randomHex = (): string => hex(crypto.getRandomValues(new Uint8Array(8)));
const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
