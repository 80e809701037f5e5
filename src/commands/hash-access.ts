/** What the hash commands share: opening a hash, noting what it has become, its values as replies, room for its growth. */
import { MAX_FIELD_BYTES } from '../datatypes/hash-fields.ts';
import type { Hashes } from '../datatypes/hash-value.ts';
import type { Unit } from '../dispatch/unit.ts';
import { MAX_LATCHED_COPY_BYTES, NO_DEADLINE, TYPE_HASH } from '../keyspace/entry.ts';
import { GENERIC_EVENT } from '../keyspace/key-events.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';
import { typedRead, typedWrite } from './typed-entry.ts';

// constants of this module are immediates in compiled code
const HASH = TYPE_HASH;
const MAX_LATCHED_BYTES = MAX_LATCHED_COPY_BYTES;
const MAX_FIELD = MAX_FIELD_BYTES;
const LIST = 0;
const FIELD_TOO_LONG = `ERR field is too long: ${MAX_FIELD_BYTES} bytes at most`;
/** Up to so many fields and bytes, growth fits into the room that every writing unit has besides its own arguments. */
const FREE_PAIRS = 64;
const FREE_BYTES = 64 * 1024;

/** Looks key argument 1 up for reading: true, and its hash is open, or absent (unit.entry 0); false after WRONGTYPE. */
export function readHash(unit: Unit, reply: ReplyWriter): boolean {
  if (!typedRead(unit, 1, HASH, reply)) return false;
  if (unit.entry !== 0) openEntry(unit);
  return true;
}

/** As readHash, for a write. */
export function writeHash(unit: Unit, reply: ReplyWriter): boolean {
  if (!typedWrite(unit, 1, HASH, reply)) return false;
  if (unit.entry !== 0) openEntry(unit);
  return true;
}

function openEntry(unit: Unit): void {
  const { ks, entry } = unit;
  ks.values.hashes.open(ks.structure(entry), ks.encodingOf(entry), unit.nowMs);
}

/** Makes the open hash the value of key argument 1, which is absent. */
export function createHash(unit: Unit, args: Args): void {
  const { ks } = unit;
  const { root, encoding } = ks.values.hashes;
  const { buf, starts, ends } = args;
  const hash = unit.hashOf(1);
  unit.entry = ks.createStructure(unit.db, hash, buf, starts[1], ends[1], HASH, root, encoding, NO_DEADLINE, 0);
}

/** Notes what the open hash of unit.entry has become; an emptied one goes with its key. Its own event comes before. */
export function noteHash(unit: Unit): void {
  const { ks, entry, db } = unit;
  const { hashes } = ks.values;
  ks.fieldDeadlines.settle(db, entry);
  ks.setStructure(entry, hashes.root, hashes.encoding);
  if (hashes.allFields() !== 0) return;
  ks.remove(db, entry);
  unit.entry = 0;
  unit.changed(1, GENERIC_EVENT.del, 0);
}

/** The value at a place of the open hash as a bulk reply; many bytes leave the latch as a pin. */
export function replyValueAt(unit: Unit, hashes: Hashes, place: number, reply: ReplyWriter): void {
  hashes.loadValue(place);
  const { vBuf, vStart, vEnd } = hashes;
  if (vEnd - vStart <= MAX_LATCHED_BYTES || hashes.block === 0) reply.bulkView(hashes.vView, vBuf, vStart, vEnd);
  else unit.large.replyBlock(unit.ks.arena, hashes.block, vBuf, vStart, vEnd, reply);
}

/**
 * Room for `pairs` fields with values, which take the arguments from `first` on; the hash is open if unit.entry is not 0. False
 * after an error reply: no room, or (fields in steps of `step`) one is too long.
 */
export function roomForPairs(
  unit: Unit,
  args: Args,
  first: number,
  step: number,
  pairs: number,
  reply: ReplyWriter,
): boolean {
  const { hashes } = unit.ks.values;
  const bytes = args.ends[args.count - 1] - args.starts[first];
  if (bytes > MAX_FIELD) {
    for (let i = first; i < args.count; i += step) {
      if (args.length(i) <= MAX_FIELD) continue;
      reply.error(FIELD_TOO_LONG);
      return false;
    }
  }
  const isNew = unit.entry === 0;
  const list = isNew || hashes.encoding !== LIST ? 0 : hashes.list.bytes(hashes.root);
  if (pairs <= FREE_PAIRS && bytes <= FREE_BYTES && list <= FREE_BYTES / 4) return true;
  const own = bytes - unit.large.privateBytes;
  if (unit.reserve(isNew ? hashes.newBytes(pairs, own) : hashes.growthBytes(pairs, own))) return true;
  reply.error(ERR.OOM);
  return false;
}
