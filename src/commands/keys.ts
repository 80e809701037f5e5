/** DEL, UNLINK, EXISTS, TOUCH, TYPE. */
import type { Unit } from '../dispatch/unit.ts';
import { TYPE_NAMES } from '../keyspace/entry.ts';
import { GENERIC_EVENT } from '../keyspace/key-events.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';

/** Which arguments of the running DEL named a key that was there; only used when they lie in several shards. */
let removedArgs = new Uint8Array(64);

/** One record per shard with that shard's keys, so that no record names keys of another shard (R16). */
function effectRemovals(unit: Unit, args: Args): void {
  for (let i = 0; i < unit.heldCount; i++) {
    const shard = unit.held[i];
    let keys = 0;
    for (let arg = 1; arg < args.count; arg++) if (removedArgs[arg] === 1 && unit.shardOfArg[arg] === shard) keys++;
    if (keys === 0) continue;
    const effect = unit.effectIn(unit.spaceOf(shard), unit.db, 1 + keys);
    effect.argText('DEL');
    for (let arg = 1; arg < args.count; arg++) {
      if (removedArgs[arg] === 1 && unit.shardOfArg[arg] === shard)
        effect.arg(args.buf, args.starts[arg], args.ends[arg]);
    }
  }
}

export function del(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (removedArgs.length < args.count) removedArgs = new Uint8Array(args.count * 2);
  let removed = 0;
  for (let i = 1; i < args.count; i++) {
    const h = unit.findWrite(i);
    removedArgs[i] = h === 0 ? 0 : 1;
    if (h === 0) continue;
    unit.ks.remove(unit.db, h);
    unit.changed(i, GENERIC_EVENT.del);
    removed++;
  }
  if (removed > 0 && unit.heldCount > 1) effectRemovals(unit, args);
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
