/**
 * The small form of a sorted set: a compact list of member, score, member, score … in order of (score, member bytes).
 * Places are those of members. Scores stand there as Redis writes them: whole numbers as integers, others as text.
 */
import type { Arena } from '../../native-free-shm/arena.ts';
import { formatDouble, parseFloatStrict } from '../resp/numbers.ts';
import { CompactList } from './compact-list.ts';
import { compareBytes } from './score-range.ts';

/** Room for any double as text. */
const SCORE_TEXT_BYTES = 64;

export class SortedSetList {
  readonly list: CompactList;
  private readonly text = Buffer.alloc(SCORE_TEXT_BYTES);

  constructor(arena: Arena) {
    this.list = new CompactList(arena);
  }

  /** Elements. */
  count(h: number): number {
    return this.list.count(h) >> 1;
  }

  /** Place of a member, 0 where it is absent. */
  find(h: number, buf: Buffer, start: number, end: number): number {
    return this.list.find(h, this.list.first(h), buf, start, end, 1);
  }

  /** The score of the member at `at`. */
  scoreAt(h: number, at: number): number {
    const list = this.list;
    list.read(h, list.next(h, at));
    if (list.isInteger) return list.value;
    return parseFloatStrict(list.vBuf, list.vStart, list.vEnd);
  }

  /** The next member's place, 0 at the end. */
  next(h: number, at: number): number {
    return this.list.next(h, this.list.next(h, at));
  }

  /** The previous member's place, 0 at the front. */
  prev(h: number, at: number): number {
    const score = this.list.prev(h, at);
    return score === 0 ? 0 : this.list.prev(h, score);
  }

  /** Place of the element of that rank, 0 where there is none. */
  seek(h: number, rank: number): number {
    return rank < 0 ? 0 : this.list.seek(h, rank * 2);
  }

  /** Elements before the member at `at`. */
  rankOf(h: number, at: number): number {
    let rank = 0;
    for (let place = this.list.first(h); place !== at; place = this.next(h, place)) rank++;
    return rank;
  }

  /** Adds an absent member, whose bytes lie elsewhere; returns the list. */
  insert(h: number, buf: Buffer, start: number, end: number, score: number): number {
    return this.insertAt(h, this.placeFor(h, buf, start, end, score), buf, start, end, score);
  }

  /** Adds a member behind all others. */
  append(h: number, buf: Buffer, start: number, end: number, score: number): number {
    return this.insertAt(h, 0, buf, start, end, score);
  }

  private insertAt(h: number, at: number, buf: Buffer, start: number, end: number, score: number): number {
    const list = this.list;
    h = list.insert(h, at, buf, start, end);
    const behind = at === 0 ? 0 : list.next(h, list.placed);
    // as in Redis, -0 becomes 0 here
    if (Number.isSafeInteger(score)) return list.insertInteger(h, behind, score);
    const length = this.text.write(formatDouble(score), 0, 'latin1');
    return list.insert(h, behind, this.text, 0, length);
  }

  /** The first place whose element stands behind (score, member); 0: none does. */
  private placeFor(h: number, buf: Buffer, start: number, end: number, score: number): number {
    const list = this.list;
    for (let at = list.first(h); at !== 0; at = this.next(h, at)) {
      const here = this.scoreAt(h, at);
      if (here > score) return at;
      if (here < score) continue;
      list.read(h, at);
      if (compareBytes(list.vBuf, list.vStart, list.vEnd, buf, start, end) > 0) return at;
    }
    return 0;
  }

  /** Takes out the member at `at` and so many behind it; returns the list. */
  remove(h: number, at: number, members = 1): number {
    return this.list.remove(h, at, members * 2);
  }

  /** Throws on a broken invariant. For tests and DEBUG. */
  check(h: number): void {
    const list = this.list;
    list.check(h);
    if (list.count(h) % 2 !== 0) throw new Error('sorted set: a member without a score');
    let last = Buffer.alloc(0);
    let lastScore = Number.NaN;
    for (let at = list.first(h); at !== 0; at = this.next(h, at)) {
      const score = this.scoreAt(h, at);
      list.read(h, at);
      const member = Buffer.from(list.vBuf.subarray(list.vStart, list.vEnd));
      if (Number.isNaN(score) || score < lastScore) throw new Error('sorted set: scores out of order');
      if (score === lastScore && Buffer.compare(last, member) >= 0) throw new Error('sorted set: members out of order');
      last = member;
      lastScore = score;
    }
  }
}
