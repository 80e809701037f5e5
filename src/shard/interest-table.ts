/**
 * Who is interested in which keys of one shard: the clients that WATCH a key, those that wait for one, those whose reads of it are
 * tracked. In shared memory, in an arena of its own apart from the data (R25); touched under the shard's latch only (R10, R11).
 *
 *   roots (Int32)   [table root per database | watches | waiters | keys waited for | keys whose end is waited for]   numbers of the shard
 *   entry           word 0 hash | 1 key bytes | 2 database | 3 first watch | 4 first waiter | 5 last waiter | 6 free | 7 bit 0: served at the end of this unit, above: waiters that want to know of its end | key
 *   watch           word 0 entry | 1 next | 2 previous | 3 place of the client's watch word | 4 its ticket | 5 the key was expired
 *
 * A client's watch word holds an even *ticket* while nothing that it watches was touched, and the ticket plus one from the first touch
 * on. To end its watches the client takes a new ticket: what is still listed under the old one marks nothing any more, and can be taken
 * out whenever the latch is free.
 *
 * Invariant 1: an entry exists exactly while somebody is interested in its key.
 * Invariant 2: a bit of SHARD.interest is set exactly while the shard has a watch or a waiter, respectively.
 * Invariant 3: a watch word goes from ticket to ticket + 1 by compare-exchange under the latch of the touched shard, and to another
 *              ticket only by its client's own thread. Who holds the latches of all that a client watches sees every mark.
 */
import { Arena } from '../../native-free-shm/arena.ts';
import { HashTable } from '../../native-free-shm/hash-table.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';
import type { InterestMemory } from './interest-memory.ts';
import { INTEREST, SHARD } from './world.ts';

const OFFSET_MASK = 0x3ffffff;
const KEY_BYTES_MASK = 0xffffff;
const ENTRY_BYTES = 32;
const WATCH_BYTES = 32;
/** The largest block besides an entry: pages of a table. */
export const LARGEST_BLOCK_BYTES = 128 * 1024;

const KEY_BYTES = 1;
/** The entry's database. */
export const DB = 2;
const FIRST_WATCH = 3;
/** Of the queue of its waiters (waiter-queues.ts), as is ENTRY_STATE. */
export const FIRST_WAITER = 4;
export const LAST_WAITER = 5;
export const ENTRY_STATE = 7;

const ENTRY = 0;
const NEXT = 1;
const PREVIOUS = 2;
const PLACE = 3;
const TICKET = 4;
const WAS_EXPIRED = 5;

export class InterestTable {
  readonly arena: Arena;
  private readonly table: HashTable;
  readonly roots: Int32Array;
  readonly ks: Keyspace;
  readonly header: Int32Array;
  /** Where the watch words of all clients are. */
  private readonly words: Int32Array;
  private readonly watches: number;
  readonly found: number[] = [];

  /** `ks`: the keys of the same shard; `header`: its Int32 words; `watchWords`: what the places of watches are in. */
  constructor(memory: InterestMemory, ks: Keyspace, header: Int32Array, watchWords: Int32Array) {
    this.arena = new Arena(memory.arena);
    this.table = new HashTable(this.arena, ENTRY_BYTES, ENTRY_BYTES);
    this.roots = new Int32Array(memory.roots);
    this.ks = ks;
    this.header = header;
    this.words = watchWords;
    this.watches = ks.databases;
  }

  word(h: number, word: number): number {
    return this.arena.i32[h >>> 26][((h & OFFSET_MASK) << 2) + word];
  }

  setWord(h: number, word: number, value: number): void {
    this.arena.i32[h >>> 26][((h & OFFSET_MASK) << 2) + word] = value;
  }

  // ---- entries

  /** The entry of a key, 0 if nobody is interested in it. */
  find(db: number, hash: number, buf: Buffer, start: number, end: number): number {
    const root = this.roots[db];
    return root === 0 ? 0 : this.table.find(root, hash, buf, start, end);
  }

  /** The same, made where there is none; 0: there is no room. */
  open(db: number, hash: number, buf: Buffer, start: number, end: number): number {
    const { arena, table, roots } = this;
    const old = this.find(db, hash, buf, start, end);
    if (old !== 0) return old;
    const bytes = ENTRY_BYTES + end - start;
    const needed = bytes + table.growthBytes(roots[db], 1);
    if (!arena.reserve(needed, bytes + LARGEST_BLOCK_BYTES)) return 0;
    if (roots[db] === 0) roots[db] = table.create();
    const h = arena.allocate(bytes);
    for (let word = 0; word < ENTRY_BYTES / 4; word++) this.setWord(h, word, 0);
    this.setWord(h, 0, hash);
    this.setWord(h, KEY_BYTES, end - start);
    this.setWord(h, DB, db);
    buf.copy(arena.buf[h >>> 26], ((h & OFFSET_MASK) << 4) + ENTRY_BYTES, start, end);
    table.insert(roots[db], hash, h);
    return h;
  }

  /** Somebody lost interest in the key: was it the last one? */
  closeIfIdle(h: number): void {
    if (this.word(h, FIRST_WATCH) !== 0 || this.word(h, FIRST_WAITER) !== 0 || this.word(h, ENTRY_STATE) !== 0) return;
    this.table.remove(this.roots[this.word(h, DB)], this.word(h, 0), h);
    this.arena.release(h);
  }

  /** The entry of the same key in the keyspace, 0 if it is absent there. */
  keyOf(h: number, db: number): number {
    const start = ((h & OFFSET_MASK) << 4) + ENTRY_BYTES;
    const end = start + (this.word(h, KEY_BYTES) & KEY_BYTES_MASK);
    return this.ks.find(db, this.word(h, 0), this.arena.buf[h >>> 26], start, end);
  }

  private isExpired(key: number, nowMs: number): boolean {
    if (key === 0) return false;
    const deadline = this.ks.deadlineOf(key);
    return deadline >= 0 && deadline <= nowMs;
  }

  // ---- watches

  /**
   * Lists a watch of a client, whose watch word is at `place` and holds `ticket`. Returns its handle, 0 where there is no room, -1
   * where the client watches this key already.
   */
  watch(
    db: number,
    hash: number,
    buf: Buffer,
    start: number,
    end: number,
    place: number,
    ticket: number,
    nowMs: number,
  ): number {
    const h = this.open(db, hash, buf, start, end);
    if (h === 0) return 0;
    const first = this.word(h, FIRST_WATCH);
    for (let w = first; w !== 0; w = this.word(w, NEXT)) {
      if (this.word(w, PLACE) === place && this.word(w, TICKET) === ticket) return -1;
    }
    if (!this.arena.reserve(WATCH_BYTES)) {
      this.closeIfIdle(h);
      return 0;
    }
    const watch = this.arena.allocate(WATCH_BYTES);
    this.setWord(watch, ENTRY, h);
    this.setWord(watch, NEXT, first);
    this.setWord(watch, PREVIOUS, 0);
    this.setWord(watch, PLACE, place);
    this.setWord(watch, TICKET, ticket);
    this.setWord(watch, WAS_EXPIRED, this.isExpired(this.keyOf(h, db), nowMs) ? 1 : 0);
    if (first !== 0) this.setWord(first, PREVIOUS, watch);
    this.setWord(h, FIRST_WATCH, watch);
    this.roots[this.watches]++;
    this.header[SHARD.interest] |= INTEREST.watches;
    return watch;
  }

  /** Takes a watch out. */
  unwatch(watch: number): void {
    const h = this.word(watch, ENTRY);
    const next = this.word(watch, NEXT);
    const previous = this.word(watch, PREVIOUS);
    if (next !== 0) this.setWord(next, PREVIOUS, previous);
    if (previous !== 0) this.setWord(previous, NEXT, next);
    else this.setWord(h, FIRST_WATCH, next);
    this.arena.release(watch);
    this.closeIfIdle(h);
    if (--this.roots[this.watches] === 0) this.header[SHARD.interest] &= ~INTEREST.watches;
  }

  /** Has the watched key expired since the watch began, and nobody removed it yet? */
  watchExpired(watch: number, nowMs: number): boolean {
    if (this.word(watch, WAS_EXPIRED) !== 0) return false;
    const h = this.word(watch, ENTRY);
    return this.isExpired(this.keyOf(h, this.word(h, DB)), nowMs);
  }

  /** Watches in this shard. */
  watchCount(): number {
    return this.roots[this.watches];
  }

  /** Blocks in use; 0 but for tables where nobody is interested in anything. For tests. */
  liveEntries(): number {
    let entries = 0;
    for (let db = 0; db < this.ks.databases; db++)
      if (this.roots[db] !== 0) entries += this.table.count(this.roots[db]);
    return entries;
  }

  private mark(watch: number): void {
    const ticket = this.word(watch, TICKET);
    Atomics.compareExchange(this.words, this.word(watch, PLACE), ticket, (ticket + 1) | 0);
  }

  /** A key was changed, made or removed: who watches it is told. A key that was expired when the watch began may be removed. */
  touched(db: number, hash: number, buf: Buffer, start: number, end: number): void {
    const h = this.find(db, hash, buf, start, end);
    if (h === 0) return;
    const isAbsent = this.keyOf(h, db) === 0;
    for (let watch = this.word(h, FIRST_WATCH); watch !== 0; watch = this.word(watch, NEXT)) {
      if (isAbsent && this.word(watch, WAS_EXPIRED) !== 0) this.setWord(watch, WAS_EXPIRED, 0);
      else this.mark(watch);
    }
  }

  /** A database is about to be emptied. */
  flushing(db: number): void {
    if (this.roots[db] === 0) return;
    this.collect(db);
    for (const h of this.found) {
      if (this.keyOf(h, db) === 0) continue;
      for (let watch = this.word(h, FIRST_WATCH); watch !== 0; watch = this.word(watch, NEXT)) {
        if (this.word(watch, WAS_EXPIRED) !== 0) this.setWord(watch, WAS_EXPIRED, 0);
        else this.mark(watch);
      }
    }
  }

  /** Databases `a` and `b` are about to change places. */
  swapping(a: number, b: number, nowMs: number): void {
    this.swappingOne(a, b, nowMs);
    this.swappingOne(b, a, nowMs);
  }

  /** Keys of `db` give way to those of `other`. */
  private swappingOne(db: number, other: number, nowMs: number): void {
    if (this.roots[db] === 0) return;
    this.collect(db);
    for (const h of this.found) {
      const before = this.keyOf(h, db);
      const after = this.keyOf(h, other);
      if (before === 0 && after === 0) continue;
      for (let watch = this.word(h, FIRST_WATCH); watch !== 0; watch = this.word(watch, NEXT)) {
        this.swapWatched(watch, before, after, this.isExpired(after, nowMs));
      }
    }
  }

  /** A key that is expired on both sides of the exchange, or absent on one and expired on the other, has not changed. */
  private swapWatched(watch: number, before: number, after: number, afterExpired: boolean): void {
    if (this.word(watch, WAS_EXPIRED) !== 0) {
      if (after === 0) this.setWord(watch, WAS_EXPIRED, 0);
      else if (!afterExpired) this.mark(watch);
    } else if (before === 0 && afterExpired) {
      this.setWord(watch, WAS_EXPIRED, 1);
    } else {
      this.mark(watch);
    }
  }

  /** Fills `found` with the entries of a database. */
  collect(db: number): void {
    this.found.length = 0;
    if (this.roots[db] === 0) return;
    let cursor = 0;
    do cursor = this.table.scan(this.roots[db], cursor, this.keep);
    while (cursor !== 0);
  }

  private readonly keep = (entry: number): void => {
    this.found.push(entry);
  };
}
