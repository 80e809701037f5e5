/**
 * What blocks held at a moment: while a capture is active, the bytes of every block that changes or goes are kept, so that a
 * reader can walk the structures as they were (PastView).
 *
 *   store       an arena of its own, with copies of blocks and a hash table of notes by block handle
 *   note        | hash | 4, bit 24 HELD | handle of the copy in the store, 0 = none | block handle (the key) |      16 bytes
 *               a copy: the block has changed since · HELD: the block was released but still stands in the arena, unchanged ·
 *               neither: the block came into being after the moment
 *   words       Int32: | table of notes | granules told to the gauge |    Float64 from byte 8: | bytes of held blocks |
 *
 * One object per thread and shard; everything runs under the shard's latch.
 *
 * Invariant 1: a block that existed at the moment and has no note is as it was.
 * Invariant 2: a note with a copy or HELD stays until the end, whatever becomes of the handle.
 */
import { Arena, type ArenaMemory, createArenaMemory } from './arena.ts';
import { BlockView } from './block-view.ts';
import type { CaptureSink } from './capture.ts';
import { HashTable } from './hash-table.ts';
import { granulesOf, type PastGauge } from './past-gauge.ts';

const OFFSET_MASK = 0x3ffffff;
const NOTE_BYTES = 16;
const KEY_AT = 12;
const KEY_BYTES = 4;
const HELD = 1 << 24;
const WORDS_BYTES = 16;
/** What a note may need besides the copy: itself, and growth of the table. */
const NOTE_ROOM_BYTES = 512 * 1024;

export interface OldBlocksMemory {
  store: ArenaMemory;
  words: SharedArrayBuffer;
}

/** Memory for the old bytes of one arena: room for `maxBytes`, committed as it is used. */
export function createOldBlocksMemory(maxBytes: number): OldBlocksMemory {
  return { store: createArenaMemory(maxBytes), words: new SharedArrayBuffer(WORDS_BYTES) };
}

export class OldBlocks implements CaptureSink {
  readonly store: Arena;
  private readonly live: Arena;
  private readonly table: HashTable;
  private readonly words: Int32Array;
  private readonly counts: Float64Array;
  private readonly key = Buffer.alloc(KEY_BYTES);
  private readonly gauge: PastGauge | null;

  /** Attaches this thread, and makes the object the sink of its `live` arena. `gauge` is told what the past takes. */
  constructor(memory: OldBlocksMemory, live: Arena, gauge: PastGauge | null = null) {
    this.live = live;
    this.gauge = gauge;
    this.store = new Arena(memory.store);
    this.table = new HashTable(this.store, KEY_AT, KEY_AT);
    this.words = new Int32Array(memory.words, 0, 2);
    this.counts = new Float64Array(memory.words, 8, 1);
    live.captureSink = this;
  }

  /** The moment is now: from here on old bytes are kept. There must be no other capture under way. */
  begin(): void {
    if (this.words[0] !== 0) throw new Error('old blocks: the last capture has not been cleared');
    this.words[0] = this.table.create();
    this.counts[0] = 0;
    this.live.beginCapture();
  }

  /** Nobody needs the past any more; `clear` gives the memory back. */
  end(): void {
    this.live.endCapture();
  }

  /** Frees up to `budget` buckets of notes with what they keep; true while there is more. After `end`. */
  clear(budget: number): boolean {
    if (this.words[0] === 0) return false;
    const more = this.table.releaseStep(this.words[0], budget, this.forget);
    if (!more) {
      this.words[0] = 0;
      this.counts[0] = 0;
    }
    this.tell();
    return more;
  }

  /** Tells the gauge what has changed since it was last told. */
  private tell(): void {
    if (this.gauge === null) return;
    const granules = granulesOf(this.keptBytes());
    const told = this.words[1];
    if (granules === told) return;
    this.words[1] = granules;
    this.gauge.add(granules - told);
  }

  private readonly forget = (note: number): void => {
    const i32 = this.store.i32[note >>> 26];
    const w = (note & OFFSET_MASK) << 2;
    if ((i32[w + 1] & HELD) !== 0) {
      this.counts[0] -= this.live.blockBytes(i32[w + 3]);
      this.live.releaseHeld(i32[w + 3]);
    }
    if (i32[w + 2] !== 0) this.store.release(i32[w + 2]);
    this.store.release(note);
  };

  /** Bytes that the past takes: copies, notes, and blocks that would be free without it. */
  keptBytes(): number {
    return this.store.liveBytes() + this.counts[0];
  }

  /** True between `begin` and the last `clear`. */
  inUse(): boolean {
    return this.words[0] !== 0;
  }

  /** The note of a block, 0 = none. */
  noteOf(handle: number): number {
    this.key.writeInt32LE(handle, 0);
    return this.table.find(this.words[0], hashOf(handle), this.key, 0, KEY_BYTES);
  }

  /** Handle of the block's copy in the store; 0: it has none, look into the arena itself. */
  copyOf(handle: number): number {
    const note = this.noteOf(handle);
    return note === 0 ? 0 : this.store.i32[note >>> 26][((note & OFFSET_MASK) << 2) + 2];
  }

  private addNote(handle: number, flags: number, copy: number): void {
    const note = this.store.allocate(NOTE_BYTES);
    const i32 = this.store.i32[note >>> 26];
    const w = (note & OFFSET_MASK) << 2;
    const hash = hashOf(handle);
    i32[w] = hash;
    i32[w + 1] = KEY_BYTES | flags;
    i32[w + 2] = copy;
    i32[w + 3] = handle;
    this.table.insert(this.words[0], hash, note);
  }

  // ---- CaptureSink

  allocated(handle: number): void {
    if (this.noteOf(handle) !== 0) return;
    this.needRoom(0);
    this.addNote(handle, 0, 0);
    this.tell();
  }

  changing(handle: number, buf: Buffer, start: number, bytes: number): void {
    if (this.noteOf(handle) !== 0) return;
    this.needRoom(bytes);
    const copy = this.store.allocate(bytes);
    buf.copy(this.store.buf[copy >>> 26], (copy & OFFSET_MASK) << 4, start, start + bytes);
    this.addNote(handle, 0, copy);
    this.tell();
  }

  changingPart(handle: number, buf: Buffer, start: number, bytes: number): void {
    this.changing(handle, buf, start, bytes);
  }

  releasing(handle: number, _buf: Buffer, _start: number, bytes: number): boolean {
    const note = this.noteOf(handle);
    if (note === 0) {
      this.needRoom(0);
      this.addNote(handle, HELD, 0);
      this.counts[0] += bytes;
      this.tell();
      return true;
    }
    const i32 = this.store.i32[note >>> 26];
    const w = (note & OFFSET_MASK) << 2;
    if ((i32[w + 1] & HELD) !== 0) throw new Error(`old blocks: block ${handle} is released twice`);
    if (i32[w + 2] === 0) {
      this.table.remove(this.words[0], i32[w], note);
      this.store.release(note);
    }
    return false;
  }

  /** The gate keeps writes away long before the store is full; this is for what it cannot foresee. */
  private needRoom(bytes: number): void {
    if (!this.store.reserve(bytes + NOTE_ROOM_BYTES))
      throw new Error('old blocks: no room to keep what a snapshot needs');
  }
}

function hashOf(handle: number): number {
  const mixed = Math.imul(handle ^ (handle >>> 15), 0x2c1b3c6d);
  return Math.imul(mixed ^ (mixed >>> 13), 0x297a2d39) | 0;
}

/** Blocks as they were when the capture began. Used under the latch. */
export class PastView extends BlockView {
  private readonly live: Arena;
  private readonly past: OldBlocks;

  constructor(live: Arena, past: OldBlocks) {
    super(live);
    this.live = live;
    this.past = past;
  }

  open(handle: number): void {
    const copy = this.past.copyOf(handle);
    const arena = copy === 0 ? this.live : this.past.store;
    const at = copy === 0 ? handle : copy;
    const segment = at >>> 26;
    this.buf = arena.buf[segment];
    this.view = arena.view[segment];
    this.i32 = arena.i32[segment];
    this.byte = (at & OFFSET_MASK) << 4;
  }

  another(): BlockView {
    return new PastView(this.live, this.past);
  }
}
