/** ZRANDMEMBER: the ranks are chosen at random, the elements read in order of rank. */
import type { SortedSets } from '../datatypes/sorted-set-value.ts';
import type { Unit } from '../dispatch/unit.ts';
import { TYPE_SORTED_SET } from '../keyspace/entry.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { drawnCount, drawRepeatedly } from './repeated-draws.ts';
import { typedRead } from './typed-entry.ts';

export function zrandmember(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (args.count === 2) return replyOne(unit, reply);
  const count = drawnCount(args, 'withscores', reply);
  const withScores = args.count === 4;
  if (Number.isNaN(count) || !typedRead(unit, 1, TYPE_SORTED_SET, reply)) return;
  const { ks, entry } = unit;
  if (entry === 0 || count === 0) return reply.emptyArray();
  const sets = ks.values.sortedSets;
  const root = ks.structure(entry);
  const encoding = ks.encodingOf(entry);
  const all = sets.count(root, encoding);
  if (count < 0) return replyRepeated(unit, sets, root, encoding, -count, withScores, reply);
  replyDistinct(unit, sets, root, encoding, Math.min(count, all), withScores, reply);
}

function randomBelow(unit: Unit, n: number): number {
  return Math.floor((unit.random32() / 2 ** 32) * n);
}

function replyOne(unit: Unit, reply: ReplyWriter): void {
  if (!typedRead(unit, 1, TYPE_SORTED_SET, reply)) return;
  const { ks, entry } = unit;
  if (entry === 0) return reply.null();
  const sets = ks.values.sortedSets;
  const root = ks.structure(entry);
  const encoding = ks.encodingOf(entry);
  sets.seekRank(root, encoding, randomBelow(unit, sets.count(root, encoding)));
  replyElement(sets, false, reply);
}

function replyElement(sets: SortedSets, withScores: boolean, reply: ReplyWriter): void {
  sets.loadElement();
  if (withScores && reply.resp === 3) reply.array(2);
  reply.bulkView(sets.mView, sets.mBuf, sets.mStart, sets.mEnd);
  if (withScores) reply.double(sets.score);
}

function openReply(count: number, withScores: boolean, reply: ReplyWriter): void {
  reply.array(withScores && reply.resp === 2 ? count * 2 : count);
}

/** `count` elements, each chosen from all. */
function replyRepeated(
  unit: Unit,
  sets: SortedSets,
  root: number,
  encoding: number,
  count: number,
  withScores: boolean,
  reply: ReplyWriter,
): void {
  const all = sets.count(root, encoding);
  const mark = reply.mark();
  openReply(count, withScores, reply);
  drawRepeatedly(reply, mark, count, () => {
    sets.seekRank(root, encoding, randomBelow(unit, all));
    replyElement(sets, withScores, reply);
  });
}

/** `count` different elements, count at most all: each such choice has the same chance (Floyd's sampling). */
function replyDistinct(
  unit: Unit,
  sets: SortedSets,
  root: number,
  encoding: number,
  count: number,
  withScores: boolean,
  reply: ReplyWriter,
): void {
  const all = sets.count(root, encoding);
  openReply(count, withScores, reply);
  const isChosen = new Uint8Array((all + 7) >> 3);
  for (let last = all - count; last < all; last++) {
    const pick = count === all ? last : randomBelow(unit, last + 1);
    const rank = (isChosen[pick >> 3] & (1 << (pick & 7))) === 0 ? pick : last;
    isChosen[rank >> 3] |= 1 << (rank & 7);
  }
  let rank = 0;
  let at = -1;
  for (let left = count; left > 0; rank++) {
    if ((isChosen[rank >> 3] & (1 << (rank & 7))) === 0) continue;
    if (at < 0 || rank !== at + 1) sets.seekRank(root, encoding, rank);
    else sets.next();
    at = rank;
    replyElement(sets, withScores, reply);
    left--;
  }
}
