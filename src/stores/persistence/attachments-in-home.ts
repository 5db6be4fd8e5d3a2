// Attachment bytes in a home outside the store.
//
//   B1. A key is reserved in a row of its own before its bytes are put, and named by a header in the write that needs them;
//       that write takes the reservation away. So there is never a header without bytes, and no bytes that no row knows.
//   B2. A header that goes leaves its key behind as dropped, in the same write. Dropped bytes are deleted after it, by whoever
//       dropped them, or else by the next sweep; nobody can name them again, for keys are never used twice.
//   B3. A sweep takes reservations by turning them into dropped ones. Whoever made one finds it gone and puts the bytes anew.

import * as z from "zod/mini";
import { attachmentError } from "../../domain/errors.ts";
import { sha256Hex } from "../../domain/sha256.ts";
import type { AttachmentHome } from "../attachment-home.ts";
import type { NewAttachment } from "../content-contract.ts";
import { type Engine, prefixRange, type ReadTransaction } from "../engine.ts";
import { ATTACHMENT_BYTES, type BytesPlace, describeBytes, type PlacedBytes } from "./attachment-bytes.ts";
import { setContent } from "./content.ts";
import type { StoreContext } from "./context.ts";
import { BLOBS, blobKey, textAt } from "./layout.ts";
import { parseRow } from "./schema.ts";

const blobRow = z.union([z.strictObject({ reservedAtMs: z.number() }), z.strictObject({ droppedAtMs: z.number() })]);
const KIND = "attachment home entry";

/** What a write throws that came too late: a sweep took the bytes it was about to name. */
const SWEPT = Symbol("swept");

function swept(): never {
  throw SWEPT;
}

/** Bytes that this write has put. */
interface Fresh extends PlacedBytes {
  readonly key: string;
}

/** A home as a store uses it. */
export function attachmentsIn(home: AttachmentHome): BytesPlace {
  return {
    durable: home.durable,

    async write(context, attachments, body, scope) {
      const byId = new Map(attachments.map((attachment) => [sha256Hex(attachment.bytes), attachment]));
      for (;;) {
        const { fresh, stored } = await placeAll(context, home, byId);
        try {
          return await context.engine.write((tx) => body(tx, [...fresh, ...stored]), scope);
        } catch (error) {
          if (error !== SWEPT) throw error;
        } finally {
          await giveBack(context, home, fresh);
        }
      }
    },

    async read({ engine }, id, found) {
      for (let header = found; header.home !== undefined; ) {
        const bytes = await home.get(header.home);
        if (bytes !== undefined && (await hashOf(bytes)) === id) return { header, bytes };
        const now = await engine.read((tx) => describeBytes(tx, id));
        // Bytes that were deleted, and perhaps put again, while they were read are no damage.
        if (now === undefined) return undefined;
        if (now.home === header.home) throw damaged(id, home.name, bytes === undefined ? "missing" : "changed");
        header = now;
      }
      return undefined;
    },

    async clear({ engine, now }, cutoffMs = Number.NEGATIVE_INFINITY) {
      const rows = await engine.read((tx) => tx.range(...prefixRange(BLOBS)));
      const entries = rows.map(({ key, value }) => ({ key: textAt(key, 1), row: parseRow(blobRow, KIND, key, value) }));
      const dropped = entries.filter(({ row }) => "droppedAtMs" in row).map(({ key }) => key);
      const aged = entries.filter(({ row }) => "reservedAtMs" in row && row.reservedAtMs <= cutoffMs).map(({ key }) => key);
      const droppedAtMs = now();
      const taken = aged.length === 0 ? [] : await engine.write((tx) => {
        const still: string[] = [];
        // One that is gone was named or given back meanwhile.
        for (const key of aged) if (tx.get(blobKey(key)) !== undefined) still.push(key);
        for (const key of still) tx.set(blobKey(key), { droppedAtMs });
        return still;
      });
      await remove(engine, home, [...dropped, ...taken]);
      return taken.length;
    },
  };
}

/** Puts what is not there yet under keys of its own, each reserved before its bytes are written (B1). */
async function placeAll(
  { engine, now }: StoreContext,
  home: AttachmentHome,
  byId: ReadonlyMap<string, NewAttachment>,
): Promise<{ readonly fresh: readonly Fresh[]; readonly stored: readonly PlacedBytes[] }> {
  const known = await engine.read((tx) => {
    const found = new Set<string>();
    for (const id of byId.keys()) if (describeBytes(tx, id) !== undefined) found.add(id);
    return found;
  });
  const missing = [...byId].filter(([id]) => !known.has(id)).map(([id, attachment]) => ({ id, ...attachment, key: `${id}.${randomHex()}` }));
  if (missing.length > 0) {
    const reservedAtMs = now();
    await engine.write((tx) => {
      for (const { key } of missing) tx.set(blobKey(key), { reservedAtMs });
    });
  }
  // One after another: images are few and large, and a home that fails is asked for no more of them.
  for (const { key, bytes } of missing) await home.put(key, bytes);
  return {
    fresh: missing.map((placed) => ({ id: placed.id, key: placed.key, set: (tx) => name(tx, placed) })),
    stored: [...known].map((id) => ({ id, set: swept })),
  };
}

function name(tx: Parameters<PlacedBytes["set"]>[0], { id, key, mime, bytes }: NewAttachment & { readonly id: string; readonly key: string }): void {
  const reservation = tx.get(blobKey(key));
  if (reservation === undefined || "droppedAtMs" in parseRow(blobRow, KIND, blobKey(key), reservation)) throw SWEPT;
  tx.delete(blobKey(key));
  setContent(tx, ATTACHMENT_BYTES, { id, bytes: bytes.length, pieces: [], mime, home: key });
}

/** Removes what the write made no use of: it failed, or somebody else had put the same bytes meanwhile. */
async function giveBack({ engine, now }: StoreContext, home: AttachmentHome, fresh: readonly Fresh[]): Promise<void> {
  const unnamed = (tx: ReadTransaction): string[] => {
    const keys: string[] = [];
    for (const { id, key } of fresh) if (describeBytes(tx, id)?.home !== key) keys.push(key);
    return keys;
  };
  try {
    if ((await engine.read(unnamed)).length === 0) return;
    const droppedAtMs = now();
    const keys = await engine.write((tx) => {
      const found = unnamed(tx);
      for (const key of found) tx.set(blobKey(key), { droppedAtMs });
      return found;
    });
    await remove(engine, home, keys);
  } catch {
    // What the write came to is what counts; rows still know these bytes, and the next sweep removes them.
  }
}

/** Deletes bytes, and then the rows that knew them (B2). */
async function remove(engine: Engine, home: AttachmentHome, keys: readonly string[]): Promise<void> {
  if (keys.length === 0) return;
  for (const key of keys) await home.delete(key);
  await engine.write((tx) => {
    for (const key of keys) tx.delete(blobKey(key));
  });
}

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
