/** DBSIZE, FLUSHDB, FLUSHALL, SWAPDB: whole databases, under the latches of all shards, one record in each shard's journal. */
import type { Unit } from '../dispatch/unit.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';
import { int32Argument } from './integer-arguments.ts';

export function dbsize(unit: Unit, _args: Args, reply: ReplyWriter): void {
  let keys = 0;
  for (let i = 0; i < unit.heldCount; i++) keys += unit.spaceOf(unit.held[i]).count(unit.db);
  reply.integer(keys);
}

/** ASYNC and SYNC are both allowed; dropped tables are freed in steps either way, and invisible at once. */
function flushModeFits(args: Args): boolean {
  return (
    args.count === 1 || (args.count === 2 && (args.equalsIgnoreCase(1, 'sync') || args.equalsIgnoreCase(1, 'async')))
  );
}

function flushDatabase(unit: Unit, ks: Keyspace, db: number): void {
  unit.dirty += unit.flush(ks, db);
}

export function flushdb(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!flushModeFits(args)) return reply.error(ERR.SYNTAX);
  for (let i = 0; i < unit.heldCount; i++) {
    const ks = unit.spaceOf(unit.held[i]);
    unit.effectIn(ks, unit.db, 1).argText('FLUSHDB');
    flushDatabase(unit, ks, unit.db);
  }
  unit.dirty++;
  reply.ok();
}

export function flushall(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!flushModeFits(args)) return reply.error(ERR.SYNTAX);
  for (let i = 0; i < unit.heldCount; i++) {
    const ks = unit.spaceOf(unit.held[i]);
    unit.effectIn(ks, unit.db, 1).argText('FLUSHALL');
    for (let db = 0; db < ks.databases; db++) flushDatabase(unit, ks, db);
  }
  unit.dirty++;
  reply.ok();
}

export function swapdb(unit: Unit, args: Args, reply: ReplyWriter): void {
  const a = int32Argument(args, 1, reply, 'ERR invalid first DB index');
  if (Number.isNaN(a)) return;
  const b = int32Argument(args, 2, reply, 'ERR invalid second DB index');
  if (Number.isNaN(b)) return;
  const databases = unit.spaceOf(unit.held[0]).databases;
  if (a < 0 || a >= databases || b < 0 || b >= databases) return reply.error(ERR.DB_INDEX);
  for (let i = 0; i < unit.heldCount; i++) {
    const ks = unit.spaceOf(unit.held[i]);
    const effect = unit.effectIn(ks, unit.db, 3);
    effect.argText('SWAPDB');
    effect.argNumber(a);
    effect.argNumber(b);
    unit.noteSwap(ks, a, b);
    ks.swap(a, b);
  }
  unit.dirty++;
  reply.ok();
}
