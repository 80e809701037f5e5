/** ZRANGE and its older forms, ZRANGESTORE: a request is resolved to ranks from … to - 1, in one of two directions. */
import { ScoreCollector } from '../datatypes/score-collector.ts';
import { LexRange, ScoreRange } from '../datatypes/score-range.ts';
import type { SortedSets } from '../datatypes/sorted-set-value.ts';
import type { Unit } from '../dispatch/unit.ts';
import { TYPE_SORTED_SET } from '../keyspace/entry.ts';
import { SORTED_SET_EVENT } from '../keyspace/key-events.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';
import { longArgument } from './integer-arguments.ts';
import { parseLexArguments, parseScoreArguments, RankRange } from './sorted-set-arguments.ts';
import { storeCollected } from './sorted-set-store.ts';
import { typedRead } from './typed-entry.ts';

/** What a range goes by. `open`: the arguments may still say so. */
const BY = { open: 0, rank: 1, score: 2, lex: 3 } as const;
const DIRECTION = { open: 0, forward: 1, reverse: 2 } as const;

const LIMIT_BY_RANK = 'ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX';
const SCORES_BY_LEX = 'ERR syntax error, WITHSCORES not supported in combination with BYLEX';

/** The parsed arguments; one per thread, for a unit runs at a time. */
class RangeRequest {
  by: number = BY.open;
  isReversed = false;
  withScores = false;
  from = 0;
  to = 0;
  private hasLimit = false;
  private offset = 0;
  private limit = -1;
  private start = 0;
  private stop = 0;
  private readonly ranks = new RankRange();
  private readonly scores = new ScoreRange();
  private readonly members = new LexRange();

  /** Reads the arguments behind the key at `key`; false after an error reply. */
  parse(args: Args, key: number, stores: boolean, by: number, direction: number, reply: ReplyWriter): boolean {
    this.by = by;
    this.withScores = false;
    this.hasLimit = false;
    this.offset = 0;
    this.limit = -1;
    let way = direction;
    for (let i = key + 3; i < args.count; i++) {
      if (!stores && args.equalsIgnoreCase(i, 'withscores')) {
        this.withScores = true;
      } else if (args.equalsIgnoreCase(i, 'limit') && i + 2 < args.count) {
        if (!this.parseLimit(args, i + 1, reply)) return false;
        i += 2;
      } else if (way === DIRECTION.open && args.equalsIgnoreCase(i, 'rev')) {
        way = DIRECTION.reverse;
      } else if (this.by === BY.open && args.equalsIgnoreCase(i, 'bylex')) {
        this.by = BY.lex;
      } else if (this.by === BY.open && args.equalsIgnoreCase(i, 'byscore')) {
        this.by = BY.score;
      } else {
        reply.error(ERR.SYNTAX);
        return false;
      }
    }
    if (this.by === BY.open) this.by = BY.rank;
    this.isReversed = way === DIRECTION.reverse;
    return this.fits(reply) && this.parseEnds(args, key, reply);
  }

  private parseLimit(args: Args, index: number, reply: ReplyWriter): boolean {
    this.offset = longArgument(args, index, reply);
    if (Number.isNaN(this.offset)) return false;
    this.limit = longArgument(args, index + 1, reply);
    this.hasLimit = this.limit !== -1;
    return !Number.isNaN(this.limit);
  }

  private fits(reply: ReplyWriter): boolean {
    const isLimited = this.hasLimit && this.by === BY.rank;
    const error = isLimited ? LIMIT_BY_RANK : this.withScores && this.by === BY.lex ? SCORES_BY_LEX : null;
    if (error !== null) reply.error(error);
    return error === null;
  }

  private parseEnds(args: Args, key: number, reply: ReplyWriter): boolean {
    if (this.by === BY.rank) {
      this.start = longArgument(args, key + 1, reply);
      if (Number.isNaN(this.start)) return false;
      this.stop = longArgument(args, key + 2, reply);
      return !Number.isNaN(this.stop);
    }
    const min = this.isReversed ? key + 2 : key + 1;
    const max = this.isReversed ? key + 1 : key + 2;
    if (this.by === BY.score) return parseScoreArguments(this.scores, args, min, max, reply);
    return parseLexArguments(this.members, args, min, max, reply);
  }

  /** Finds the ranks that are meant: from … to - 1, counted from the front whatever the direction. */
  resolve(sets: SortedSets, root: number, encoding: number): void {
    if (this.by === BY.rank) {
      const count = sets.count(root, encoding);
      this.ranks.resolve(this.start, this.stop, count);
      this.from = this.isReversed ? count - this.ranks.to : this.ranks.from;
      this.to = this.isReversed ? count - this.ranks.from : this.ranks.to;
      return;
    }
    if (this.by === BY.score) sets.scoreRange(root, encoding, this.scores);
    else sets.lexRange(root, encoding, this.members);
    const { offset, limit } = this;
    const found = sets.to - sets.from;
    const skipped = offset < 0 || offset > found ? found : offset;
    const taken = limit < 0 ? found - skipped : Math.min(limit, found - skipped);
    this.from = this.isReversed ? sets.to - skipped - taken : sets.from + skipped;
    this.to = this.from + taken;
  }
}

const request = new RangeRequest();
const collector = new ScoreCollector();

function range(unit: Unit, args: Args, by: number, direction: number, reply: ReplyWriter): void {
  if (!request.parse(args, 1, false, by, direction, reply) || !typedRead(unit, 1, TYPE_SORTED_SET, reply)) return;
  const { ks, entry } = unit;
  if (entry === 0) return reply.emptyArray();
  const sets = ks.values.sortedSets;
  const root = ks.structure(entry);
  const encoding = ks.encodingOf(entry);
  request.resolve(sets, root, encoding);
  const { from, to, isReversed } = request;
  replyRanks(sets, root, encoding, isReversed ? to - 1 : from, to - from, isReversed, request.withScores, reply);
}

/** Answers `count` elements from rank `rank` on, in RESP3 with scores as pairs. */
function replyRanks(
  sets: SortedSets,
  root: number,
  encoding: number,
  rank: number,
  count: number,
  isReversed: boolean,
  withScores: boolean,
  reply: ReplyWriter,
): void {
  const inPairs = withScores && reply.resp === 3;
  reply.array(withScores && !inPairs ? count * 2 : count);
  if (count > 0) sets.seekRank(root, encoding, rank);
  for (let left = count; left > 0; left--) {
    if (withScores) sets.loadElement();
    else sets.loadMember();
    if (inPairs) reply.array(2);
    reply.bulkView(sets.mView, sets.mBuf, sets.mStart, sets.mEnd);
    if (withScores) reply.double(sets.score);
    if (isReversed) sets.prev();
    else sets.next();
  }
}

export function zrange(unit: Unit, args: Args, reply: ReplyWriter): void {
  range(unit, args, BY.open, DIRECTION.open, reply);
}

export function zrevrange(unit: Unit, args: Args, reply: ReplyWriter): void {
  range(unit, args, BY.rank, DIRECTION.reverse, reply);
}

export function zrangebyscore(unit: Unit, args: Args, reply: ReplyWriter): void {
  range(unit, args, BY.score, DIRECTION.forward, reply);
}

export function zrevrangebyscore(unit: Unit, args: Args, reply: ReplyWriter): void {
  range(unit, args, BY.score, DIRECTION.reverse, reply);
}

export function zrangebylex(unit: Unit, args: Args, reply: ReplyWriter): void {
  range(unit, args, BY.lex, DIRECTION.forward, reply);
}

export function zrevrangebylex(unit: Unit, args: Args, reply: ReplyWriter): void {
  range(unit, args, BY.lex, DIRECTION.reverse, reply);
}

export function zrangestore(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!request.parse(args, 2, true, BY.open, DIRECTION.open, reply)) return;
  if (!typedRead(unit, 2, TYPE_SORTED_SET, reply)) return;
  const { ks, entry } = unit;
  collector.clear();
  if (entry !== 0) {
    const sets = ks.values.sortedSets;
    const root = ks.structure(entry);
    const encoding = ks.encodingOf(entry);
    request.resolve(sets, root, encoding);
    if (request.from < request.to) sets.seekRank(root, encoding, request.from);
    for (let left = request.to - request.from; left > 0; left--) {
      sets.loadElement();
      collector.append(sets.mBuf, sets.mStart, sets.mEnd, sets.score);
      sets.next();
    }
  }
  // they came in order
  collector.inGivenOrder();
  storeCollected(unit, args, 1, collector, SORTED_SET_EVENT.zrangestore, reply);
}
