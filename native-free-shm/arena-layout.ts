/**
 * Units, words and bit fields of an arena's shared memory. Numbers only: page-pool.ts, arena.ts and memory-checker.ts hold the
 * rules, layout-doc.ts prints these tables into LAYOUT.md.
 *
 *   handle (int32)   | segment: 6 bits | 16-byte granule inside the segment: 26 bits |      0 = null
 *   page number      handle >>> 8                                                            4 KiB pages, 24 bits
 *
 *   control          Int32 words, then Float64 words from byte CONTROL_F64_BYTE
 *   page table       PAGE_WORDS Int32 words per 4 KiB page
 *   segments         1 GiB each (the last may be smaller)
 *
 * Hot files repeat some of these numbers as constants of their own, because an imported binding is a load and a local
 * constant is an immediate; layout-doc.test.ts compares them.
 */

/** One row of a layout table: `at` in words of the structure. */
export interface LayoutField {
  at: number;
  name: string;
  text: string;
}

export const GRANULE_BYTES = 16;
export const SEGMENT_BYTES = 2 ** 30;
export const MAX_SEGMENTS = 64;
/**
 * Where the views of a segment begin in its buffer. The C library returns large blocks 16 bytes past a page, so that 48 bytes on
 * a cache line begins, and a bucket of 64 bytes costs one miss instead of two. Only speed depends on it.
 */
export const SEGMENT_LEAD_BYTES = 48;
export const PAGE_BYTES = 4096;
export const GRANULES_PER_PAGE = PAGE_BYTES / GRANULE_BYTES;
export const PAGES_PER_SEGMENT = SEGMENT_BYTES / PAGE_BYTES;
export const SLAB_PAGES = 16;
export const SLAB_BYTES = SLAB_PAGES * PAGE_BYTES;

// ---- control words -------------------------------------------------------------------------------------------------------

export const CTL_SEGMENTS = 0;
export const CTL_PAGES = 1;
export const CTL_FREE_PAGES = 2;
export const CTL_FREE_SLOTS = 3;
export const CTL_BIG_RUN = 4;
export const CTL_CAPTURE = 5;
export const CTL_TOUCHED_PAGES = 6;
export const CTL_ORPHANS = 7;
export const CTL_BITMAP = 8;
export const BITMAP_WORDS = 5;
/** Bins of free runs by length, see PagePool. */
export const BINS = 129;
export const CTL_LOWEST = 64;
export const CTL_BIN_HEAD = 128;
export const CTL_BIN_RUNS = CTL_BIN_HEAD + 136;
export const CTL_BIN_PAGES = CTL_BIN_RUNS + 136;
/** One word per size class, see size-classes.ts. */
export const CTL_PARTIAL = CTL_BIN_PAGES + 136;
export const CONTROL_WORDS = 640;
export const CONTROL_F64_BYTE = CONTROL_WORDS * 4;
/** Float64 index of the counters behind the control words. */
export const F64_LIVE = 0;
export const F64_PEAK = 1;
export const F64_LIVE_BLOCKS = 2;
export const CONTROL_BYTES = CONTROL_F64_BYTE + 8 * 8;

export const CONTROL_FIELDS: readonly LayoutField[] = [
  { at: CTL_SEGMENTS, name: 'segments', text: 'how many segments there are' },
  {
    at: CTL_PAGES,
    name: 'pages',
    text: 'how many 4 KiB pages those have together that are opened; the others have not been needed yet',
  },
  { at: CTL_FREE_PAGES, name: 'free pages', text: 'pages in free runs' },
  {
    at: CTL_FREE_SLOTS,
    name: 'free slots',
    text: 'sum of floor(pages / 16) over the free runs: how many slabs they can hold',
  },
  { at: CTL_BIG_RUN, name: 'big run', text: 'first page of some long free run, a hint for reserve()' },
  {
    at: CTL_CAPTURE,
    name: 'capture',
    text: 'how many captures of old bytes are active (capture.ts); 0 = willChange costs nothing',
  },
  {
    at: CTL_TOUCHED_PAGES,
    name: 'touched pages',
    text: 'pages that were ever handed out: what the system may hold as resident',
  },
  { at: CTL_ORPHANS, name: 'orphans', text: 'first page of the first orphan (pinned-blocks.ts), 0 = none' },
  { at: CTL_BITMAP, name: 'bin bitmap', text: 'one bit per bin that has a free run, 5 words' },
  {
    at: CTL_LOWEST,
    name: 'lowest page',
    text: 'per segment: the lowest page ever handed out (runs are cut from their end), 64 words',
  },
  { at: CTL_BIN_HEAD, name: 'bin heads', text: 'per bin: first page of its first free run, 0 = none' },
  { at: CTL_BIN_RUNS, name: 'bin runs', text: 'per bin: how many runs' },
  { at: CTL_BIN_PAGES, name: 'bin pages', text: 'per bin: pages of these runs' },
  { at: CTL_PARTIAL, name: 'partial slabs', text: 'per size class: first slab with a free block, 0 = none' },
];

export const COUNTER_FIELDS: readonly LayoutField[] = [
  { at: F64_LIVE, name: 'live bytes', text: 'sum of the block sizes of all live blocks' },
  { at: F64_PEAK, name: 'peak bytes', text: 'highest value of live bytes' },
  { at: F64_LIVE_BLOCKS, name: 'live blocks', text: 'how many live blocks there are' },
];

// ---- page table ----------------------------------------------------------------------------------------------------------

export const PAGE_WORDS = 4;
/** Word 0 of a page: bits 0..2 its kind; the rest by kind. */
export const PAGE_META = 0;
export const PAGE_NEXT = 1;
export const PAGE_PREV = 2;
export const PAGE_FREE_HEAD = 3;
export const PAGE_PINS = 3;
/** In the words of a slab's second page. */
export const PAGE2_LIVE = PAGE_WORDS + 1;
export const PAGE2_BUMP = PAGE_WORDS + 2;

export const KIND_MASK = 7;
/** Inside a run, free or used. */
export const KIND_INNER = 0;
/** First and last page of a free run; bits 3.. its length in pages. */
export const KIND_FREE = 1;
/** First page of a live block of whole pages; bits 3.. its length in pages. */
export const KIND_RUN = 2;
/** Each page of a slab; bits 3..6 page inside the slab, bits 7..13 size class. */
export const KIND_SLAB = 3;
/** Never handed out: page 0, so that no handle is 0. */
export const KIND_RESERVED = 4;
export const RUN_PAGES_SHIFT = 3;
export const SLAB_PAGE_SHIFT = 3;
export const SLAB_PAGE_MASK = 15;
export const SLAB_CLASS_SHIFT = 7;

export const PAGE_FIELDS: readonly LayoutField[] = [
  { at: PAGE_META, name: 'meta', text: 'bits 0..2 kind: 0 inner, 1 free run, 2 live run, 3 slab, 4 reserved' },
  { at: PAGE_META, name: '', text: 'free run (first and last page), live run (first page): bits 3.. length in pages' },
  { at: PAGE_META, name: '', text: 'slab (all 16 pages): bits 3..6 page inside the slab, bits 7..13 size class' },
  {
    at: PAGE_NEXT,
    name: 'next',
    text: 'free run: next of its bin; slab: next partial slab of its class; orphan: next one; 0 = none',
  },
  { at: PAGE_PREV, name: 'previous', text: 'the same backwards' },
  { at: PAGE_FREE_HEAD, name: 'free head', text: 'slab: 1 + granule of the first free block, 0 = none' },
  { at: PAGE_PINS, name: 'pins', text: 'live run: how many threads copy from it or into it without the latch' },
  { at: PAGE2_LIVE, name: 'live', text: 'slab, in the words of its second page: live blocks' },
  {
    at: PAGE2_BUMP,
    name: 'bump',
    text: 'slab, in the words of its second page: first granule that was never handed out',
  },
];

/** A free block of a slab. */
export const FREE_NEXT = 0;
export const FREE_MARK = 1;
/** Xor of the mark with the handle. */
export const FREE_MAGIC = 0x5ca1ab1e;
export const FREE_BLOCK_FIELDS: readonly LayoutField[] = [
  { at: FREE_NEXT, name: 'next', text: '1 + granule (inside the slab) of the next free block, 0 = none' },
  { at: FREE_MARK, name: 'mark', text: '0x5ca1ab1e xor the handle: a second release of the block is noticed' },
];
