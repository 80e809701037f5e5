/** MGET, MSET, MSETNX: several keys in one unit, over as many shards as they lie in. */
import type { Unit } from '../dispatch/unit.ts';
import { NO_DEADLINE, TYPE_STRING } from '../keyspace/entry.ts';
import { STRING_EVENT } from '../keyspace/key-events.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';
import { replyValue, store } from './string-value.ts';

/** So few pairs surely fit into the room that every writing unit has besides its arguments. */
const FEW_PAIRS = 4096;
/** Header, rounding and place in the table of a new entry, beyond its key and value. */
const ENTRY_BYTES = 96;
/** Growth of the table by pages. */
const TABLE_SLACK_BYTES = 1 << 20;

export function mget(unit: Unit, args: Args, reply: ReplyWriter): void {
  reply.array(args.count - 1);
  for (let i = 1; i < args.count; i++) {
    const h = unit.findRead(i);
    const ks = unit.ks;
    if (h === 0 || ks.typeOf(h) !== TYPE_STRING) {
      reply.null();
    } else {
      replyValue(unit, h, reply);
    }
  }
}

/** Is there a value for every key? Otherwise answers the error. */
function pairsComplete(args: Args, reply: ReplyWriter, commandName: string): boolean {
  if ((args.count & 1) === 1) return true;
  reply.error(`ERR wrong number of arguments for '${commandName}' command`);
  return false;
}

/** Makes room for all pairs in every shard (R4); otherwise answers OOM. */
function roomForPairs(unit: Unit, args: Args, reply: ReplyWriter): boolean {
  if (args.count <= FEW_PAIRS * 2) return true;
  const needed = new Float64Array(unit.shards);
  for (let i = 1; i < args.count; i += 2) {
    needed[unit.space(i).shard] += args.length(i) + args.length(i + 1) + ENTRY_BYTES;
  }
  for (let shard = 0; shard < needed.length; shard++) {
    if (needed[shard] === 0 || unit.spaceOf(shard).reserve(needed[shard] + TABLE_SLACK_BYTES)) continue;
    reply.error(ERR.OOM);
    return false;
  }
  return true;
}

function setPairs(unit: Unit, args: Args): void {
  for (let i = 1; i < args.count; i += 2) {
    const h = unit.findWrite(i);
    store(unit, args, i, i + 1, NO_DEADLINE, h);
    unit.changed(i, STRING_EVENT.set);
  }
  // within one shard the command itself is the record
  if (unit.heldCount > 1) for (let i = 0; i < unit.heldCount; i++) effectOfShard(unit, args, unit.held[i]);
}

/** Journals in a shard the MSET of its own pairs. */
function effectOfShard(unit: Unit, args: Args, shard: number): void {
  let pairs = 0;
  for (let i = 1; i < args.count; i += 2) if (unit.space(i).shard === shard) pairs++;
  const effect = unit.effectIn(unit.spaceOf(shard), unit.db, 1 + 2 * pairs);
  effect.argText('MSET');
  for (let i = 1; i < args.count; i += 2) {
    if (unit.space(i).shard !== shard) continue;
    effect.arg(args.buf, args.starts[i], args.ends[i]);
    effect.arg(args.buf, args.starts[i + 1], args.ends[i + 1]);
  }
}

export function mset(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!pairsComplete(args, reply, 'mset') || !roomForPairs(unit, args, reply)) return;
  setPairs(unit, args);
  reply.ok();
}

export function msetnx(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!pairsComplete(args, reply, 'msetnx')) return;
  for (let i = 1; i < args.count; i += 2) if (unit.findWrite(i) !== 0) return reply.integer(0);
  if (!roomForPairs(unit, args, reply)) return;
  setPairs(unit, args);
  reply.integer(1);
}
