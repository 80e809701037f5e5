/**
 * Takes back what one thread did to an arena under one hold of its latch: the undo of a script (R6, R8). One object per thread and arena.
 *
 *   begin ──► allocations are noted, blocks that change are copied, blocks that are released are held ──► keep, or undo
 *
 *   blocks   by number:  handle | state: FRESH, OLD, HELD | place and length of the old bytes | slot
 *   slots    hash table: handle → number + 1; open addressing
 *   copies   old bytes, one after the other; those of long blocks have buffers of their own
 *
 * The bookkeeping of the arena itself is never restored: undo puts old bytes back and releases what is new, keep releases what was held.
 * Nothing is made per block: a script that changes a few small blocks, which most do, must cost little more than its changes.
 *
 * Invariant 1: between begin and keep or undo no block that existed at begin becomes free, so every old handle stays what it was.
 * Invariant 2: a snapshot's sink, where one is active, hears of everything as if there were no undo log; releases reach it at keep.
 */
import type { Arena } from './arena.ts';
import type { CaptureSink } from './capture.ts';

const OFFSET_MASK = 0x3ffffff;
const FRESH = 1;
const OLD = 2;
const HELD = 4;
const FIRST_BLOCKS = 64;
const FIRST_COPIES = 4096;
const LONG_BYTES = 64 * 1024;
/** What is kept for the next script. */
const KEPT_BLOCKS = 1 << 14;
const KEPT_COPIES = 1 << 20;

export class UndoLog implements CaptureSink {
  private readonly arena: Arena;
  private sinkBefore: CaptureSink | null = null;
  private snapshot: CaptureSink | null = null;
  private count = 0;
  private handles!: Int32Array;
  private states!: Uint8Array;
  private places!: Float64Array;
  private lengths!: Int32Array;
  private slotOf!: Int32Array;
  private slots!: Int32Array;
  private copies = Buffer.alloc(0);
  private copied = 0;
  private readonly longCopies = new Map<number, Buffer>();

  constructor(arena: Arena) {
    this.arena = arena;
    this.makeRoom(FIRST_BLOCKS);
  }

  /** From now on changes can be taken back. Under the latch, as everything here. */
  begin(): void {
    const { arena } = this;
    this.sinkBefore = arena.captureSink;
    this.snapshot = arena.capturing() ? arena.captureSink : null;
    arena.captureSink = this;
    arena.beginCapture();
  }

  private end(): void {
    this.arena.endCapture();
    this.arena.captureSink = this.sinkBefore;
  }

  /** The changes stay. */
  keep(): void {
    this.end();
    this.releaseAll(HELD);
    this.forget();
  }

  /** All blocks are again what they were at `begin`. */
  undo(): void {
    this.end();
    for (let block = 0; block < this.count; block++) {
      if ((this.states[block] & OLD) !== 0) this.restore(block);
    }
    this.releaseAll(FRESH);
    this.forget();
  }

  private restore(block: number): void {
    const handle = this.handles[block];
    const to = this.arena.buf[handle >>> 26];
    const start = (handle & OFFSET_MASK) << 4;
    const long = this.longCopies.get(handle);
    if (long !== undefined) long.copy(to, start);
    else this.copies.copy(to, start, this.places[block], this.places[block] + this.lengths[block]);
  }

  private releaseAll(state: number): void {
    for (let block = 0; block < this.count; block++) {
      if ((this.states[block] & state) !== 0) this.arena.release(this.handles[block]);
    }
  }

  private forget(): void {
    const { slots, slotOf } = this;
    for (let block = 0; block < this.count; block++) slots[slotOf[block]] = 0;
    this.count = this.copied = 0;
    this.snapshot = null;
    if (this.longCopies.size > 0) this.longCopies.clear();
    if (this.copies.length > KEPT_COPIES) this.copies = Buffer.alloc(0);
    if (this.handles.length > KEPT_BLOCKS) this.makeRoom(FIRST_BLOCKS);
  }

  // ---- what is known of each block

  /** New, empty slots, and room for half as many blocks; those that are known stay known. */
  private makeRoom(blocks: number): void {
    const { count, handles, states, places, lengths } = this;
    this.handles = new Int32Array(blocks);
    this.states = new Uint8Array(blocks);
    this.places = new Float64Array(blocks);
    this.lengths = new Int32Array(blocks);
    this.slotOf = new Int32Array(blocks);
    this.slots = new Int32Array(blocks * 2);
    for (let block = 0; block < count; block++) {
      this.handles[block] = handles[block];
      this.states[block] = states[block];
      this.places[block] = places[block];
      this.lengths[block] = lengths[block];
      this.slots[(this.slotOf[block] = this.slotFor(handles[block]))] = block + 1;
    }
  }

  /** Where the handle stands, or the empty slot where it belongs. */
  private slotFor(handle: number): number {
    const { slots, handles } = this;
    const mask = slots.length - 1;
    let slot = Math.imul(handle ^ (handle >>> 15), 0x9e3779b1) >>> 8;
    for (slot &= mask; slots[slot] !== 0; slot = (slot + 1) & mask) if (handles[slots[slot] - 1] === handle) break;
    return slot;
  }

  /** The block's number; what is not known yet gets one, with no state. */
  private blockOf(handle: number): number {
    let slot = this.slotFor(handle);
    if (this.slots[slot] !== 0) return this.slots[slot] - 1;
    if (this.count === this.handles.length) {
      this.makeRoom(this.count * 2);
      slot = this.slotFor(handle);
    }
    const block = this.count++;
    this.handles[block] = handle;
    this.states[block] = 0;
    this.slotOf[block] = slot;
    this.slots[slot] = block + 1;
    return block;
  }

  private copy(block: number, handle: number, buf: Buffer, start: number, bytes: number): void {
    if (bytes > LONG_BYTES) {
      this.longCopies.set(handle, Buffer.from(buf.subarray(start, start + bytes)));
      return;
    }
    const place = this.copied;
    if (place + bytes > this.copies.length) {
      const bigger = Buffer.allocUnsafeSlow(Math.max(FIRST_COPIES, this.copies.length * 2, place + bytes));
      this.copies.copy(bigger, 0, 0, place);
      this.copies = bigger;
    }
    buf.copy(this.copies, place, start, start + bytes);
    this.places[block] = place;
    this.lengths[block] = bytes;
    this.copied = place + bytes;
  }

  // ---- CaptureSink

  allocated(handle: number): void {
    this.states[this.blockOf(handle)] |= FRESH;
    this.snapshot?.allocated(handle);
  }

  changing(handle: number, buf: Buffer, start: number, bytes: number): void {
    const block = this.blockOf(handle);
    if ((this.states[block] & (FRESH | OLD)) === 0) {
      this.copy(block, handle, buf, start, bytes);
      this.states[block] |= OLD;
    }
    this.snapshot?.changing(handle, buf, start, bytes);
  }

  releasing(handle: number, buf: Buffer, start: number, bytes: number): boolean {
    const block = this.blockOf(handle);
    const state = this.states[block];
    if ((state & FRESH) !== 0) {
      this.states[block] = state & ~FRESH;
      return this.snapshot?.releasing(handle, buf, start, bytes) ?? false;
    }
    if ((state & HELD) !== 0) throw new Error(`undo log: block ${handle} is released twice`);
    this.states[block] = state | HELD;
    return true;
  }
}
