/**
 * Strings of a file on their way into one shard: gathered while the file is walked, put in together. The latch is taken once for
 * all of them, and the memory that their look-ups need is touched at once, before the first of them waits for it.
 *
 * Invariant 1: key and value bytes lie in the buffer that `put` is given, from `add` until then; only numbers are kept here.
 */
import type { HalfSipHash } from '../../native-free-shm/half-siphash.ts';
import type { Latch } from '../../native-free-shm/latch.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';
import { MemoryTouch } from '../keyspace/memory-touch.ts';
import { writeInteger } from '../resp/numbers.ts';

const ENTRIES = 64;
const KEY_START = 0;
const KEY_END = 1;
const VALUE_START = 2;
const VALUE_END = 3;
const HASH = 4;
const WORDS = 5;
const NUMBER_BYTES = 16;
const SPIN_MICROS = 20;
/** Room for the entries' headers, their rounding and growth of the table. */
const SLACK_BYTES = 1 << 20;

/** Outcomes of `put`. */
export const PUT = { ok: 0, twice: 1, noRoom: 2 } as const;

export class StringBatch {
  private readonly ks: Keyspace;
  private readonly latch: Latch;
  private readonly hasher: HalfSipHash;
  private readonly words = new Int32Array(ENTRIES * WORDS);
  /** Texts of values that the file has as numbers. */
  private readonly numbers = Buffer.alloc(ENTRIES * NUMBER_BYTES);
  private readonly deadlines = new Float64Array(ENTRIES);
  private readonly touch = new MemoryTouch(ENTRIES);
  private bytes = 0;
  private count = 0;

  constructor(ks: Keyspace, latch: Latch, hasher: HalfSipHash) {
    this.ks = ks;
    this.latch = latch;
    this.hasher = hasher;
  }

  /** Notes an entry; true: there is no room for another one, `put` has to follow. `deadline`: unix ms or NO_DEADLINE. */
  add(keyStart: number, keyEnd: number, valueStart: number, valueEnd: number, deadline: number): boolean {
    const { words, count } = this;
    const at = count * WORDS;
    words[at + KEY_START] = keyStart;
    words[at + KEY_END] = keyEnd;
    words[at + VALUE_START] = valueStart;
    words[at + VALUE_END] = valueEnd;
    this.deadlines[count] = deadline;
    this.bytes += keyEnd - keyStart + valueEnd - valueStart;
    this.count = count + 1;
    return this.count === ENTRIES;
  }

  /** As add, of a string that is a number. */
  addNumber(keyStart: number, keyEnd: number, value: number, deadline: number): boolean {
    const start = this.count * NUMBER_BYTES;
    const end = writeInteger(this.numbers, start, value);
    // less than 0: in `numbers`
    return this.add(keyStart, keyEnd, ~start, ~start + end - start, deadline);
  }

  get size(): number {
    return this.count;
  }

  /** Puts all that was noted into database `db`, the access clocks at `clock`, and forgets it; a PUT outcome. */
  put(db: number, buf: Buffer, clock: number): number {
    const { ks, latch, count } = this;
    if (count === 0) return PUT.ok;
    this.lookAhead(db, buf);
    while (!latch.acquireSpin(SPIN_MICROS));
    const outcome = ks.reserve(this.bytes + SLACK_BYTES) ? this.link(db, buf, clock) : PUT.noRoom;
    latch.release();
    this.count = 0;
    this.bytes = 0;
    return outcome;
  }

  private lookAhead(db: number, buf: Buffer): void {
    const { ks, words, touch, hasher } = this;
    const end = this.count * WORDS;
    for (let at = 0; at < end; at += WORDS) {
      const hash = hasher.hash(buf, words[at + KEY_START], words[at + KEY_END]);
      words[at + HASH] = hash;
      touch.add(ks, db, hash);
    }
    touch.run();
  }

  private link(db: number, buf: Buffer, clock: number): number {
    const { ks, words, deadlines, numbers, count } = this;
    ks.clock = clock;
    for (let i = 0, at = 0; i < count; i++, at += WORDS) {
      const keyStart = words[at + KEY_START];
      const keyEnd = words[at + KEY_END];
      const hash = words[at + HASH];
      if (ks.find(db, hash, buf, keyStart, keyEnd) !== 0) return PUT.twice;
      const start = words[at + VALUE_START];
      const bytes = words[at + VALUE_END] - start;
      const isNumber = start < 0;
      const from = isNumber ? numbers : buf;
      const valueStart = isNumber ? ~start : start;
      ks.setString(db, hash, buf, keyStart, keyEnd, from, valueStart, valueStart + bytes, deadlines[i], 0);
    }
    return PUT.ok;
  }
}
