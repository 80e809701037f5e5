/**
 * Touches memory of an arena before it is handed out, on a thread that serves nobody. The system finds and clears a page when somebody
 * first writes to it: 1 to 4 ms for a huge one, and without this it was a command that waited for them.
 *
 *   a segment   | never handed out … | touched ahead | handed out … |      from its end on, as PagePool cuts runs
 *
 * A *place* counts pages in the order in which they are handed out for the first time, through all segments.
 *
 * Knows what another thread does by plain reads of counts without the latch, which may be a moment old, and changes nothing: it
 * writes by atomic or with 0, which leaves a word as it is whatever its owner does meanwhile.
 */
import type { ArenaMemory } from './arena.ts';
import { CTL_LOWEST, CTL_PAGES, PAGE_BYTES, PAGE_WORDS, PAGES_PER_SEGMENT } from './arena-layout.ts';

const WORDS_PER_PAGE_SHIFT = 10;
const MIB_PAGES = 2 ** 20 / PAGE_BYTES;
/** One step: a huge page. */
const STEP_PAGES = 2 * MIB_PAGES;
const LEAST_PAGES = 2 * MIB_PAGES;
const MOST_PAGES = 64 * MIB_PAGES;
/** How many times what was handed out between two looks is kept ready for the next. */
const READY = 2;

export class TouchAhead {
  private readonly ctl: Int32Array;
  private readonly table: Int32Array;
  private readonly segments: readonly Int32Array[];
  /** Places below are touched. */
  private touched = 0;
  private goal = 0;
  private lastPlace = 0;

  /** `segments`: views of the memory's segments, see Arena.i32. */
  constructor(memory: ArenaMemory, segments: readonly Int32Array[]) {
    this.ctl = new Int32Array(memory.control);
    this.table = new Int32Array(memory.pageTable);
    this.segments = segments;
  }

  /** Is there something for `step` to do? */
  get wanted(): boolean {
    return this.touched < this.goal;
  }

  /** Called at equal intervals: how much was needed since the last time says how much is touched for the next. */
  look(): void {
    const place = this.place();
    const used = place - this.lastPlace;
    this.lastPlace = place;
    if (used > 0) this.prepare(Math.min(used * READY, MOST_PAGES) * PAGE_BYTES);
  }

  /** So many bytes will be needed soon. */
  prepare(bytes: number): void {
    const pages = Math.max(Math.ceil(bytes / PAGE_BYTES), LEAST_PAGES);
    this.goal = Math.min(this.place() + pages, this.table.length / PAGE_WORDS);
  }

  /** Touches at most a huge page's worth. */
  step(): void {
    let at = Math.max(this.touched, this.place());
    const end = Math.min(at + STEP_PAGES, this.goal);
    for (; at < end; at++) {
      const page = this.pageAt(at);
      const words = this.segments[Math.floor(page / PAGES_PER_SEGMENT)];
      Atomics.or(this.table, page * PAGE_WORDS, 0);
      Atomics.or(words, (page % PAGES_PER_SEGMENT) << WORDS_PER_PAGE_SHIFT, 0);
    }
    this.touched = at;
  }

  /** The first page that was never handed out, as a place. */
  private place(): number {
    const segment = Math.floor((this.ctl[CTL_PAGES] - 1) / PAGES_PER_SEGMENT);
    return segment * PAGES_PER_SEGMENT + this.endOf(segment) - this.ctl[CTL_LOWEST + segment];
  }

  /** Page behind the last one of a segment. */
  private endOf(segment: number): number {
    return Math.min((segment + 1) * PAGES_PER_SEGMENT, this.table.length / PAGE_WORDS);
  }

  private pageAt(place: number): number {
    const segment = Math.floor(place / PAGES_PER_SEGMENT);
    return this.endOf(segment) - 1 - (place % PAGES_PER_SEGMENT);
  }
}
