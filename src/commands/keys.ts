/** DEL, UNLINK, EXISTS, TOUCH, TYPE. */
import type { Unit } from '../dispatch/unit.ts';
import { TYPE_NAMES } from '../keyspace/entry.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';

export function del(unit: Unit, args: Args, reply: ReplyWriter): void {
  // keys of several shards are removed in each shard's journal, so no record names keys of another shard (R16)
  const isSpread = unit.heldCount > 1;
  let removed = 0;
  for (let i = 1; i < args.count; i++) {
    const h = unit.findWrite(i);
    if (h === 0) continue;
    unit.ks.remove(unit.db, h);
    if (isSpread) unit.effectDelete(i);
    removed++;
  }
  unit.dirty += removed;
  reply.integer(removed);
}

/** The keyspace frees big values in steps whoever removes them, so UNLINK and DEL do the same. */
export const unlink = del;

export function exists(unit: Unit, args: Args, reply: ReplyWriter): void {
  let found = 0;
  for (let i = 1; i < args.count; i++) if (unit.findPeek(i) !== 0) found++;
  reply.integer(found);
}

export function touch(unit: Unit, args: Args, reply: ReplyWriter): void {
  let found = 0;
  for (let i = 1; i < args.count; i++) if (unit.findRead(i) !== 0) found++;
  reply.integer(found);
}

export function type(unit: Unit, _args: Args, reply: ReplyWriter): void {
  const h = unit.findPeek(1);
  reply.simple(h === 0 ? 'none' : TYPE_NAMES[unit.ks.typeOf(h)]);
}
