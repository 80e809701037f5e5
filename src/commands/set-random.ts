/** SPOP and SRANDMEMBER: members by chance, each with the same. */
import { SET_ENCODING, SetCursor, type Sets } from '../datatypes/set-value.ts';
import type { Unit } from '../dispatch/unit.ts';
import { TYPE_SET } from '../keyspace/entry.ts';
import { GENERIC_EVENT, SET_EVENT } from '../keyspace/key-events.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';
import { drawnCount, drawRepeatedly } from './repeated-draws.ts';
import { replyMembers } from './set-read.ts';
import { settleRemoval } from './set-store.ts';
import { atLeastArgument } from './sorted-set-arguments.ts';
import { typedRead, typedWrite } from './typed-entry.ts';

/** Members that one journal record of a SPOP removes at most. */
const MEMBERS_PER_RECORD = 1024;
/** Where at most one of so many members is wanted they are picked one by one, else all are gone through. */
const FEW_OF = 3;

const cursor = new SetCursor();

export function spop(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (args.count > 3) return reply.error(ERR.SYNTAX);
  const isCounted = args.count === 3;
  const count = isCounted ? atLeastArgument(args, 2, 0, reply, ERR.NOT_POSITIVE) : 1;
  if (Number.isNaN(count) || !typedWrite(unit, 1, TYPE_SET, reply)) return;
  const { ks, entry } = unit;
  if (entry === 0 || count === 0) {
    if (isCounted) reply.set(0);
    else reply.null();
    return;
  }
  const { sets } = ks.values;
  const root = ks.structure(entry);
  const encoding = ks.encodingOf(entry);
  const present = sets.count(root, encoding);
  if (isCounted && count >= present) return popAll(unit, entry, present, reply);
  if (isCounted) reply.set(count);
  popSome(unit, args, entry, count, reply);
}

function popAll(unit: Unit, entry: number, present: number, reply: ReplyWriter): void {
  const { ks } = unit;
  replyMembers(ks.values.sets, ks.structure(entry), ks.encodingOf(entry), reply);
  ks.remove(unit.db, entry);
  unit.changed(1, SET_EVENT.spop, present);
  unit.changed(1, GENERIC_EVENT.del, 0);
  unit.effectDelete(1);
}

/** Takes `count` members out of the set, which has at least as many, answers and journals them. */
function popSome(unit: Unit, args: Args, entry: number, count: number, reply: ReplyWriter): void {
  const { ks } = unit;
  const { sets } = ks.values;
  const { buf, starts, ends } = args;
  sets.root = ks.structure(entry);
  sets.encoding = ks.encodingOf(entry);
  for (let left = count; left > 0; ) {
    const members = Math.min(left, MEMBERS_PER_RECORD);
    const effect = unit.effect(1, 2 + members);
    effect.argText('SREM');
    effect.arg(buf, starts[1], ends[1]);
    for (let i = 0; i < members; i++) {
      sets.pick(sets.root, sets.encoding, unit.random32);
      reply.bulkView(sets.mView, sets.mBuf, sets.mStart, sets.mEnd);
      effect.arg(sets.mBuf, sets.mStart, sets.mEnd);
      sets.removePicked(sets.root, sets.encoding);
    }
    left -= members;
  }
  settleRemoval(unit, 1, entry, sets, SET_EVENT.spop, count);
}

export function srandmember(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (args.count > 3) return reply.error(ERR.SYNTAX);
  const isCounted = args.count === 3;
  const count = isCounted ? drawnCount(args, '', reply) : 1;
  if (Number.isNaN(count) || !typedRead(unit, 1, TYPE_SET, reply)) return;
  const { ks, entry } = unit;
  if (entry === 0 || count === 0) {
    if (isCounted) reply.emptyArray();
    else reply.null();
    return;
  }
  const { sets } = ks.values;
  const root = ks.structure(entry);
  const encoding = ks.encodingOf(entry);
  if (isCounted && count > 0) return replyDistinct(unit, sets, root, encoding, count, reply);
  const pick = (): void => {
    sets.pick(root, encoding, unit.random32);
    reply.bulkView(sets.mView, sets.mBuf, sets.mStart, sets.mEnd);
  };
  if (!isCounted) return pick();
  const mark = reply.mark();
  reply.array(-count);
  drawRepeatedly(reply, mark, -count, pick);
}

/** Up to `count` different members. */
function replyDistinct(
  unit: Unit,
  sets: Sets,
  root: number,
  encoding: number,
  count: number,
  reply: ReplyWriter,
): void {
  const present = sets.count(root, encoding);
  const wanted = Math.min(count, present);
  reply.array(wanted);
  if (encoding === SET_ENCODING.table && wanted * FEW_OF <= present)
    return replyPicked(unit, sets, root, wanted, reply);
  // each member is taken with the chance that as many of the rest are wanted
  let left = wanted;
  let rest = present;
  for (let more = cursor.open(sets, root, encoding); more && left > 0; more = cursor.next(), rest--) {
    if (left < rest && (unit.random32() / 2 ** 32) * rest >= left) continue;
    reply.bulkView(cursor.mView, cursor.mBuf, cursor.mStart, cursor.mEnd);
    left--;
  }
}

/** `wanted` different members of a large set, picked until there are so many. */
function replyPicked(unit: Unit, sets: Sets, root: number, wanted: number, reply: ReplyWriter): void {
  const seen = new Set<number>();
  while (seen.size < wanted) {
    const entry = sets.pick(root, SET_ENCODING.table, unit.random32);
    if (seen.has(entry)) continue;
    seen.add(entry);
    reply.bulkView(sets.mView, sets.mBuf, sets.mStart, sets.mEnd);
  }
}
