/**
 * The memory of one shard: blocks of any size in shared segments, addressed by int32 handles.
 *
 *   control     counters, bins of free runs, partial slabs per size class            arena-layout.ts
 *   page table  what each 4 KiB page is; the state of a slab lies in the words of its first two pages
 *   segments    slabs: 64 KiB of equal blocks, handed out from the front, later from a free list inside the free blocks
 *               runs: whole pages for blocks over 16 KiB
 *
 * One Arena object per thread and shard; all state lies in the shared memory, the object only caches views. Every method that
 * changes something, and everything that reads blocks, runs under the shard's latch; therefore no atomics. But for the bytes of
 * long blocks that are pinned or private, see pinned-blocks.ts.
 *
 * Invariant 1: every page belongs to exactly one of: free run, live run, slab, reserved page 0.
 * Invariant 2: a slab is in its class's partial list exactly if it has a free block; a slab without live blocks is given back.
 * Invariant 3: `live bytes` is the sum of blockBytes() of all live blocks.
 * Invariant 4: after reserve(n) was true, requests for n bytes in all succeed (each counted as 16 bytes at least), as long as
 *              nobody else allocates in between; releases do not harm.
 * Invariant 5: no byte of a live block changes before willChange(handle) was called in the same unit, except by whoever
 *              allocated it in that unit.
 */
import {
  CONTROL_BYTES,
  CONTROL_F64_BYTE,
  CONTROL_WORDS,
  CTL_ORPHANS,
  CTL_PAGES,
  CTL_SEGMENTS,
  CTL_TOUCHED_PAGES,
  CTL_FREE_PAGES as FREE_PAGES,
  KIND_MASK,
  KIND_RESERVED,
  MAX_SEGMENTS,
  PAGE_BYTES,
  PAGE_PINS,
  PAGE_WORDS,
  PAGES_PER_SEGMENT,
  SEGMENT_BYTES,
  SEGMENT_LEAD_BYTES,
  SLAB_BYTES,
  SLAB_PAGES,
} from './arena-layout.ts';
import type { CaptureSink } from './capture.ts';
import { PagePool, pagesInOneRun } from './page-pool.ts';
import { PinnedBlocks } from './pinned-blocks.ts';
import {
  CLASS_BLOCKS,
  CLASS_BYTES,
  CLASS_COUNT,
  CLASS_GRANULES,
  CLASS_OF,
  MAX_SMALL_BYTES,
  WORST_INFLATION,
} from './size-classes.ts';

/** Everything of an arena that other threads need to attach; postMessage-able. */
export interface ArenaMemory {
  control: SharedArrayBuffer;
  pageTable: SharedArrayBuffer;
  segments: SharedArrayBuffer[];
}

/** An allocation found no room: after reserve() said yes this is a bug of the caller's sum, or of the arena. */
export class ArenaFullError extends Error {
  constructor(bytes: number) {
    super(`arena: no room for a block of ${bytes} bytes`);
    this.name = 'ArenaFullError';
  }
}

// local copies: constants of the own file are immediates in compiled code, imported ones are loads
const OFFSET_MASK = 0x3ffffff;
const MAX_SMALL = 16384;
const CTL_BIG_RUN = 4;
const CTL_CAPTURE = 5;
const CTL_PARTIAL = 536;
const LIVE = 0;
const PEAK = 1;
const LIVE_BLOCKS = 2;
const KIND = 7;
const FREE = 1;
const RUN = 2;
const SLAB = 3;
const LENGTH_SHIFT = 3;
const CLASS_SHIFT = 7;
const NEXT = 1;
const PREV = 2;
const FREE_HEAD = 3;
const SLAB_LIVE = 5;
const SLAB_BUMP = 6;
const FREE_MAGIC = 0x5ca1ab1e;
const SLAB_GRANULES = 4096;
const ALL_ORPHANS = Number.POSITIVE_INFINITY;
/** So few are looked at by an allocation; upkeep looks at all. */
const ORPHANS_PER_ALLOCATION = 8;
/** Pages that one run must have for a reservation: fixed part and part per byte, see PagePool.canServe. */
const RESERVE_FIXED_PAGES = pagesInOneRun(0) + 1;
const RESERVE_PAGES_PER_BYTE = WORST_INFLATION / PAGE_BYTES;

/**
 * Makes the memory of an arena with room for `maxBytes` (rounded up to 64 KiB; at most 64 GiB): all segments at once, so that every
 * thread knows a segment before a handle into it exists. Pages are committed by the system when they are first touched.
 */
export function createArenaMemory(maxBytes: number): ArenaMemory {
  const bytes = Math.max(Math.ceil(maxBytes / SLAB_BYTES), 1) * SLAB_BYTES;
  const count = Math.ceil(bytes / SEGMENT_BYTES);
  if (!(count <= MAX_SEGMENTS))
    throw new RangeError(`arena: ${maxBytes} bytes are more than ${MAX_SEGMENTS} segments of 1 GiB`);
  const segments: SharedArrayBuffer[] = [];
  for (let i = 0; i < count; i++) {
    segments.push(new SharedArrayBuffer(SEGMENT_LEAD_BYTES + Math.min(SEGMENT_BYTES, bytes - i * SEGMENT_BYTES)));
  }
  const pages = bytes / PAGE_BYTES;
  const control = new SharedArrayBuffer(CONTROL_BYTES);
  const pageTable = new SharedArrayBuffer(pages * PAGE_WORDS * 4);
  const ctl = new Int32Array(control, 0, CONTROL_WORDS);
  const table = new Int32Array(pageTable);
  ctl[CTL_SEGMENTS] = count;
  table[0] = KIND_RESERVED;
  new PagePool(ctl, table).openSegment();
  return { control, pageTable, segments };
}

export class Arena {
  /** Views by segment number. */
  readonly u8: Uint8Array[] = [];
  readonly i32: Int32Array[] = [];
  readonly f64: Float64Array[] = [];
  readonly buf: Buffer[] = [];
  readonly view: DataView[] = [];
  /** Allocations, releases and announced changes of this thread: a unit that did not move it has changed nothing (R5). */
  mutations = 0;
  /** What this thread does with old bytes while a capture is active; must be there before it changes anything then. */
  captureSink: CaptureSink | null = null;
  private readonly ctl: Int32Array;
  private readonly counts: Float64Array;
  private readonly table: Int32Array;
  private readonly pool: PagePool;
  private readonly pinned: PinnedBlocks;

  /** Attaches this thread. */
  constructor(memory: ArenaMemory) {
    for (const segment of memory.segments) {
      this.u8.push(new Uint8Array(segment, SEGMENT_LEAD_BYTES));
      this.i32.push(new Int32Array(segment, SEGMENT_LEAD_BYTES));
      this.f64.push(new Float64Array(segment, SEGMENT_LEAD_BYTES));
      this.buf.push(Buffer.from(segment, SEGMENT_LEAD_BYTES));
      this.view.push(new DataView(segment, SEGMENT_LEAD_BYTES));
    }
    this.ctl = new Int32Array(memory.control, 0, CONTROL_WORDS);
    this.counts = new Float64Array(memory.control, CONTROL_F64_BYTE);
    this.table = new Int32Array(memory.pageTable);
    this.pool = new PagePool(this.ctl, this.table);
    this.pinned = new PinnedBlocks(this.ctl, this.table);
  }

  /**
   * True: allocations for `bytes` in all, in blocks of any sizes up to `largestBytes`, will now succeed (R4); a request counts
   * as 16 bytes at least. False: the arena is (nearly) full; nothing has changed. A smaller `largestBytes` says yes longer
   * where the free memory is scattered.
   */
  reserve(bytes: number, largestBytes: number = bytes): boolean {
    const meta = this.table[this.ctl[CTL_BIG_RUN] << 2];
    if ((meta & KIND) === FREE && meta >>> LENGTH_SHIFT >= RESERVE_FIXED_PAGES + bytes * RESERVE_PAGES_PER_BYTE)
      return true;
    if (this.pool.canServe(bytes, largestBytes)) return true;
    return this.freeOrphans(ALL_ORPHANS) && this.pool.canServe(bytes, largestBytes);
  }

  /** Handle of a block of at least `bytes` bytes, contents undefined. Throws ArenaFullError. */
  allocate(bytes: number): number {
    if (bytes > MAX_SMALL) return this.allocateRun(bytes);
    const { ctl, table } = this;
    const sizeClass = CLASS_OF[(bytes + 15) >> 4];
    let slab = ctl[CTL_PARTIAL + sizeClass];
    if (slab === 0) slab = this.openSlab(sizeClass, bytes);
    const at = slab << 2;
    const free = table[at + FREE_HEAD];
    let handle: number;
    if (free !== 0) {
      handle = ((slab << 8) + free - 1) | 0;
      const words = this.i32[handle >>> 26];
      const word = (handle & OFFSET_MASK) << 2;
      table[at + FREE_HEAD] = words[word];
      words[word + 1] = 0;
    } else {
      const granule = table[at + SLAB_BUMP];
      table[at + SLAB_BUMP] = granule + CLASS_GRANULES[sizeClass];
      handle = ((slab << 8) + granule) | 0;
    }
    if (++table[at + SLAB_LIVE] === CLASS_BLOCKS[sizeClass]) this.unlinkSlab(slab, sizeClass);
    this.count(CLASS_BYTES[sizeClass], 1);
    if (ctl[CTL_CAPTURE] !== 0) this.sink().allocated(handle);
    return handle;
  }

  /** As allocate, filled with zeros. */
  allocateZeroed(bytes: number): number {
    const handle = this.allocate(bytes);
    const start = (handle & OFFSET_MASK) << 4;
    this.buf[handle >>> 26].fill(0, start, start + this.blockBytes(handle));
    return handle;
  }

  /** Frees a block. Throws if `handle` is not the handle of a live block. */
  release(handle: number): void {
    if (this.ctl[CTL_CAPTURE] !== 0) {
      const start = (handle & OFFSET_MASK) << 4;
      this.mutations++;
      if (this.sink().releasing(handle, this.buf[handle >>> 26], start, this.blockBytes(handle))) return;
    }
    this.releaseHeld(handle);
  }

  /** As release, without asking the capture sink: for blocks that the sink held. */
  releaseHeld(handle: number): void {
    const table = this.table;
    const page = handle >>> 8;
    const meta = table[page << 2];
    if ((meta & KIND) !== SLAB) {
      this.releaseRun(handle, meta);
      return;
    }
    const slab = page - ((meta >>> LENGTH_SHIFT) & 15);
    const sizeClass = meta >>> CLASS_SHIFT;
    const at = slab << 2;
    const granule = (handle - (slab << 8)) | 0;
    const words = this.i32[handle >>> 26];
    const word = (handle & OFFSET_MASK) << 2;
    if (granule % CLASS_GRANULES[sizeClass] !== 0 || granule >= table[at + SLAB_BUMP]) throw notLive(handle);
    if (words[word + 1] === (FREE_MAGIC ^ handle) && this.inFreeList(slab, granule)) throw notLive(handle);
    words[word] = table[at + FREE_HEAD];
    words[word + 1] = FREE_MAGIC ^ handle;
    table[at + FREE_HEAD] = granule + 1;
    const live = --table[at + SLAB_LIVE];
    if (live + 1 === CLASS_BLOCKS[sizeClass]) this.linkSlab(slab, sizeClass);
    if (live === 0) this.closeSlab(slab, sizeClass);
    this.count(-CLASS_BYTES[sizeClass], -1);
  }

  /** Usable bytes of a live block. */
  blockBytes(handle: number): number {
    const meta = this.table[(handle >>> 8) << 2];
    if ((meta & KIND) === SLAB) return CLASS_BYTES[meta >>> CLASS_SHIFT];
    if ((meta & KIND) !== RUN || (handle & 255) !== 0) throw notLive(handle);
    return (meta >>> LENGTH_SHIFT) * PAGE_BYTES;
  }

  /**
   * True: the block may hold `bytes` without waste, so that it can be reused instead of a new one. Up to 4 KiB: the same size
   * class; above: at least half full, so that a growing string keeps its slack.
   */
  fits(handle: number, bytes: number): boolean {
    const block = this.blockBytes(handle);
    if (bytes > block) return false;
    return block <= PAGE_BYTES ? CLASS_BYTES[CLASS_OF[(bytes + 15) >> 4]] === block : bytes * 2 >= block;
  }

  // ---- long blocks without the latch (pinned-blocks.ts); the blocks must have more than 16 KiB

  /** A block that is in nobody's data yet, with one pin; contents undefined. `adopt` or `unpin` follows. 0: there is no room. */
  allocatePrivate(bytes: number): number {
    if (bytes <= MAX_SMALL) throw new RangeError(`arena: a private block of ${bytes} bytes`);
    const handle = this.findRun(bytes);
    if (handle === 0) return 0;
    this.pinned.pin(handle);
    this.pinned.orphan(handle);
    return handle;
  }

  /** Makes a private block an ordinary one, for who puts it into the data. */
  adopt(handle: number): void {
    this.mutations++;
    this.pinned.leaveOrphans(handle);
    this.pinned.unpin(handle);
  }

  /** From now until `unpin` the bytes of the block stay what they are: for copying without the latch. Changes no data. */
  pin(handle: number): void {
    if ((this.table[(handle >>> 8) << 2] & KIND) !== RUN) throw new Error(`arena: handle ${handle} cannot be pinned`);
    this.pinned.pin(handle);
  }

  /** Gives one pin back. Any thread, with or without the latch. */
  unpin(handle: number): void {
    this.pinned.unpin(handle);
  }

  /** True: the block must not be patched; what is to change is a copy. */
  isPinned(handle: number): boolean {
    return (this.table[(handle >>> 8) << 2] & KIND) === RUN && this.pinned.pins(handle) !== 0;
  }

  /** Frees orphans that nobody pins any more, looking at `most` of them; true: some were freed. Not a change of data. */
  freeOrphans(most: number = ALL_ORPHANS): boolean {
    if (this.ctl[CTL_ORPHANS] === 0) return false;
    const mutations = this.mutations;
    let freed = false;
    for (let handle = this.pinned.firstFree(most); handle !== 0; handle = this.pinned.firstFree(most)) {
      this.pinned.leaveOrphans(handle);
      this.freeRun(handle, this.table[(handle >>> 8) << 2]);
      freed = true;
    }
    this.mutations = mutations;
    return freed;
  }

  /** Announces that bytes of a live block are about to change (R8). */
  willChange(handle: number): void {
    this.mutations++;
    if (this.ctl[CTL_CAPTURE] !== 0) this.tellChange(handle);
  }

  /** As willChange, where only `bytes` bytes behind the first `offset` change: of a long block a sink may keep as little as that. */
  willChangePart(handle: number, offset: number, bytes: number): void {
    this.mutations++;
    if (this.ctl[CTL_CAPTURE] !== 0) this.tellPart(handle, offset, bytes);
  }

  /** Starts a capture: from now on every thread tells its captureSink what happens, until as many endCapture. */
  beginCapture(): void {
    this.ctl[CTL_CAPTURE]++;
  }

  endCapture(): void {
    if (this.ctl[CTL_CAPTURE] <= 0) throw new Error('arena: no capture to end');
    this.ctl[CTL_CAPTURE]--;
  }

  capturing(): boolean {
    return this.ctl[CTL_CAPTURE] !== 0;
  }

  /** Bytes of all live blocks. */
  liveBytes(): number {
    return this.counts[LIVE];
  }

  peakBytes(): number {
    return this.counts[PEAK];
  }

  liveBlocks(): number {
    return this.counts[LIVE_BLOCKS];
  }

  /** Bytes of the pages that slabs and long blocks occupy: live bytes plus what lies free inside them. */
  usedPageBytes(): number {
    return (this.ctl[CTL_PAGES] - 1 - this.ctl[FREE_PAGES]) * PAGE_BYTES;
  }

  /** Bytes of the pages that were ever handed out: what the system holds for us, because shared memory never goes back. */
  committedBytes(): number {
    return this.ctl[CTL_TOUCHED_PAGES] * PAGE_BYTES;
  }

  /** Address room in bytes. */
  roomBytes(): number {
    return (this.table.length >> 2) * PAGE_BYTES;
  }

  private count(bytes: number, blocks: number): void {
    const counts = this.counts;
    const live = counts[LIVE] + bytes;
    counts[LIVE] = live;
    if (live > counts[PEAK]) counts[PEAK] = live;
    counts[LIVE_BLOCKS] += blocks;
    this.mutations++;
  }

  private sink(): CaptureSink {
    if (this.captureSink === null) throw new Error('arena: a capture is active and this thread has no sink for it');
    return this.captureSink;
  }

  private tellChange(handle: number): void {
    this.sink().changing(handle, this.buf[handle >>> 26], (handle & OFFSET_MASK) << 4, this.blockBytes(handle));
  }

  private tellPart(handle: number, offset: number, bytes: number): void {
    const start = (handle & OFFSET_MASK) << 4;
    this.sink().changingPart(handle, this.buf[handle >>> 26], start, this.blockBytes(handle), offset, bytes);
  }

  private openSlab(sizeClass: number, bytes: number): number {
    const slab = this.pool.take(SLAB_PAGES);
    if (slab === 0) throw new ArenaFullError(bytes);
    const table = this.table;
    const at = slab << 2;
    for (let i = 0; i < SLAB_PAGES; i++)
      table[at + i * PAGE_WORDS] = SLAB | (i << LENGTH_SHIFT) | (sizeClass << CLASS_SHIFT);
    table[at + FREE_HEAD] = 0;
    table[at + SLAB_LIVE] = 0;
    table[at + SLAB_BUMP] = 0;
    this.linkSlab(slab, sizeClass);
    return slab;
  }

  private closeSlab(slab: number, sizeClass: number): void {
    this.unlinkSlab(slab, sizeClass);
    const table = this.table;
    for (let i = 0; i < SLAB_PAGES; i++) table[(slab + i) << 2] = 0;
    this.pool.give(slab, SLAB_PAGES);
  }

  private linkSlab(slab: number, sizeClass: number): void {
    const { ctl, table } = this;
    const head = ctl[CTL_PARTIAL + sizeClass];
    table[(slab << 2) + NEXT] = head;
    table[(slab << 2) + PREV] = 0;
    if (head !== 0) table[(head << 2) + PREV] = slab;
    ctl[CTL_PARTIAL + sizeClass] = slab;
  }

  private unlinkSlab(slab: number, sizeClass: number): void {
    const { ctl, table } = this;
    const next = table[(slab << 2) + NEXT];
    const previous = table[(slab << 2) + PREV];
    if (next !== 0) table[(next << 2) + PREV] = previous;
    if (previous !== 0) table[(previous << 2) + NEXT] = next;
    else ctl[CTL_PARTIAL + sizeClass] = next;
  }

  private inFreeList(slab: number, granule: number): boolean {
    let free = this.table[(slab << 2) + FREE_HEAD];
    for (let i = 0; free !== 0 && i <= SLAB_GRANULES; i++) {
      if (free === granule + 1) return true;
      const handle = ((slab << 8) + free - 1) | 0;
      free = this.i32[handle >>> 26][(handle & OFFSET_MASK) << 2];
    }
    return false;
  }

  private allocateRun(bytes: number): number {
    const handle = this.findRun(bytes);
    if (handle === 0) throw new ArenaFullError(bytes);
    return handle;
  }

  /** A live run, or 0. */
  private findRun(bytes: number): number {
    const pages = Math.ceil(bytes / PAGE_BYTES);
    this.freeOrphans(ORPHANS_PER_ALLOCATION);
    const page = pages <= PAGES_PER_SEGMENT ? this.pool.take(pages) : 0;
    if (page === 0) return 0;
    this.table[page << 2] = RUN | (pages << LENGTH_SHIFT);
    this.table[(page << 2) + PAGE_PINS] = 0;
    this.count(pages * PAGE_BYTES, 1);
    const handle = page << 8;
    if (this.ctl[CTL_CAPTURE] !== 0) this.sink().allocated(handle);
    return handle;
  }

  private releaseRun(handle: number, meta: number): void {
    if ((meta & KIND_MASK) !== RUN || (handle & 255) !== 0) throw notLive(handle);
    if (this.pinned.pins(handle) === 0) return this.freeRun(handle, meta);
    this.mutations++;
    this.pinned.orphan(handle);
  }

  private freeRun(handle: number, meta: number): void {
    const pages = meta >>> LENGTH_SHIFT;
    this.table[(handle >>> 8) << 2] = 0;
    this.pool.give(handle >>> 8, pages);
    this.count(-pages * PAGE_BYTES, -1);
  }
}

function notLive(handle: number): Error {
  return new Error(`arena: handle ${handle} is not a live block`);
}

if (MAX_SMALL !== MAX_SMALL_BYTES || CTL_PARTIAL + CLASS_COUNT > CONTROL_WORDS)
  throw new Error('arena: constants disagree');
