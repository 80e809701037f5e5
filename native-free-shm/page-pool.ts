/**
 * Runs of 4 KiB pages in the segments of an arena: allocation, release with coalescing, and the bound behind reserve().
 *
 *   segment   | never used … | cut from the end of the free run → | used | used |      one big free run at first
 *   bins      free runs by length: 1…15 pages one bin each, then 8 bins per doubling
 *
 * Written and read under the shard's latch only. All state lies in the control words and the page table.
 *
 * Invariant 1: two free runs never touch each other inside a segment; no run crosses a segment.
 * Invariant 2: word 0 of a page is 0 unless the page is the first or last of a free run, the first of a live run, one of a
 *              slab's sixteen, or reserved.
 * Invariant 3: a run in bin b has at least BIN_LOWEST[b] and less than BIN_LOWEST[b + 1] pages.
 * Invariant 4: bin runs, bin pages, free pages, free slots and the bitmap agree with the lists.
 * Invariant 5: pages are cut from the end of a run, so that its first page (the `big run` hint) stays what it is.
 */
import {
  BINS,
  BITMAP_WORDS,
  CTL_BIG_RUN,
  CTL_BIN_HEAD,
  CTL_BIN_PAGES,
  CTL_BIN_RUNS,
  CTL_BITMAP,
  CTL_FREE_PAGES,
  CTL_FREE_SLOTS,
  CTL_LOWEST,
  CTL_PAGES,
  CTL_TOUCHED_PAGES,
  KIND_FREE,
  KIND_MASK,
  PAGE_BYTES,
  PAGES_PER_SEGMENT,
  SLAB_BYTES,
  SLAB_PAGES,
} from './arena-layout.ts';
import { CLASS_COUNT, MAX_SMALL_BYTES, WORST_INFLATION } from './size-classes.ts';

const META = 0;
const NEXT = 1;
const PREV = 2;
const FREE = 1;
const LENGTH_SHIFT = 3;
/** Runs of its own bin that an allocation looks at before it takes a longer one. */
const BIN_LOOKS = 8;
/** Bin of the runs that just hold a slab. */
const SLAB_BIN = 16;

/** Bin of a run of `pages` pages. */
export function binOf(pages: number): number {
  if (pages < 8) return pages;
  const exponent = 31 - Math.clz32(pages);
  return ((exponent - 2) << 3) + ((pages >> (exponent - 3)) & 7);
}

/** Least length of the runs in each bin; one more at the end. */
export const BIN_LOWEST = new Int32Array(BINS + 1);
for (let bin = 0; bin <= BINS; bin++) {
  BIN_LOWEST[bin] = bin < 8 ? bin : (8 + (bin & 7)) << ((bin >> 3) - 1);
}

export class PagePool {
  private readonly ctl: Int32Array;
  private readonly table: Int32Array;

  constructor(ctl: Int32Array, table: Int32Array) {
    this.ctl = ctl;
    this.table = table;
  }

  /**
   * Makes the pages of the next segment one free run; false: all are in use. A segment is opened when it is needed: its part of the page
   * table takes memory from then on.
   */
  openSegment(): boolean {
    const { ctl, table } = this;
    const opened = ctl[CTL_PAGES];
    const pages = Math.min((table.length >> 2) - opened, PAGES_PER_SEGMENT);
    if (pages <= 0) return false;
    ctl[CTL_PAGES] = opened + pages;
    ctl[CTL_LOWEST + Math.floor(opened / PAGES_PER_SEGMENT)] = opened + pages;
    // page 0 is nobody's, so that no handle is 0
    if (opened > 0) this.link(opened, pages);
    else if (pages > 1) this.link(1, pages - 1);
    return true;
  }

  /** First page of a run of `pages` pages, or 0 if no free run is long enough. */
  take(pages: number): number {
    let run = this.findRun(pages);
    while (run === 0 && this.openSegment()) run = this.findRun(pages);
    if (run === 0) return 0;
    const length = this.table[run << 2] >>> LENGTH_SHIFT;
    this.unlink(run, length);
    const first = run + length - pages;
    if (length > pages) this.link(run, length - pages);
    const segment = first >>> 18;
    const lowest = this.ctl[CTL_LOWEST + segment];
    if (first < lowest) {
      this.ctl[CTL_TOUCHED_PAGES] += lowest - first;
      this.ctl[CTL_LOWEST + segment] = first;
    }
    return first;
  }

  /** Gives a run back; the caller has cleared word 0 of its pages. */
  give(page: number, pages: number): void {
    const table = this.table;
    const before = table[(page - 1) << 2];
    if ((page & (PAGES_PER_SEGMENT - 1)) !== 0 && (before & KIND_MASK) === KIND_FREE) {
      const length = before >>> LENGTH_SHIFT;
      page -= length;
      pages += length;
      this.unlink(page, length);
    }
    const behind = page + pages;
    if ((behind & (PAGES_PER_SEGMENT - 1)) !== 0 && behind << 2 < table.length) {
      const after = table[behind << 2];
      if ((after & KIND_MASK) === KIND_FREE) {
        const length = after >>> LENGTH_SHIFT;
        this.unlink(behind, length);
        pages += length;
      }
    }
    this.link(page, pages);
  }

  private findRun(pages: number): number {
    const ctl = this.ctl;
    const bin = binOf(pages);
    // in a bin whose least length is `pages` every run fits
    if (BIN_LOWEST[bin] === pages) return this.headFrom(bin);
    const near = this.firstFit(bin, pages, BIN_LOOKS);
    if (near !== 0) return near;
    const longer = bin + 1 < BINS ? this.headFrom(bin + 1) : 0;
    if (longer !== 0) return longer;
    return this.firstFit(bin, pages, ctl[CTL_BIN_RUNS + bin]);
  }

  private firstFit(bin: number, pages: number, looks: number): number {
    const table = this.table;
    let run = this.ctl[CTL_BIN_HEAD + bin];
    while (run !== 0 && looks-- > 0) {
      if (table[run << 2] >>> LENGTH_SHIFT >= pages) return run;
      run = table[(run << 2) + NEXT];
    }
    return 0;
  }

  /** First run of the first bin from `bin` on that has one; 0 if none has. */
  private headFrom(bin: number): number {
    const ctl = this.ctl;
    let word = bin >> 5;
    let bits = ctl[CTL_BITMAP + word] & (-1 << (bin & 31));
    while (bits === 0) {
      if (++word === BITMAP_WORDS) return 0;
      bits = ctl[CTL_BITMAP + word];
    }
    return ctl[CTL_BIN_HEAD + (word << 5) + (31 - Math.clz32(bits & -bits))];
  }

  private link(page: number, pages: number): void {
    const { ctl, table } = this;
    const bin = binOf(pages);
    const head = ctl[CTL_BIN_HEAD + bin];
    const at = page << 2;
    table[at + META] = FREE | (pages << LENGTH_SHIFT);
    table[(page + pages - 1) << 2] = FREE | (pages << LENGTH_SHIFT);
    table[at + NEXT] = head;
    table[at + PREV] = 0;
    if (head !== 0) table[(head << 2) + PREV] = page;
    ctl[CTL_BIN_HEAD + bin] = page;
    ctl[CTL_BIN_RUNS + bin]++;
    ctl[CTL_BIN_PAGES + bin] += pages;
    ctl[CTL_BITMAP + (bin >> 5)] |= 1 << (bin & 31);
    ctl[CTL_FREE_PAGES] += pages;
    ctl[CTL_FREE_SLOTS] += pages >> 4;
  }

  private unlink(page: number, pages: number): void {
    const { ctl, table } = this;
    const bin = binOf(pages);
    const at = page << 2;
    const next = table[at + NEXT];
    const previous = table[at + PREV];
    table[at + META] = 0;
    table[(page + pages - 1) << 2] = 0;
    if (next !== 0) table[(next << 2) + PREV] = previous;
    if (previous !== 0) table[(previous << 2) + NEXT] = next;
    else ctl[CTL_BIN_HEAD + bin] = next;
    if (--ctl[CTL_BIN_RUNS + bin] === 0) ctl[CTL_BITMAP + (bin >> 5)] &= ~(1 << (bin & 31));
    ctl[CTL_BIN_PAGES + bin] -= pages;
    ctl[CTL_FREE_PAGES] -= pages;
    ctl[CTL_FREE_SLOTS] -= pages >> 4;
  }

  /**
   * True: any sequence of allocations that asks for `bytes` bytes in all (each request counted as 16 bytes at least), none of
   * them longer than `largestBytes`, succeeds. The slow path of Arena.reserve; conservative: it may say false too early.
   */
  canServe(bytes: number, largestBytes: number): boolean {
    do if (this.openSegmentsServe(bytes, largestBytes)) return true;
    while (this.openSegment());
    return false;
  }

  private openSegmentsServe(bytes: number, largestBytes: number): boolean {
    const longest = this.headOfLongest();
    if (longest === 0) return false;
    this.ctl[CTL_BIG_RUN] = longest;
    if (this.table[longest << 2] >>> LENGTH_SHIFT >= pagesInOneRun(bytes)) return true;
    const slotsNeeded = CLASS_COUNT + Math.ceil(bytes / (MAX_SMALL_BYTES + 1));
    const slotsSuffice = this.ctl[CTL_FREE_SLOTS] > slotsNeeded;
    const most = Math.ceil(Math.min(bytes, largestBytes) / PAGE_BYTES);
    if (most <= SLAB_PAGES && slotsSuffice) return true;
    return this.servesLongRuns(bytes, Math.max(most, SLAB_PAGES), slotsSuffice);
  }

  /**
   * Say a request of p pages fails. Then no free run has p pages left, so what was handed out before is at least
   * G(p) = sum over the runs of (length - p + 1). It cannot be more than what `bytes` without these p pages may take. So
   * nothing fails if G(p) exceeds that for every p up to `most`; looked at per bin, with the lesser G and the greater need of each.
   * Requests of up to 16 pages are covered by `slotsSuffice` already: each takes at most one 16-page slot, each longer one at most
   * ceil(p / 16).
   */
  private servesLongRuns(bytes: number, most: number, slotsSuffice: boolean): boolean {
    const ctl = this.ctl;
    let runs = 0;
    let pages = 0;
    for (let bin = BINS - 1; bin >= SLAB_BIN; bin--) {
      // requests of low < p <= high pages by the runs of the higher bins alone, of p = low by the runs of this bin as well
      const low = BIN_LOWEST[bin];
      const high = Math.min(BIN_LOWEST[bin + 1] - 1, most);
      if (high > low && pages - runs * (high - 1) <= need(bytes, low + 1)) return false;
      runs += ctl[CTL_BIN_RUNS + bin];
      pages += ctl[CTL_BIN_PAGES + bin];
      const covered = low > most || (bin === SLAB_BIN && slotsSuffice);
      if (!covered && pages - runs * (low - 1) <= need(bytes, low)) return false;
    }
    return true;
  }

  /** First page of a run of the highest bin that has one, or 0. */
  headOfLongest(): number {
    const ctl = this.ctl;
    for (let word = BITMAP_WORDS - 1; word >= 0; word--) {
      const bits = ctl[CTL_BITMAP + word];
      if (bits !== 0) return ctl[CTL_BIN_HEAD + (word << 5) + (31 - Math.clz32(bits))];
    }
    return 0;
  }
}

/** Pages that requests of `bytes` in all can take before a request of `nextPages` pages is made. */
function need(bytes: number, nextPages: number): number {
  // requests of fewer than 17 pages may be a slab's, which says nothing about the bytes they leave
  const before = nextPages <= SLAB_PAGES ? bytes : bytes - (nextPages - 1) * PAGE_BYTES;
  if (before <= 0) return 0;
  return (before * WORST_INFLATION) / PAGE_BYTES + SLAB_PAGES * CLASS_COUNT;
}

/** A single free run of this length serves any sequence of requests for `bytes` in all. */
export function pagesInOneRun(bytes: number): number {
  return Math.ceil((bytes * WORST_INFLATION + SLAB_BYTES * (CLASS_COUNT + 1)) / PAGE_BYTES);
}
