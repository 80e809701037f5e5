/**
 * Walks the whole memory of an arena and throws on a broken invariant: page table, bins of free runs, slabs and their free
 * lists, counters. For tests and DEBUG; costs time in proportion to the used memory, under the shard's latch.
 */
import type { ArenaMemory } from './arena.ts';
import {
  BINS,
  CONTROL_F64_BYTE,
  CONTROL_WORDS,
  CTL_BIN_HEAD,
  CTL_BIN_PAGES,
  CTL_BIN_RUNS,
  CTL_BITMAP,
  CTL_FREE_PAGES,
  CTL_FREE_SLOTS,
  CTL_LOWEST,
  CTL_ORPHANS,
  CTL_PAGES,
  CTL_PARTIAL,
  F64_LIVE,
  F64_LIVE_BLOCKS,
  F64_PEAK,
  FREE_MAGIC,
  FREE_MARK,
  FREE_NEXT,
  GRANULES_PER_PAGE,
  KIND_FREE,
  KIND_MASK,
  KIND_RESERVED,
  KIND_RUN,
  KIND_SLAB,
  PAGE_BYTES,
  PAGE_FREE_HEAD,
  PAGE_NEXT,
  PAGE_PREV,
  PAGE_WORDS,
  PAGE2_BUMP,
  PAGE2_LIVE,
  PAGES_PER_SEGMENT,
  RUN_PAGES_SHIFT,
  SEGMENT_LEAD_BYTES,
  SLAB_CLASS_SHIFT,
  SLAB_PAGE_MASK,
  SLAB_PAGE_SHIFT,
  SLAB_PAGES,
} from './arena-layout.ts';
import { BIN_LOWEST, binOf } from './page-pool.ts';
import { CLASS_BLOCKS, CLASS_BYTES, CLASS_COUNT, CLASS_GRANULES } from './size-classes.ts';

/** What the walk found. */
export interface MemoryReport {
  liveBytes: number;
  liveBlocks: number;
  freePages: number;
  freeRuns: number;
  slabs: number;
}

/** Checks the arena; returns what is in it. `visit` is called with the handle of every live block. */
export function checkMemory(memory: ArenaMemory, visit: (handle: number) => void = () => {}): MemoryReport {
  return new Walk(memory, visit).run();
}

class Walk {
  private readonly ctl: Int32Array;
  private readonly counts: Float64Array;
  private readonly table: Int32Array;
  private readonly segments: Int32Array[];
  private readonly visit: (handle: number) => void;
  private readonly freeRuns = new Map<number, number>();
  private readonly openSlabs = new Map<number, number>();
  private readonly report: MemoryReport = { liveBytes: 0, liveBlocks: 0, freePages: 0, freeRuns: 0, slabs: 0 };

  constructor(memory: ArenaMemory, visit: (handle: number) => void) {
    this.ctl = new Int32Array(memory.control, 0, CONTROL_WORDS);
    this.counts = new Float64Array(memory.control, CONTROL_F64_BYTE);
    this.table = new Int32Array(memory.pageTable);
    this.segments = memory.segments.map((segment) => new Int32Array(segment, SEGMENT_LEAD_BYTES));
    this.visit = visit;
  }

  run(): MemoryReport {
    const pages = this.ctl[CTL_PAGES];
    let previousKind = KIND_RESERVED;
    let page = 0;
    while (page < pages) {
      const kind = this.word(page, 0) & KIND_MASK;
      const firstOfSegment = page % PAGES_PER_SEGMENT === 0;
      if (kind === KIND_FREE && previousKind === KIND_FREE && !firstOfSegment) fail(page, 'free run touches another');
      const length = this.area(page, kind);
      const segment = Math.floor(page / PAGES_PER_SEGMENT);
      if (Math.floor((page + length - 1) / PAGES_PER_SEGMENT) !== segment) fail(page, 'crosses a segment');
      if (kind !== KIND_FREE && kind !== KIND_RESERVED && page < this.ctl[CTL_LOWEST + segment])
        fail(page, 'below the lowest page');
      previousKind = kind;
      page += length;
    }
    if (page !== pages) fail(page, 'area passes the end');
    this.checkBins();
    this.checkPartialLists();
    this.checkOrphans();
    this.checkCounters();
    return this.report;
  }

  /** Checks the area that starts at a page; returns its pages. */
  private area(page: number, kind: number): number {
    const meta = this.word(page, 0);
    if (kind === KIND_RESERVED && page === 0) return 1;
    if (kind === KIND_SLAB) return this.slab(page, meta);
    if (kind !== KIND_FREE && kind !== KIND_RUN) return fail(page, `kind ${kind} at the start of an area`);
    const pages = meta >>> RUN_PAGES_SHIFT;
    if (pages < 1) fail(page, 'empty run');
    const last = page + pages - 1;
    for (let inner = page + 1; inner < last; inner++) if (this.word(inner, 0) !== 0) fail(inner, 'not inner');
    if (kind === KIND_FREE) {
      if (this.word(last, 0) !== meta) fail(last, 'last page of a free run disagrees with the first');
      this.freeRuns.set(page, pages);
      this.report.freePages += pages;
      this.report.freeRuns++;
      return pages;
    }
    if (pages > 1 && this.word(last, 0) !== 0) fail(last, 'not inner');
    this.live(page * GRANULES_PER_PAGE, pages * PAGE_BYTES);
    return pages;
  }

  private slab(page: number, meta: number): number {
    const sizeClass = meta >>> SLAB_CLASS_SHIFT;
    for (let i = 0; i < SLAB_PAGES; i++) {
      const word = this.word(page + i, 0);
      if ((word & KIND_MASK) !== KIND_SLAB || ((word >>> SLAB_PAGE_SHIFT) & SLAB_PAGE_MASK) !== i)
        fail(page + i, 'not a page of its slab');
      if (word >>> SLAB_CLASS_SHIFT !== sizeClass || sizeClass >= CLASS_COUNT) fail(page + i, 'another size class');
    }
    const step = CLASS_GRANULES[sizeClass];
    const bump = this.word(page, PAGE2_BUMP);
    if (bump % step !== 0 || bump > step * CLASS_BLOCKS[sizeClass]) fail(page, `bump ${bump}`);
    const free = this.freeBlocks(page, bump, step);
    const live = bump / step - free.size;
    if (live !== this.word(page, PAGE2_LIVE) || live < 1)
      fail(page, `${live} live blocks, slab says ${this.word(page, PAGE2_LIVE)}`);
    for (let granule = 0; granule < bump; granule += step) {
      if (!free.has(granule)) this.live(page * GRANULES_PER_PAGE + granule, CLASS_BYTES[sizeClass]);
    }
    if (live < CLASS_BLOCKS[sizeClass]) this.openSlabs.set(page, sizeClass);
    this.report.slabs++;
    return SLAB_PAGES;
  }

  private freeBlocks(page: number, bump: number, step: number): Set<number> {
    const free = new Set<number>();
    let link = this.word(page, PAGE_FREE_HEAD);
    while (link !== 0) {
      const granule = link - 1;
      if (granule % step !== 0 || granule >= bump || free.has(granule)) fail(page, `free block at granule ${granule}`);
      free.add(granule);
      const handle = (page * GRANULES_PER_PAGE + granule) | 0;
      const words = this.segments[handle >>> 26];
      const at = (handle & 0x3ffffff) << 2;
      if (words[at + FREE_MARK] !== (FREE_MAGIC ^ handle)) fail(page, `free block at granule ${granule} was written`);
      link = words[at + FREE_NEXT];
    }
    return free;
  }

  private live(granule: number, bytes: number): void {
    this.report.liveBlocks++;
    this.report.liveBytes += bytes;
    this.visit(granule | 0);
  }

  private checkBins(): void {
    const seen = new Set<number>();
    let slots = 0;
    for (let bin = 0; bin < BINS; bin++) {
      let runs = 0;
      let pages = 0;
      let previous = 0;
      for (let page = this.ctl[CTL_BIN_HEAD + bin]; page !== 0; page = this.word(page, PAGE_NEXT)) {
        const length = this.freeRuns.get(page);
        if (length === undefined || seen.has(page)) fail(page, `bin ${bin} names no free run`);
        if (binOf(length) !== bin || length < BIN_LOWEST[bin] || length >= BIN_LOWEST[bin + 1])
          fail(page, `wrong bin ${bin}`);
        if (this.word(page, PAGE_PREV) !== previous) fail(page, 'broken back link');
        seen.add(page);
        slots += length >> 4;
        runs++;
        pages += length;
        previous = page;
      }
      if (runs !== this.ctl[CTL_BIN_RUNS + bin] || pages !== this.ctl[CTL_BIN_PAGES + bin])
        fail(0, `bin ${bin} miscounted`);
      if (((this.ctl[CTL_BITMAP + (bin >> 5)] >>> (bin & 31)) & 1) !== (runs > 0 ? 1 : 0)) fail(0, `bit of bin ${bin}`);
    }
    if (seen.size !== this.freeRuns.size) fail(0, 'a free run is in no bin');
    if (slots !== this.ctl[CTL_FREE_SLOTS]) fail(0, `${slots} free slots, control says ${this.ctl[CTL_FREE_SLOTS]}`);
  }

  private checkPartialLists(): void {
    let listed = 0;
    for (let sizeClass = 0; sizeClass < CLASS_COUNT; sizeClass++) {
      let previous = 0;
      for (let slab = this.ctl[CTL_PARTIAL + sizeClass]; slab !== 0; slab = this.word(slab, PAGE_NEXT)) {
        if (this.openSlabs.get(slab) !== sizeClass) fail(slab, `not a partial slab of class ${sizeClass}`);
        if (this.word(slab, PAGE_PREV) !== previous) fail(slab, 'broken back link');
        if (++listed > this.openSlabs.size) fail(slab, 'partial list is a circle');
        previous = slab;
      }
    }
    if (listed !== this.openSlabs.size) fail(0, 'a slab with free blocks is in no partial list');
  }

  private checkOrphans(): void {
    const seen = new Set<number>();
    let previous = 0;
    for (let page = this.ctl[CTL_ORPHANS]; page !== 0; page = this.word(page, PAGE_NEXT)) {
      if ((this.word(page, 0) & KIND_MASK) !== KIND_RUN || seen.has(page)) fail(page, 'no orphan');
      if (this.word(page, PAGE_PREV) !== previous) fail(page, 'broken back link of an orphan');
      seen.add(page);
      previous = page;
    }
  }

  private checkCounters(): void {
    const { counts, report, ctl } = this;
    if (counts[F64_LIVE] !== report.liveBytes)
      fail(0, `${report.liveBytes} live bytes, counter says ${counts[F64_LIVE]}`);
    if (counts[F64_LIVE_BLOCKS] !== report.liveBlocks)
      fail(0, `${report.liveBlocks} live blocks, counter says ${counts[F64_LIVE_BLOCKS]}`);
    if (counts[F64_PEAK] < report.liveBytes) fail(0, 'peak below live');
    if (ctl[CTL_FREE_PAGES] !== report.freePages)
      fail(0, `${report.freePages} free pages, control says ${ctl[CTL_FREE_PAGES]}`);
  }

  private word(page: number, offset: number): number {
    return this.table[page * PAGE_WORDS + offset];
  }
}

function fail(page: number, what: string): never {
  throw new Error(`arena memory, page ${page}: ${what}`);
}
