/** ZCARD, ZSCORE, ZMSCORE, ZRANK, ZREVRANK, ZCOUNT, ZLEXCOUNT. */
import { LexRange, ScoreRange } from '../datatypes/score-range.ts';
import type { Unit } from '../dispatch/unit.ts';
import { TYPE_SORTED_SET } from '../keyspace/entry.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';
import { parseLexArguments, parseScoreArguments } from './sorted-set-arguments.ts';
import { typedRead } from './typed-entry.ts';

const scoreRange = new ScoreRange();
const lexRange = new LexRange();

export function zcard(unit: Unit, _args: Args, reply: ReplyWriter): void {
  if (!typedRead(unit, 1, TYPE_SORTED_SET, reply)) return;
  const { ks, entry } = unit;
  reply.integer(entry === 0 ? 0 : ks.values.sortedSets.count(ks.structure(entry), ks.encodingOf(entry)));
}

export function zscore(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (typedRead(unit, 1, TYPE_SORTED_SET, reply)) replyScore(unit, args, 2, reply);
}

/** The score of the member that argument `arg` is, or null. */
function replyScore(unit: Unit, args: Args, arg: number, reply: ReplyWriter): void {
  const { ks, entry } = unit;
  const sets = ks.values.sortedSets;
  const { buf, starts, ends } = args;
  const isFound = entry !== 0 && sets.find(ks.structure(entry), ks.encodingOf(entry), buf, starts[arg], ends[arg]);
  if (isFound) reply.double(sets.score);
  else reply.null();
}

export function zmscore(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!typedRead(unit, 1, TYPE_SORTED_SET, reply)) return;
  reply.array(args.count - 2);
  for (let arg = 2; arg < args.count; arg++) replyScore(unit, args, arg, reply);
}

export function zrank(unit: Unit, args: Args, reply: ReplyWriter): void {
  replyRank(unit, args, false, reply);
}

export function zrevrank(unit: Unit, args: Args, reply: ReplyWriter): void {
  replyRank(unit, args, true, reply);
}

function replyRank(unit: Unit, args: Args, isReversed: boolean, reply: ReplyWriter): void {
  const withScore = args.count === 4;
  if (args.count > 4 || (withScore && !args.equalsIgnoreCase(3, 'withscore'))) return reply.error(ERR.SYNTAX);
  if (!typedRead(unit, 1, TYPE_SORTED_SET, reply)) return;
  const { ks, entry } = unit;
  const sets = ks.values.sortedSets;
  let rank = -1;
  if (entry !== 0) {
    const root = ks.structure(entry);
    const encoding = ks.encodingOf(entry);
    rank = sets.rankOf(root, encoding, args.buf, args.starts[2], args.ends[2]);
    if (rank >= 0 && isReversed) rank = sets.count(root, encoding) - 1 - rank;
  }
  if (rank < 0) {
    if (withScore) reply.nullArray();
    else reply.null();
    return;
  }
  if (withScore) reply.array(2);
  reply.integer(rank);
  if (withScore) reply.double(sets.score);
}

export function zcount(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!parseScoreArguments(scoreRange, args, 2, 3, reply) || !typedRead(unit, 1, TYPE_SORTED_SET, reply)) return;
  const { ks, entry } = unit;
  if (entry === 0) return reply.integer(0);
  const sets = ks.values.sortedSets;
  sets.scoreRange(ks.structure(entry), ks.encodingOf(entry), scoreRange);
  reply.integer(sets.to - sets.from);
}

export function zlexcount(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!parseLexArguments(lexRange, args, 2, 3, reply) || !typedRead(unit, 1, TYPE_SORTED_SET, reply)) return;
  const { ks, entry } = unit;
  if (entry === 0) return reply.integer(0);
  const sets = ks.values.sortedSets;
  sets.lexRange(ks.structure(entry), ks.encodingOf(entry), lexRange);
  reply.integer(sets.to - sets.from);
}
