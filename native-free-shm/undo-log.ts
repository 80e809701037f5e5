/**
 * Takes back what one thread did to an arena under one hold of its latch: the undo of a script (R6, R8). One object per thread and arena.
 *
 *   begin ──► allocations are noted, blocks that change are copied, blocks that are released are held ──► keep, or undo
 *
 *   notes    by number:  handle | state: FRESH, OLD, HELD, LINE | place and length of the old bytes | those of the line | slot
 *   slots    hash table: handle → number + 1; open addressing
 *   copies   old bytes, one after the other; those of long blocks have buffers of their own
 *
 * Where only a part of a longer block changes (a bucket of a table), its lines of 64 bytes are copied. A line is noted under the handle
 * that a block would have which began there: the block that it lies in is live all the time, so none does but, perhaps, that block itself.
 *
 * The bookkeeping of the arena itself is never restored: undo puts old bytes back and releases what is new, keep releases what was held.
 * Nothing is made per block: a script that changes a few small blocks, which most do, must cost little more than its changes.
 *
 * Invariant 1: between begin and keep or undo no block that existed at begin becomes free, so every old handle stays what it was.
 * Invariant 2: of a block that is FRESH or OLD no line is copied any more; so a line always has its oldest bytes, and is restored last.
 * Invariant 3: a snapshot's sink, where one is active, hears of everything as if there were no undo log; releases reach it at keep.
 */
import type { Arena } from './arena.ts';
import type { CaptureSink } from './capture.ts';

const OFFSET_MASK = 0x3ffffff;
const FRESH = 1;
const OLD = 2;
const HELD = 4;
const LINE = 8;
const FIRST_NOTES = 64;
const FIRST_COPIES = 4096;
const LINE_BYTES = 64;
/** A block of up to so many bytes is copied whole, whatever part of it changes. */
const SHORT_BYTES = 256;
const LONG_BYTES = 64 * 1024;
/** What is kept for the next script. */
const KEPT_NOTES = 1 << 14;
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
  private linePlaces!: Float64Array;
  private lineLengths!: Int32Array;
  private slotOf!: Int32Array;
  private slots!: Int32Array;
  private copies!: Buffer;
  private copyWords!: Int32Array;
  private copied = 0;
  private readonly longCopies = new Map<number, Buffer>();

  constructor(arena: Arena) {
    this.arena = arena;
    this.makeRoom(FIRST_NOTES);
    this.makeCopies(FIRST_COPIES);
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
    const { count, states } = this;
    for (let note = 0; note < count; note++) if ((states[note] & OLD) !== 0) this.restore(note);
    for (let note = 0; note < count; note++) {
      if ((states[note] & LINE) !== 0) this.putBack(note, this.linePlaces[note], this.lineLengths[note]);
    }
    this.releaseAll(FRESH);
    this.forget();
  }

  private restore(note: number): void {
    const handle = this.handles[note];
    const long = this.longCopies.get(handle);
    if (long !== undefined) long.copy(this.arena.buf[handle >>> 26], (handle & OFFSET_MASK) << 4);
    else this.putBack(note, this.places[note], this.lengths[note]);
  }

  private putBack(note: number, place: number, bytes: number): void {
    const handle = this.handles[note];
    this.copies.copy(this.arena.buf[handle >>> 26], (handle & OFFSET_MASK) << 4, place, place + bytes);
  }

  private releaseAll(state: number): void {
    for (let note = 0; note < this.count; note++) {
      if ((this.states[note] & state) !== 0) this.arena.release(this.handles[note]);
    }
  }

  private forget(): void {
    const { slots, slotOf } = this;
    for (let note = 0; note < this.count; note++) slots[slotOf[note]] = 0;
    this.count = this.copied = 0;
    this.snapshot = null;
    if (this.longCopies.size > 0) this.longCopies.clear();
    if (this.copies.length > KEPT_COPIES) this.makeCopies(FIRST_COPIES);
    if (this.handles.length > KEPT_NOTES) this.makeRoom(FIRST_NOTES);
  }

  // ---- notes

  /** New, empty slots, and room for half as many notes; those that are there stay. */
  private makeRoom(notes: number): void {
    const { count, handles, states, places, lengths, linePlaces, lineLengths } = this;
    this.handles = new Int32Array(notes);
    this.states = new Uint8Array(notes);
    this.places = new Float64Array(notes);
    this.lengths = new Int32Array(notes);
    this.linePlaces = new Float64Array(notes);
    this.lineLengths = new Int32Array(notes);
    this.slotOf = new Int32Array(notes);
    this.slots = new Int32Array(notes * 2);
    for (let note = 0; note < count; note++) {
      this.handles[note] = handles[note];
      this.states[note] = states[note];
      this.places[note] = places[note];
      this.lengths[note] = lengths[note];
      this.linePlaces[note] = linePlaces[note];
      this.lineLengths[note] = lineLengths[note];
      this.slots[(this.slotOf[note] = this.slotFor(handles[note]))] = note + 1;
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

  private stateOf(handle: number): number {
    const slot = this.slotFor(handle);
    return this.slots[slot] === 0 ? 0 : this.states[this.slots[slot] - 1];
  }

  /** The note's number; where there is none yet a new one, with no state. */
  private noteOf(handle: number): number {
    let slot = this.slotFor(handle);
    if (this.slots[slot] !== 0) return this.slots[slot] - 1;
    if (this.count === this.handles.length) {
      this.makeRoom(this.count * 2);
      slot = this.slotFor(handle);
    }
    const note = this.count++;
    this.handles[note] = handle;
    this.states[note] = 0;
    this.slotOf[note] = slot;
    this.slots[slot] = note + 1;
    return note;
  }

  // ---- copies

  private makeCopies(bytes: number): void {
    this.copies = Buffer.allocUnsafeSlow(Math.ceil(bytes / 4) * 4);
    this.copyWords = new Int32Array(this.copies.buffer);
  }

  /** Copies bytes of a block, which are a multiple of 16; returns where they are. */
  private copy(buf: Buffer, handle: number, bytes: number): number {
    const place = this.copied;
    if (place + bytes > this.copies.length) {
      const before = this.copies;
      this.makeCopies(Math.max(before.length * 2, place + bytes));
      before.copy(this.copies, 0, 0, place);
    }
    this.copied = place + bytes;
    if (bytes > SHORT_BYTES) {
      const start = (handle & OFFSET_MASK) << 4;
      buf.copy(this.copies, place, start, start + bytes);
      return place;
    }
    // Buffer.copy makes views on its way, which cost more than some words
    const { copyWords } = this;
    const words = this.arena.i32[handle >>> 26];
    const from = (handle & OFFSET_MASK) << 2;
    const to = place >>> 2;
    for (let i = (bytes >>> 2) - 1; i >= 0; i--) copyWords[to + i] = words[from + i];
    return place;
  }

  private copyLine(handle: number, buf: Buffer, bytes: number): void {
    const note = this.noteOf(handle);
    if ((this.states[note] & LINE) !== 0) return;
    this.linePlaces[note] = this.copy(buf, handle, bytes);
    this.lineLengths[note] = bytes;
    this.states[note] |= LINE;
  }

  // ---- CaptureSink

  allocated(handle: number): void {
    // a note of its own first: making room for it replaces the arrays
    const note = this.noteOf(handle);
    this.states[note] |= FRESH;
    this.snapshot?.allocated(handle);
  }

  changing(handle: number, buf: Buffer, start: number, bytes: number): void {
    const note = this.noteOf(handle);
    if ((this.states[note] & (FRESH | OLD)) === 0) {
      this.states[note] |= OLD;
      if (bytes > LONG_BYTES) this.longCopies.set(handle, Buffer.from(buf.subarray(start, start + bytes)));
      else {
        this.places[note] = this.copy(buf, handle, bytes);
        this.lengths[note] = bytes;
      }
    }
    this.snapshot?.changing(handle, buf, start, bytes);
  }

  changingPart(handle: number, buf: Buffer, start: number, bytes: number, offset: number, partBytes: number): void {
    if (bytes <= SHORT_BYTES) return this.changing(handle, buf, start, bytes);
    if ((this.stateOf(handle) & (FRESH | OLD)) === 0) {
      for (let line = offset & -LINE_BYTES; line < offset + partBytes; line += LINE_BYTES) {
        this.copyLine(handle + (line >>> 4), buf, Math.min(LINE_BYTES, bytes - line));
      }
    }
    this.snapshot?.changingPart(handle, buf, start, bytes, offset, partBytes);
  }

  releasing(handle: number, buf: Buffer, start: number, bytes: number): boolean {
    const note = this.noteOf(handle);
    const state = this.states[note];
    if ((state & FRESH) !== 0) {
      this.states[note] = state & ~FRESH;
      return this.snapshot?.releasing(handle, buf, start, bytes) ?? false;
    }
    if ((state & HELD) !== 0) throw new Error(`undo log: block ${handle} is released twice`);
    this.states[note] = state | HELD;
    return true;
  }
}
