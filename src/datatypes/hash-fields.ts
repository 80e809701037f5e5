/**
 * The large form of a hash: fields found by their bytes, and, where fields have deadlines, a heap that knows which is due next.
 *
 *   entry   | hash | bits 0..23 field bytes, 28 HAS_DEADLINE, 30 LARGE | value bytes | field from byte 12 | value right behind it
 *   with a deadline   words 3..5 are deadline low, high (unix ms) and position in the heap; the field begins at byte 24
 *   LARGE   behind the field, on the next multiple of 4, the handle of a block that holds the value
 *
 * Stateless but for registers. Who holds the shard's latch reads and writes; nobody else does, but for bytes of pinned blocks.
 *
 * Invariant 1: the heap holds exactly the entries with HAS_DEADLINE, each at the position in its word 5.
 * Invariant 2: what moves an entry replaces it in the table, tells the heap, and returns the new handle.
 */
import type { Arena } from '../../native-free-shm/arena.ts';
import { copyInto } from '../../native-free-shm/bytes.ts';
import { DeadlineHeap } from '../../native-free-shm/deadline-heap.ts';
import type { HalfSipHash } from '../../native-free-shm/half-siphash.ts';
import { HashTable } from '../../native-free-shm/hash-table.ts';

const OFFSET_MASK = 0x3ffffff;
const TWO_32 = 4294967296;
const WORD_META = 1;
const WORD_VALUE = 2;
const WORD_DEADLINE_LOW = 3;
const WORD_DEADLINE_HIGH = 4;
const WORD_POSITION = 5;
const FIELD_BYTES_MASK = 0xffffff;
const HAS_DEADLINE = 1 << 28;
const LARGE = 1 << 30;
const FIELD_AT = 12;
const LATER_FIELD_AT = 24;
/** Longer values live in a block of their own, so that deadlines come and go without copying them. */
export const MAX_EMBEDDED_BYTES = 4096;

/** The longest field, in bytes. */
export const MAX_FIELD_BYTES = 0xfffffe;
/** No deadline, where a deadline in unix ms is asked for. */
export const NO_FIELD_DEADLINE = -1;

export class HashFields {
  readonly table: HashTable;
  readonly heap: DeadlineHeap;
  /** Registers of `loadField`. */
  fBuf: Buffer;
  fView: DataView;
  fStart = 0;
  fEnd = 0;
  /** Registers of `loadValue`; `block`: that of a LARGE value, else 0. */
  vBuf: Buffer;
  vView: DataView;
  vStart = 0;
  vEnd = 0;
  block = 0;
  private readonly arena: Arena;
  private readonly hasher: HalfSipHash;
  /** Hash of the field that `find` looked for last. */
  private hash = 0;

  constructor(arena: Arena, hasher: HalfSipHash) {
    this.arena = arena;
    this.hasher = hasher;
    this.table = new HashTable(arena, FIELD_AT, LATER_FIELD_AT);
    this.heap = new DeadlineHeap(arena, WORD_POSITION);
    this.fBuf = this.vBuf = arena.buf[0];
    this.fView = this.vView = arena.view[0];
  }

  // ---- reading

  /** The entry of a field, 0 where it is absent. */
  find(table: number, buf: Buffer, start: number, end: number): number {
    this.hash = this.hasher.hash(buf, start, end);
    return this.table.find(table, this.hash, buf, start, end);
  }

  /** Deadline in unix ms, or NO_FIELD_DEADLINE. */
  deadlineOf(entry: number): number {
    const i32 = this.arena.i32[entry >>> 26];
    const w = (entry & OFFSET_MASK) << 2;
    if ((i32[w + WORD_META] & HAS_DEADLINE) === 0) return NO_FIELD_DEADLINE;
    return i32[w + WORD_DEADLINE_HIGH] * TWO_32 + (i32[w + WORD_DEADLINE_LOW] >>> 0);
  }

  /** Where an entry with a deadline stands in the heap. */
  heapPosition(entry: number): number {
    return this.arena.i32[entry >>> 26][((entry & OFFSET_MASK) << 2) + WORD_POSITION];
  }

  loadField(entry: number): void {
    const segment = entry >>> 26;
    const base = (entry & OFFSET_MASK) << 4;
    const meta = this.arena.i32[segment][(base >> 2) + WORD_META];
    this.fBuf = this.arena.buf[segment];
    this.fView = this.arena.view[segment];
    this.fStart = base + ((meta & HAS_DEADLINE) !== 0 ? LATER_FIELD_AT : FIELD_AT);
    this.fEnd = this.fStart + (meta & FIELD_BYTES_MASK);
  }

  loadValue(entry: number): void {
    let segment = entry >>> 26;
    const base = (entry & OFFSET_MASK) << 4;
    const i32 = this.arena.i32[segment];
    const meta = i32[(base >> 2) + WORD_META];
    let at = base + ((meta & HAS_DEADLINE) !== 0 ? LATER_FIELD_AT : FIELD_AT) + (meta & FIELD_BYTES_MASK);
    this.block = 0;
    if ((meta & LARGE) !== 0) {
      const block = (this.block = i32[(at + 3) >> 2]);
      segment = block >>> 26;
      at = (block & OFFSET_MASK) << 4;
    }
    this.vBuf = this.arena.buf[segment];
    this.vView = this.arena.view[segment];
    this.vStart = at;
    this.vEnd = at + i32[(base >> 2) + WORD_VALUE];
  }

  // ---- changing

  /**
   * Adds the field that `find` has just not found, without a deadline. `given`: a private block (Arena.allocatePrivate) that holds
   * the value already, or 0.
   */
  insertMissing(
    table: number,
    fBuf: Buffer,
    fStart: number,
    fEnd: number,
    vBuf: Buffer,
    vStart: number,
    vEnd: number,
    given: number,
  ): number {
    const entry = this.newEntry(this.hash, fBuf, fStart, fEnd, vBuf, vStart, vEnd, NO_FIELD_DEADLINE, given);
    this.table.insert(table, this.hash, entry);
    return entry;
  }

  /**
   * Gives a field another value; its deadline stays (`keeps`) or goes. `heap`: root of the heap, 0 where no field has a deadline.
   * Returns the entry.
   */
  setValue(
    table: number,
    heap: number,
    entry: number,
    vBuf: Buffer,
    vStart: number,
    vEnd: number,
    given: number,
    keeps: boolean,
  ): number {
    const i32 = this.arena.i32[entry >>> 26];
    const w = (entry & OFFSET_MASK) << 2;
    const has = (i32[w + WORD_META] & HAS_DEADLINE) !== 0;
    if ((keeps || !has) && this.overwrite(entry, vBuf, vStart, vEnd, given)) return entry;
    const deadline = keeps ? this.deadlineOf(entry) : NO_FIELD_DEADLINE;
    this.loadField(entry);
    const next = this.newEntry(i32[w], this.fBuf, this.fStart, this.fEnd, vBuf, vStart, vEnd, deadline, given);
    this.table.replace(table, i32[w], entry, next);
    if (deadline >= 0) this.heap.moved(heap, i32[w + WORD_POSITION], next);
    else if (has) this.heap.remove(heap, i32[w + WORD_POSITION]);
    this.releaseEntry(entry);
    return next;
  }

  /** Tries to keep the entry's block for another value. */
  private overwrite(entry: number, vBuf: Buffer, vStart: number, vEnd: number, given: number): boolean {
    const { arena } = this;
    const segment = entry >>> 26;
    const base = (entry & OFFSET_MASK) << 4;
    const i32 = arena.i32[segment];
    const w = base >> 2;
    const meta = i32[w + WORD_META];
    const length = vEnd - vStart;
    const at = base + ((meta & HAS_DEADLINE) !== 0 ? LATER_FIELD_AT : FIELD_AT) + (meta & FIELD_BYTES_MASK);
    if (((meta & LARGE) !== 0) !== length > MAX_EMBEDDED_BYTES) return false;
    if ((meta & LARGE) !== 0) {
      const old = i32[(at + 3) >> 2];
      arena.willChange(entry);
      i32[(at + 3) >> 2] = this.valueBlock(vBuf, vStart, vEnd, given);
      i32[w + WORD_VALUE] = length;
      arena.release(old);
      return true;
    }
    if (i32[w + WORD_VALUE] !== length && !arena.fits(entry, at - base + length)) return false;
    arena.willChange(entry);
    i32[w + WORD_VALUE] = length;
    copyInto(arena.buf[segment], at, vBuf, vStart, length);
    return true;
  }

  /** Gives a field a deadline in unix ms; returns its entry. */
  setDeadline(table: number, heap: number, entry: number, deadline: number): number {
    const i32 = this.arena.i32[entry >>> 26];
    const w = (entry & OFFSET_MASK) << 2;
    if ((i32[w + WORD_META] & HAS_DEADLINE) !== 0) {
      this.arena.willChange(entry);
      writeDeadline(i32, w, deadline);
      this.heap.update(heap, i32[w + WORD_POSITION], deadline);
      return entry;
    }
    const next = this.reshape(table, entry, deadline);
    this.heap.push(heap, deadline, next);
    return next;
  }

  /** Takes the deadline of a field that has one away; returns its entry. */
  clearDeadline(table: number, heap: number, entry: number): number {
    this.heap.remove(heap, this.arena.i32[entry >>> 26][((entry & OFFSET_MASK) << 2) + WORD_POSITION]);
    return this.reshape(table, entry, NO_FIELD_DEADLINE);
  }

  /** Moves an entry to a block whose header has or lacks the deadline words; not yet in the heap. */
  private reshape(table: number, entry: number, deadline: number): number {
    const i32 = this.arena.i32[entry >>> 26];
    const hash = i32[(entry & OFFSET_MASK) << 2];
    this.loadField(entry);
    this.loadValue(entry);
    const { fBuf, fStart, fEnd, vBuf, vStart, vEnd, block } = this;
    const next = this.openEntry(hash, fBuf, fStart, fEnd, vEnd - vStart, deadline, block);
    if (block === 0) copyInto(this.vBuf, this.vStart, vBuf, vStart, vEnd - vStart);
    this.table.replace(table, hash, entry, next);
    this.arena.release(entry);
    return next;
  }

  /** Takes a field out and frees it. */
  remove(table: number, heap: number, entry: number): void {
    const i32 = this.arena.i32[entry >>> 26];
    const w = (entry & OFFSET_MASK) << 2;
    if ((i32[w + WORD_META] & HAS_DEADLINE) !== 0) this.heap.remove(heap, i32[w + WORD_POSITION]);
    this.table.remove(table, i32[w], entry);
    this.releaseEntry(entry);
  }

  private newEntry(
    hash: number,
    fBuf: Buffer,
    fStart: number,
    fEnd: number,
    vBuf: Buffer,
    vStart: number,
    vEnd: number,
    deadline: number,
    given: number,
  ): number {
    const length = vEnd - vStart;
    const block = length > MAX_EMBEDDED_BYTES ? this.valueBlock(vBuf, vStart, vEnd, given) : 0;
    const entry = this.openEntry(hash, fBuf, fStart, fEnd, length, deadline, block);
    if (block === 0) copyInto(this.vBuf, this.vStart, vBuf, vStart, length);
    return entry;
  }

  /** A block with the bytes of a LARGE value: the given private one, which is adopted, or a new one. */
  private valueBlock(vBuf: Buffer, vStart: number, vEnd: number, given: number): number {
    if (given !== 0) {
      this.arena.adopt(given);
      return given;
    }
    const block = this.arena.allocate(vEnd - vStart);
    vBuf.copy(this.arena.buf[block >>> 26], (block & OFFSET_MASK) << 4, vStart, vEnd);
    return block;
  }

  /** An entry with header and field, linked nowhere. Without a block (0) the value registers say where its bytes go. */
  private openEntry(
    hash: number,
    fBuf: Buffer,
    fStart: number,
    fEnd: number,
    length: number,
    deadline: number,
    block: number,
  ): number {
    const { arena } = this;
    const fieldBytes = fEnd - fStart;
    const header = deadline >= 0 ? LATER_FIELD_AT : FIELD_AT;
    const entry = arena.allocate(block !== 0 ? ((header + fieldBytes + 3) & ~3) + 4 : header + fieldBytes + length);
    const segment = entry >>> 26;
    const base = (entry & OFFSET_MASK) << 4;
    const i32 = arena.i32[segment];
    const w = base >> 2;
    i32[w] = hash;
    i32[w + WORD_META] = fieldBytes | (deadline >= 0 ? HAS_DEADLINE : 0) | (block !== 0 ? LARGE : 0);
    i32[w + WORD_VALUE] = length;
    if (deadline >= 0) writeDeadline(i32, w, deadline);
    copyInto(arena.buf[segment], base + header, fBuf, fStart, fieldBytes);
    const at = base + header + fieldBytes;
    if (block !== 0) {
      i32[(at + 3) >> 2] = block;
    } else {
      this.vBuf = arena.buf[segment];
      this.vStart = at;
    }
    return entry;
  }

  /** Frees the blocks of an entry that is linked nowhere any more. */
  readonly releaseEntry = (entry: number): void => {
    const i32 = this.arena.i32[entry >>> 26];
    const w = (entry & OFFSET_MASK) << 2;
    if ((i32[w + WORD_META] & LARGE) !== 0) this.arena.release(i32[largeWord(i32, w)]);
    this.arena.release(entry);
  };

  /** Bytes of the entry's blocks. */
  entryBytes(entry: number): number {
    const i32 = this.arena.i32[entry >>> 26];
    const w = (entry & OFFSET_MASK) << 2;
    const own = this.arena.blockBytes(entry);
    return (i32[w + WORD_META] & LARGE) === 0 ? own : own + this.arena.blockBytes(i32[largeWord(i32, w)]);
  }

  /** Bytes that adding so many fields, with fields and values of `bytes` bytes in all, may allocate at most; 0: to a new table. */
  growthBytes(table: number, fields: number, bytes: number): number {
    // blocks come in steps of 16 up to 512 bytes, then of an eighth, then of pages; a large value has two blocks
    const blocks = fields * (LATER_FIELD_AT + 40) + bytes * 1.25 + Math.min(fields, bytes / MAX_EMBEDDED_BYTES) * 4096;
    return Math.ceil(blocks) + this.table.growthBytes(table, fields);
  }
}

/** Index of the word with the block of a LARGE value; `w`: first word of the entry. */
function largeWord(i32: Int32Array, w: number): number {
  const meta = i32[w + WORD_META];
  const header = (meta & HAS_DEADLINE) !== 0 ? LATER_FIELD_AT : FIELD_AT;
  return ((w << 2) + header + (meta & FIELD_BYTES_MASK) + 3) >> 2;
}

function writeDeadline(i32: Int32Array, w: number, deadline: number): void {
  i32[w + WORD_DEADLINE_HIGH] = Math.floor(deadline / TWO_32);
  i32[w + WORD_DEADLINE_LOW] = deadline >>> 0;
}
