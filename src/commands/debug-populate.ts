/** DEBUG POPULATE: many keys at once, for tests. */
import type { Unit } from '../dispatch/unit.ts';
import { NO_DEADLINE } from '../keyspace/entry.ts';
import { slotMap, slotOf } from '../keyspace/slot.ts';
import type { Args } from '../resp/args.ts';
import { parseInteger } from '../resp/numbers.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR, wrongFormError } from './errors.ts';

/** What a key takes in memory and in the journal besides its own bytes and those of its value, generously. */
const EXTRA_BYTES = 1024;
const MAX_SIZE_BYTES = 1 << 29;

/** DEBUG POPULATE count [prefix] [size]: `prefix:n` = `value:n`, with zeros up to `size`; keys that are there stay. */
export function debugPopulate(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (args.count < 3 || args.count > 5) return reply.error(wrongFormError(args, 'DEBUG'));
  const count = parseInteger(args.buf, args.starts[2], args.ends[2]);
  const size = args.count > 4 ? parseInteger(args.buf, args.starts[4], args.ends[4]) : 0;
  if (!(count >= 0) || !(size >= 0) || size > MAX_SIZE_BYTES) return reply.error(ERR.NOT_INTEGER);
  const prefix = args.count > 3 ? args.text(3) : 'key';
  const shardOfSlot = slotMap(unit.shards);
  for (let n = 0; n < count; n++) {
    const key = Buffer.from(`${prefix}:${n}`, 'latin1');
    const value = fillerOf(n, size);
    if (!addKey(unit, shardOfSlot[slotOf(key, 0, key.length)], key, value)) return reply.error(ERR.OOM);
  }
  reply.ok();
}

function fillerOf(n: number, size: number): Buffer {
  const text = Buffer.from(`value:${n}`, 'latin1');
  if (size === 0) return text;
  const value = Buffer.alloc(size);
  text.copy(value);
  return value;
}

/** False: there is no room; what was added before stays. */
function addKey(unit: Unit, shard: number, key: Buffer, value: Buffer): boolean {
  const ks = unit.spaceOf(shard);
  const { db } = unit;
  const hash = ks.hasher.hash(key, 0, key.length);
  if (ks.find(db, hash, key, 0, key.length) !== 0) return true;
  const bytes = key.length + value.length + EXTRA_BYTES;
  const journal = unit.journals[shard];
  if (!ks.reserve(bytes)) return false;
  if (journal.enabled && !journal.reserve(unit.stagedBytes(journal) + bytes)) return false;
  ks.setString(db, hash, key, 0, key.length, value, 0, value.length, NO_DEADLINE, 0);
  const effect = unit.effectIn(ks, db, 3);
  effect.argText('SET');
  effect.arg(key, 0, key.length);
  effect.arg(value, 0, value.length);
  unit.dirty++;
  return true;
}
