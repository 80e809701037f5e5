/**
 * The keys of one shard: look-up, creation, change, deadline and removal of entries in the shard's arena.
 *
 * One object per thread and shard; all state lies in shared memory (arena, and the roots word pairs), so the objects of
 * different threads are interchangeable. Every method is called under the shard's latch.
 *
 *   roots (SharedArrayBuffer of Int32):  per database [table root | deadline heap root]
 *                                        then per database the heap of hashes whose fields have deadlines  field-deadlines.ts
 *                                        then [how many dropped tables wait to be freed | their roots …]
 *                                        then [first of the dropped values that wait to be freed]       values.ts
 *
 * Invariant 1: a root word of 0 means that the database has never held a key in this shard.
 * Invariant 2: no method throws after its first change, provided that `reserve` answered true for what it allocates.
 */
import type { Arena } from '../../native-free-shm/arena.ts';
import { copyByView, LastView, MAX_VIEW_COPY } from '../../native-free-shm/bytes.ts';
import { DeadlineHeap } from '../../native-free-shm/deadline-heap.ts';
import type { HalfSipHash } from '../../native-free-shm/half-siphash.ts';
import { HashTable } from '../../native-free-shm/hash-table.ts';
import { showProgress } from '../../native-free-shm/heartbeats.ts';
import type { SizeLimits } from '../datatypes/size-limits.ts';
import {
  CLOCK_MASK,
  ENCODING_SHIFT,
  HAS_DEADLINE,
  HEADER_BYTES,
  HEADER_BYTES_WITH_DEADLINE,
  KEEP_DEADLINE,
  KEY_BYTES_MASK,
  LARGE,
  MAX_EMBEDDED_BYTES,
  NO_DEADLINE,
  RAW,
  TYPE_HASH,
  TYPE_MASK,
  TYPE_SHIFT,
  TYPE_STRING,
  WORD_CLOCK,
  WORD_DEADLINE_HIGH,
  WORD_DEADLINE_LOW,
  WORD_HASH,
  WORD_HEAP_POSITION,
  WORD_META,
  WORD_VALUE,
} from './entry.ts';
import { FieldDeadlines } from './field-deadlines.ts';
import { Values } from './values.ts';

const OFFSET_MASK = 0x3ffffff;
const TWO_32 = 4294967296;
/** So many dropped tables may wait; one more is freed at once by the command that drops it. */
const MAX_DROPPED = 64;

/** Bytes of a shard's root words for so many databases. */
export function rootsBytes(databases: number): number {
  return (databases * 3 + 1 + MAX_DROPPED + 1) * 4;
}

export class Keyspace {
  readonly shard: number;
  readonly arena: Arena;
  readonly hasher: HalfSipHash;
  readonly table: HashTable;
  readonly heap: DeadlineHeap;
  readonly roots: Int32Array;
  /** Access clock of the running unit: unix seconds, 24 bits. */
  clock = 0;
  /** Hears of each key that was not there before; null: nobody wants to know. Changes no registers. */
  onNewKey: ((ks: Keyspace, db: number, h: number) => void) | null = null;
  /** Registers filled by `value`: where the string's bytes lie until the next allocation. */
  vBuf: Buffer;
  /** The same bytes as vBuf. */
  vView: DataView;
  vStart = 0;
  vEnd = 0;
  /** Registers filled by `key`. */
  kBuf: Buffer;
  kStart = 0;
  kEnd = 0;

  /** How many databases there are. */
  readonly databases: number;
  /** The structures of this shard, by type. */
  readonly values: Values;
  /** The hashes of this shard whose fields have deadlines. */
  readonly fieldDeadlines: FieldDeadlines;
  private readonly droppedCount: number;
  private readonly views = new LastView();

  /** `hasher`: the hash of keys, and of the members of structures. */
  constructor(shard: number, arena: Arena, roots: SharedArrayBuffer, hasher: HalfSipHash, limits: SizeLimits) {
    this.shard = shard;
    this.hasher = hasher;
    this.arena = arena;
    this.table = new HashTable(arena, HEADER_BYTES, HEADER_BYTES_WITH_DEADLINE);
    this.heap = new DeadlineHeap(arena, WORD_HEAP_POSITION);
    this.roots = new Int32Array(roots);
    this.databases = (this.roots.length - 2 - MAX_DROPPED) / 3;
    this.droppedCount = this.databases * 3;
    this.values = new Values(arena, hasher, limits, this.roots, this.roots.length - 1);
    this.fieldDeadlines = new FieldDeadlines(arena, this.values.hashes, this.roots, this.databases << 1);
    this.vBuf = arena.buf[0];
    this.vView = arena.view[0];
    this.kBuf = arena.buf[0];
  }

  /** Table root of a database, 0 where it has none yet. */
  root(db: number): number {
    return this.roots[db << 1];
  }

  heapRoot(db: number): number {
    return this.roots[(db << 1) + 1];
  }

  /** As root, and makes it where there is none; `reserve` has answered true. */
  openRoot(db: number): number {
    const at = db << 1;
    if (this.roots[at] === 0) {
      this.roots[at] = this.table.create();
      this.roots[at + 1] = this.heap.create();
    }
    return this.roots[at];
  }

  /** The entry of a key, or 0. Knows no deadline: an expired entry is found until it is removed. */
  find(db: number, hash: number, bytes: Buffer, start: number, end: number): number {
    const root = this.roots[db << 1];
    return root === 0 ? 0 : this.table.find(root, hash, bytes, start, end);
  }

  private meta(h: number): number {
    return this.arena.i32[h >>> 26][((h & OFFSET_MASK) << 2) + WORD_META];
  }

  typeOf(h: number): number {
    return (this.meta(h) >>> TYPE_SHIFT) & TYPE_MASK;
  }

  isRaw(h: number): boolean {
    return (this.meta(h) & RAW) !== 0;
  }

  /** Length of a string value in bytes. */
  valueBytes(h: number): number {
    return this.arena.i32[h >>> 26][((h & OFFSET_MASK) << 2) + WORD_VALUE];
  }

  hashOf(h: number): number {
    return this.arena.i32[h >>> 26][((h & OFFSET_MASK) << 2) + WORD_HASH];
  }

  /** Fills vBuf, vStart, vEnd with the string value of the entry. */
  value(h: number): void {
    const arena = this.arena;
    const segment = h >>> 26;
    const base = (h & OFFSET_MASK) << 4;
    const i32 = arena.i32[segment];
    const meta = i32[(base >> 2) + WORD_META];
    const at =
      base + ((meta & HAS_DEADLINE) !== 0 ? HEADER_BYTES_WITH_DEADLINE : HEADER_BYTES) + (meta & KEY_BYTES_MASK);
    if ((meta & LARGE) === 0) {
      this.vBuf = arena.buf[segment];
      this.vView = arena.view[segment];
      this.vStart = at;
      this.vEnd = at + i32[(base >> 2) + WORD_VALUE];
      return;
    }
    const block = i32[(at + 3) >> 2];
    this.vBuf = arena.buf[block >>> 26];
    this.vView = arena.view[block >>> 26];
    this.vStart = (block & OFFSET_MASK) << 4;
    this.vEnd = this.vStart + i32[(base >> 2) + WORD_VALUE];
  }

  /** Fills kBuf, kStart, kEnd with the key of the entry. */
  key(h: number): void {
    const segment = h >>> 26;
    const base = (h & OFFSET_MASK) << 4;
    const meta = this.arena.i32[segment][(base >> 2) + WORD_META];
    this.kBuf = this.arena.buf[segment];
    this.kStart = base + ((meta & HAS_DEADLINE) !== 0 ? HEADER_BYTES_WITH_DEADLINE : HEADER_BYTES);
    this.kEnd = this.kStart + (meta & KEY_BYTES_MASK);
  }

  /** The deadline in unix ms, or NO_DEADLINE. */
  deadlineOf(h: number): number {
    const i32 = this.arena.i32[h >>> 26];
    const w = (h & OFFSET_MASK) << 2;
    if ((i32[w + WORD_META] & HAS_DEADLINE) === 0) return NO_DEADLINE;
    return i32[w + WORD_DEADLINE_HIGH] * TWO_32 + (i32[w + WORD_DEADLINE_LOW] >>> 0);
  }

  /** Sets the access clock. Not data: nobody who keeps old bytes needs it, so no willChange. */
  touch(h: number): void {
    const i32 = this.arena.i32[h >>> 26];
    const w = ((h & OFFSET_MASK) << 2) + WORD_CLOCK;
    if ((i32[w] & CLOCK_MASK) !== this.clock) i32[w] = (i32[w] & ~CLOCK_MASK) | this.clock;
  }

  /** Sets the access clock to a time of one's own choice: unix seconds, 24 bits. */
  setClock(h: number, clock: number): void {
    const i32 = this.arena.i32[h >>> 26];
    const w = ((h & OFFSET_MASK) << 2) + WORD_CLOCK;
    i32[w] = (i32[w] & ~CLOCK_MASK) | clock;
  }

  /** The access clock of the entry: unix seconds, 24 bits. */
  clockOf(h: number): number {
    return this.arena.i32[h >>> 26][((h & OFFSET_MASK) << 2) + WORD_CLOCK] & CLOCK_MASK;
  }

  /** True: allocations up to `bytes` in total, none of them over `largestBytes`, will succeed (R4). */
  reserve(bytes: number, largestBytes: number = bytes): boolean {
    return this.arena.reserve(bytes, largestBytes);
  }

  /**
   * Creates or overwrites a string. `old` is the entry that `find` gave for this key, or 0. `deadline`: unix ms,
   * NO_DEADLINE or KEEP_DEADLINE. The value bytes must not lie in this arena. Returns the entry.
   */
  setString(
    db: number,
    hash: number,
    kBuf: Buffer,
    kStart: number,
    kEnd: number,
    vBuf: Buffer,
    vStart: number,
    vEnd: number,
    deadline: number,
    old: number,
    raw = false,
  ): number {
    const length = vEnd - vStart;
    if (old !== 0 && this.overwrite(old, deadline, length, raw)) {
      this.fillValue(vBuf, vStart, length);
      return old;
    }
    if (deadline === KEEP_DEADLINE) deadline = old === 0 ? NO_DEADLINE : this.deadlineOf(old);
    const h = this.newString(hash, kBuf, kStart, kEnd, length, deadline, raw);
    this.fillValue(vBuf, vStart, length);
    this.link(db, hash, h, deadline, old);
    return h;
  }

  /**
   * As setString, for a value that lies in a private block of this arena already (Arena.allocatePrivate): `length` bytes, more
   * than MAX_EMBEDDED_BYTES. The block is the entry's from now on.
   */
  setPrivate(
    db: number,
    hash: number,
    kBuf: Buffer,
    kStart: number,
    kEnd: number,
    block: number,
    length: number,
    deadline: number,
    old: number,
  ): number {
    if (deadline === KEEP_DEADLINE) deadline = old === 0 ? NO_DEADLINE : this.deadlineOf(old);
    const h = this.newString(hash, kBuf, kStart, kEnd, length, deadline, false, block);
    this.arena.adopt(block);
    this.link(db, hash, h, deadline, old);
    return h;
  }

  /** Copies bytes into a segment. */
  private copyTo(from: Buffer, fromStart: number, segment: number, toStart: number, length: number): void {
    if (length > MAX_VIEW_COPY) from.copy(this.arena.buf[segment], toStart, fromStart, fromStart + length);
    else copyByView(this.arena.view[segment], toStart, this.views.of(from), fromStart, length);
  }

  /** Copies bytes to where the v registers point. */
  private fillValue(from: Buffer, fromStart: number, length: number): void {
    if (length > MAX_VIEW_COPY) from.copy(this.vBuf, this.vStart, fromStart, fromStart + length);
    else copyByView(this.vView, this.vStart, this.views.of(from), fromStart, length);
  }

  /** Tries to reuse the block of `old` for a string of `length` bytes; true: v registers say where to write them. */
  private overwrite(old: number, deadline: number, length: number, raw: boolean): boolean {
    const arena = this.arena;
    const segment = old >>> 26;
    const base = (old & OFFSET_MASK) << 4;
    const i32 = arena.i32[segment];
    const w = base >> 2;
    const meta = i32[w + WORD_META];
    if (((meta >>> TYPE_SHIFT) & TYPE_MASK) !== TYPE_STRING || (meta & LARGE) !== 0 || length > MAX_EMBEDDED_BYTES)
      return false;
    if (deadline === NO_DEADLINE ? (meta & HAS_DEADLINE) !== 0 : deadline !== KEEP_DEADLINE) return false;
    const at =
      base + ((meta & HAS_DEADLINE) !== 0 ? HEADER_BYTES_WITH_DEADLINE : HEADER_BYTES) + (meta & KEY_BYTES_MASK);
    if (i32[w + WORD_VALUE] !== length && !arena.fits(old, at - base + length)) return false;
    arena.willChange(old);
    i32[w + WORD_META] = raw ? meta | RAW : meta & ~RAW;
    i32[w + WORD_VALUE] = length;
    i32[w + WORD_CLOCK] = (i32[w + WORD_CLOCK] & ~CLOCK_MASK) | this.clock;
    this.vBuf = arena.buf[segment];
    this.vView = arena.view[segment];
    this.vStart = at;
    this.vEnd = at + length;
    return true;
  }

  /**
   * Allocates an entry of a string with room for `length` value bytes, not yet linked; v registers say where they go. `given`:
   * the block of a LARGE value, 0 = a new one.
   */
  private newString(
    hash: number,
    kBuf: Buffer,
    kStart: number,
    kEnd: number,
    length: number,
    deadline: number,
    raw: boolean,
    given = 0,
  ): number {
    const arena = this.arena;
    const keyBytes = kEnd - kStart;
    const header = deadline >= 0 ? HEADER_BYTES_WITH_DEADLINE : HEADER_BYTES;
    const large = length > MAX_EMBEDDED_BYTES;
    const block = given !== 0 ? given : large ? arena.allocate(length) : 0;
    const h = arena.allocate(large ? ((header + keyBytes + 3) & ~3) + 4 : header + keyBytes + length);
    const segment = h >>> 26;
    const base = (h & OFFSET_MASK) << 4;
    const i32 = arena.i32[segment];
    const w = base >> 2;
    i32[w + WORD_HASH] = hash;
    i32[w + WORD_META] =
      keyBytes |
      (TYPE_STRING << TYPE_SHIFT) |
      (deadline >= 0 ? HAS_DEADLINE : 0) |
      (raw ? RAW : 0) |
      (large ? LARGE : 0);
    i32[w + WORD_VALUE] = length;
    i32[w + WORD_CLOCK] = this.clock;
    if (deadline >= 0) this.writeDeadline(h, deadline);
    this.copyTo(kBuf, kStart, segment, base + header, keyBytes);
    const at = base + header + keyBytes;
    if (large) {
      i32[(at + 3) >> 2] = block;
      this.vBuf = arena.buf[block >>> 26];
      this.vView = arena.view[block >>> 26];
      this.vStart = (block & OFFSET_MASK) << 4;
    } else {
      this.vBuf = arena.buf[segment];
      this.vView = arena.view[segment];
      this.vStart = at;
    }
    this.vEnd = this.vStart + length;
    return h;
  }

  private writeDeadline(h: number, deadline: number): void {
    const i32 = this.arena.i32[h >>> 26];
    const w = (h & OFFSET_MASK) << 2;
    i32[w + WORD_DEADLINE_HIGH] = Math.floor(deadline / TWO_32);
    i32[w + WORD_DEADLINE_LOW] = deadline >>> 0;
  }

  /** Puts a new entry in the place of `old` (0: none) and frees what `old` held. */
  private link(db: number, hash: number, h: number, deadline: number, old: number): void {
    if (old === 0) {
      this.table.insert(this.openRoot(db), hash, h);
      if (this.onNewKey !== null) this.onNewKey(this, db, h);
    } else {
      this.table.replace(this.roots[db << 1], hash, old, h);
      this.forgetDeadline(db, old);
      this.releaseEntry(old);
    }
    if (deadline >= 0) this.heap.push(this.heapRoot(db), deadline, h);
  }

  private forgetDeadline(db: number, h: number): void {
    const i32 = this.arena.i32[h >>> 26];
    const w = (h & OFFSET_MASK) << 2;
    const meta = i32[w + WORD_META];
    if ((meta & HAS_DEADLINE) !== 0) this.heap.remove(this.heapRoot(db), i32[w + WORD_HEAP_POSITION]);
    if (((meta >>> TYPE_SHIFT) & TYPE_MASK) === TYPE_HASH) this.fieldDeadlines.detach(db, h);
  }

  // ---- structures

  /** Root handle of a structure. */
  structure(h: number): number {
    return this.arena.i32[h >>> 26][((h & OFFSET_MASK) << 2) + WORD_VALUE];
  }

  /** Encoding number of a structure, 0 … 255. */
  encodingOf(h: number): number {
    return this.arena.i32[h >>> 26][((h & OFFSET_MASK) << 2) + WORD_CLOCK] >>> ENCODING_SHIFT;
  }

  /** Notes the root and encoding that a structure has now. */
  setStructure(h: number, root: number, encoding: number): void {
    const i32 = this.arena.i32[h >>> 26];
    const w = (h & OFFSET_MASK) << 2;
    if (i32[w + WORD_VALUE] === root && i32[w + WORD_CLOCK] >>> ENCODING_SHIFT === encoding) return;
    this.arena.willChange(h);
    i32[w + WORD_VALUE] = root;
    i32[w + WORD_CLOCK] = (i32[w + WORD_CLOCK] & CLOCK_MASK) | (encoding << ENCODING_SHIFT);
  }

  /**
   * Makes a structure the value of a key, in the place of `old` (0: absent), whose value is freed. `deadline`: unix ms or
   * NO_DEADLINE. The structure is the key's from now on. Returns the entry.
   */
  createStructure(
    db: number,
    hash: number,
    kBuf: Buffer,
    kStart: number,
    kEnd: number,
    type: number,
    root: number,
    encoding: number,
    deadline: number,
    old: number,
  ): number {
    const arena = this.arena;
    const keyBytes = kEnd - kStart;
    const header = deadline >= 0 ? HEADER_BYTES_WITH_DEADLINE : HEADER_BYTES;
    const h = arena.allocate(header + keyBytes);
    const i32 = arena.i32[h >>> 26];
    const w = (h & OFFSET_MASK) << 2;
    i32[w + WORD_HASH] = hash;
    i32[w + WORD_META] = keyBytes | (type << TYPE_SHIFT) | (deadline >= 0 ? HAS_DEADLINE : 0);
    i32[w + WORD_VALUE] = root;
    i32[w + WORD_CLOCK] = this.clock | (encoding << ENCODING_SHIFT);
    if (deadline >= 0) this.writeDeadline(h, deadline);
    this.copyTo(kBuf, kStart, h >>> 26, (w << 2) + header, keyBytes);
    this.link(db, hash, h, deadline, old);
    if (type === TYPE_HASH) this.fieldDeadlines.attach(db, h);
    return h;
  }

  /** Frees the entry's blocks. */
  private releaseEntry(h: number): void {
    const meta = this.meta(h);
    const type = (meta >>> TYPE_SHIFT) & TYPE_MASK;
    if (type !== TYPE_STRING) this.values.drop(type, this.structure(h), this.encodingOf(h));
    else if ((meta & LARGE) !== 0) this.arena.release(this.largeBlock(h));
    this.arena.release(h);
  }

  /** Handle of the block that holds a LARGE value, else 0. */
  largeBlock(h: number): number {
    const meta = this.meta(h);
    if ((meta & LARGE) === 0) return 0;
    return this.arena.i32[h >>> 26][this.largeWord(h, meta)];
  }

  private largeWord(h: number, meta: number): number {
    const header = (meta & HAS_DEADLINE) !== 0 ? HEADER_BYTES_WITH_DEADLINE : HEADER_BYTES;
    return (((h & OFFSET_MASK) << 4) + header + (meta & KEY_BYTES_MASK) + 3) >> 2;
  }

  /**
   * Gives a string another length: bytes are kept, growth is filled with zeros, the string becomes RAW. Returns the entry,
   * which may be another; v registers cover the new value, announced for writing.
   */
  resizeString(db: number, hash: number, h: number, newBytes: number): number {
    const arena = this.arena;
    const oldBytes = this.valueBytes(h);
    const large = this.largeBlock(h);
    if (large !== 0 && newBytes > MAX_EMBEDDED_BYTES) {
      this.resizeLarge(h, large, oldBytes, newBytes);
    } else if (large !== 0 || !this.overwrite(h, KEEP_DEADLINE, newBytes, true)) {
      h = this.moveString(db, hash, h, newBytes);
    }
    this.value(h);
    if (newBytes > oldBytes) this.vBuf.fill(0, this.vStart + oldBytes, this.vEnd);
    arena.willChange(h);
    return h;
  }

  private resizeLarge(h: number, block: number, oldBytes: number, newBytes: number): void {
    const arena = this.arena;
    const i32 = arena.i32[h >>> 26];
    const w = (h & OFFSET_MASK) << 2;
    arena.willChange(h);
    if (arena.fits(block, newBytes) && !arena.isPinned(block)) {
      arena.willChange(block);
    } else {
      // strings that grow by APPEND get slack, so that n appends copy O(n) bytes in all
      const room = newBytes > oldBytes ? Math.min(newBytes * 2, newBytes + (1 << 20)) : newBytes;
      const next = arena.allocate(room);
      arena.buf[block >>> 26].copy(
        arena.buf[next >>> 26],
        (next & OFFSET_MASK) << 4,
        (block & OFFSET_MASK) << 4,
        ((block & OFFSET_MASK) << 4) + Math.min(oldBytes, newBytes),
      );
      i32[this.largeWord(h, i32[w + WORD_META])] = next;
      arena.release(block);
    }
    i32[w + WORD_VALUE] = newBytes;
    i32[w + WORD_META] |= RAW;
    i32[w + WORD_CLOCK] = (i32[w + WORD_CLOCK] & ~CLOCK_MASK) | this.clock;
  }

  private moveString(db: number, hash: number, h: number, newBytes: number): number {
    const deadline = this.deadlineOf(h);
    this.key(h);
    const next = this.newString(hash, this.kBuf, this.kStart, this.kEnd, newBytes, deadline, true);
    const toBuf = this.vBuf;
    const toStart = this.vStart;
    this.value(h);
    this.vBuf.copy(toBuf, toStart, this.vStart, this.vStart + Math.min(newBytes, this.vEnd - this.vStart));
    this.link(db, hash, next, deadline, h);
    return next;
  }

  /**
   * Sets (unix ms) or removes (NO_DEADLINE) the deadline; returns the entry, which moves when its header grows or
   * shrinks.
   */
  setDeadline(db: number, h: number, deadline: number): number {
    const i32 = this.arena.i32[h >>> 26];
    const w = (h & OFFSET_MASK) << 2;
    const meta = i32[w + WORD_META];
    const has = (meta & HAS_DEADLINE) !== 0;
    if (has && deadline >= 0) {
      this.arena.willChange(h);
      this.writeDeadline(h, deadline);
      this.heap.update(this.heapRoot(db), i32[w + WORD_HEAP_POSITION], deadline);
      return h;
    }
    return has === deadline >= 0 ? h : this.reshape(db, h, meta, deadline);
  }

  /** Moves an entry to a block whose header has or lacks the deadline words. */
  private reshape(db: number, h: number, meta: number, deadline: number): number {
    const segment = h >>> 26;
    const base = (h & OFFSET_MASK) << 4;
    const key = base + ((meta & HAS_DEADLINE) !== 0 ? HEADER_BYTES_WITH_DEADLINE : HEADER_BYTES);
    const hash = this.hashOf(h);
    const next = this.copyEntry(h, hash, this.arena.buf[segment], key, key + (meta & KEY_BYTES_MASK), deadline);
    this.table.replace(this.roots[db << 1], hash, h, next);
    this.forgetDeadline(db, h);
    if (deadline >= 0) this.heap.push(this.heapRoot(db), deadline, next);
    this.fieldDeadlines.attach(db, next);
    this.arena.release(h);
    return next;
  }

  /** A copy of the entry's own block under a key, not linked; a LARGE value or a structure is then named by both. */
  private copyEntry(h: number, hash: number, kBuf: Buffer, kStart: number, kEnd: number, deadline: number): number {
    const arena = this.arena;
    const meta = this.meta(h);
    const keyBytes = kEnd - kStart;
    const from = (meta & HAS_DEADLINE) !== 0 ? HEADER_BYTES_WITH_DEADLINE : HEADER_BYTES;
    const to = deadline >= 0 ? HEADER_BYTES_WITH_DEADLINE : HEADER_BYTES;
    const large = this.largeBlock(h);
    const isString = ((meta >>> TYPE_SHIFT) & TYPE_MASK) === TYPE_STRING;
    const embedded = isString && large === 0 ? this.valueBytes(h) : 0;
    const next = arena.allocate(large !== 0 ? ((to + keyBytes + 3) & ~3) + 4 : to + keyBytes + embedded);
    const source = arena.i32[h >>> 26];
    const target = arena.i32[next >>> 26];
    const sw = (h & OFFSET_MASK) << 2;
    const tw = (next & OFFSET_MASK) << 2;
    target[tw + WORD_HASH] = hash;
    target[tw + WORD_META] = (meta & ~(KEY_BYTES_MASK | HAS_DEADLINE)) | keyBytes | (deadline >= 0 ? HAS_DEADLINE : 0);
    target[tw + WORD_VALUE] = source[sw + WORD_VALUE];
    target[tw + WORD_CLOCK] = source[sw + WORD_CLOCK];
    this.copyTo(kBuf, kStart, next >>> 26, (tw << 2) + to, keyBytes);
    const value = (sw << 2) + from + (meta & KEY_BYTES_MASK);
    this.copyTo(arena.buf[h >>> 26], value, next >>> 26, (tw << 2) + to + keyBytes, embedded);
    if (large !== 0) target[this.largeWord(next, target[tw + WORD_META])] = large;
    if (deadline >= 0) this.writeDeadline(next, deadline);
    return next;
  }

  /** Removes an entry and frees what it holds. */
  remove(db: number, h: number): void {
    this.table.remove(this.roots[db << 1], this.hashOf(h), h);
    this.forgetDeadline(db, h);
    this.releaseEntry(h);
  }

  /** Keys in a database, expired ones that nobody met yet included. */
  count(db: number): number {
    const root = this.roots[db << 1];
    return root === 0 ? 0 : this.table.count(root);
  }

  /** Keys with a deadline in a database. */
  deadlines(db: number): number {
    const root = this.heapRoot(db);
    return root === 0 ? 0 : this.heap.count(root);
  }

  /** The earliest deadline of a database in unix ms, Infinity where there is none. */
  firstDeadline(db: number): number {
    const root = this.heapRoot(db);
    return root === 0 ? Number.POSITIVE_INFINITY : this.heap.firstDeadline(root);
  }

  /** The entry with the earliest deadline, or 0. */
  firstExpiring(db: number): number {
    const root = this.heapRoot(db);
    return root === 0 || this.heap.count(root) === 0 ? 0 : this.heap.firstEntry(root);
  }

  /** Visits one home bucket; cursor and result as HashTable.scan. */
  scan(db: number, cursor: number, visit: (entry: number) => void): number {
    const root = this.roots[db << 1];
    return root === 0 ? 0 : this.table.scan(root, cursor, visit);
  }

  randomEntry(db: number, random32: () => number): number {
    const root = this.roots[db << 1];
    return root === 0 ? 0 : this.table.randomEntry(root, random32);
  }

  /** Exchanges two databases. */
  swap(a: number, b: number): void {
    for (let i = 0; i < 2; i++) {
      const kept = this.roots[(a << 1) + i];
      this.roots[(a << 1) + i] = this.roots[(b << 1) + i];
      this.roots[(b << 1) + i] = kept;
    }
    this.fieldDeadlines.swap(a, b);
  }

  /** Calls `visit` for every entry of a database; the table must not change meanwhile. */
  forEach(db: number, visit: (entry: number) => void): void {
    let cursor = 0;
    do cursor = this.scan(db, cursor, visit);
    while (cursor !== 0);
  }

  /** Bytes of the entry's blocks and its value's; of many elements `samples` are looked at (0: all). */
  memoryOf(h: number, samples: number): number {
    const type = this.typeOf(h);
    const own = this.arena.blockBytes(h);
    if (type !== TYPE_STRING)
      return own + this.values.kind(type).memoryBytes(this.structure(h), this.encodingOf(h), samples);
    const large = this.largeBlock(h);
    return own + (large === 0 ? 0 : this.arena.blockBytes(large));
  }

  /** Whole seconds since the access clock of the entry was set. */
  idleSeconds(h: number): number {
    return (this.clock - this.clockOf(h)) & CLOCK_MASK;
  }

  /**
   * Moves an entry of any type to another key or database of this shard, where that key must be absent. Value block,
   * deadline and access clock go along. Returns the entry.
   */
  rename(dbFrom: number, h: number, dbTo: number, newHash: number, kBuf: Buffer, kStart: number, kEnd: number): number {
    const deadline = this.deadlineOf(h);
    const next = this.copyEntry(h, newHash, kBuf, kStart, kEnd, deadline);
    this.table.remove(this.roots[dbFrom << 1], this.hashOf(h), h);
    this.forgetDeadline(dbFrom, h);
    this.arena.release(h);
    this.link(dbTo, newHash, next, deadline, 0);
    this.fieldDeadlines.attach(dbTo, next);
    return next;
  }

  /**
   * Empties a database at once; its table is freed in steps by `freeDropped`. Returns the number of keys that were in it.
   */
  flush(db: number): number {
    const table = this.roots[db << 1];
    if (table === 0) return 0;
    const keys = this.table.count(table);
    this.heap.releaseAll(this.heapRoot(db));
    this.fieldDeadlines.flush(db);
    this.roots[db << 1] = 0;
    this.roots[(db << 1) + 1] = 0;
    const count = this.roots[this.droppedCount];
    if (count === MAX_DROPPED) {
      while (this.table.releaseStep(table, 1024, this.releaseVisitor)) showProgress();
    } else {
      this.roots[this.droppedCount + 1 + count] = table;
      this.roots[this.droppedCount] = count + 1;
    }
    return keys;
  }

  /** Frees up to `budget` blocks of dropped values, or buckets of dropped tables with their entries; true while there is more. */
  freeDropped(budget: number): boolean {
    if (this.values.freeStep(budget)) return true;
    const count = this.roots[this.droppedCount];
    if (count === 0) return false;
    if (this.table.releaseStep(this.roots[this.droppedCount + count], budget, this.releaseVisitor)) return true;
    this.roots[this.droppedCount] = count - 1;
    return count > 1;
  }

  private readonly releaseVisitor = (h: number): void => this.releaseEntry(h);
}
