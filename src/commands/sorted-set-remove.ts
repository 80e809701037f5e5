/** ZREM and ZREMRANGEBY…. */
import { LexRange, ScoreRange } from '../datatypes/score-range.ts';
import type { Unit } from '../dispatch/unit.ts';
import { TYPE_SORTED_SET } from '../keyspace/entry.ts';
import { GENERIC_EVENT, type KeyEvent, SORTED_SET_EVENT } from '../keyspace/key-events.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { longArgument } from './integer-arguments.ts';
import { parseLexArguments, parseScoreArguments, RankRange } from './sorted-set-arguments.ts';
import { settleRemoval } from './sorted-set-store.ts';
import { typedWrite } from './typed-entry.ts';

const scoreRange = new ScoreRange();
const lexRange = new LexRange();
const rankRange = new RankRange();

export function zrem(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!typedWrite(unit, 1, TYPE_SORTED_SET, reply)) return;
  const { ks, entry } = unit;
  if (entry === 0) return reply.integer(0);
  const sets = ks.values.sortedSets;
  let root = ks.structure(entry);
  const encoding = ks.encodingOf(entry);
  let removed = 0;
  for (let arg = 2; arg < args.count; arg++) {
    if (!sets.remove(root, encoding, args.buf, args.starts[arg], args.ends[arg])) continue;
    root = sets.root;
    removed++;
    if (sets.count(root, encoding) === 0) break;
  }
  sets.root = root;
  if (removed > 0) settleRemoval(unit, 1, sets, SORTED_SET_EVENT.zrem, removed);
  reply.integer(removed);
}

/**
 * Removes the elements of rank from … to - 1 of the set that was looked up. Where many go and few stay, the latch is held for those that
 * stay only: the others are freed in steps, as when the whole key goes.
 */
function removeRanks(unit: Unit, from: number, to: number, event: KeyEvent, reply: ReplyWriter): void {
  const { ks, entry } = unit;
  const sets = ks.values.sortedSets;
  const removed = Math.max(0, to - from);
  reply.integer(removed);
  if (removed === 0) return;
  const root = ks.structure(entry);
  const encoding = ks.encodingOf(entry);
  if (removed === sets.count(root, encoding)) {
    ks.remove(unit.db, entry);
    unit.changed(1, event, removed);
    unit.changed(1, GENERIC_EVENT.del, 0);
    return;
  }
  if (sets.leaveBehind(root, encoding, from, removed)) ks.values.drop(TYPE_SORTED_SET, root, encoding);
  else sets.removeRange(root, encoding, from, removed);
  settleRemoval(unit, 1, sets, event, removed);
}

export function zremrangebyrank(unit: Unit, args: Args, reply: ReplyWriter): void {
  const start = longArgument(args, 2, reply);
  if (Number.isNaN(start)) return;
  const stop = longArgument(args, 3, reply);
  if (Number.isNaN(stop) || !typedWrite(unit, 1, TYPE_SORTED_SET, reply)) return;
  const { ks, entry } = unit;
  if (entry === 0) return reply.integer(0);
  rankRange.resolve(start, stop, ks.values.sortedSets.count(ks.structure(entry), ks.encodingOf(entry)));
  removeRanks(unit, rankRange.from, rankRange.to, SORTED_SET_EVENT.zremrangebyrank, reply);
}

export function zremrangebyscore(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!parseScoreArguments(scoreRange, args, 2, 3, reply) || !typedWrite(unit, 1, TYPE_SORTED_SET, reply)) return;
  const { ks, entry } = unit;
  if (entry === 0) return reply.integer(0);
  const sets = ks.values.sortedSets;
  sets.scoreRange(ks.structure(entry), ks.encodingOf(entry), scoreRange);
  removeRanks(unit, sets.from, sets.to, SORTED_SET_EVENT.zremrangebyscore, reply);
}

export function zremrangebylex(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!parseLexArguments(lexRange, args, 2, 3, reply) || !typedWrite(unit, 1, TYPE_SORTED_SET, reply)) return;
  const { ks, entry } = unit;
  if (entry === 0) return reply.integer(0);
  const sets = ks.values.sortedSets;
  sets.lexRange(ks.structure(entry), ks.encodingOf(entry), lexRange);
  removeRanks(unit, sets.from, sets.to, SORTED_SET_EVENT.zremrangebylex, reply);
}
