/**
 * Long blocks whose bytes are copied without the latch: pins on them, and the list of those that are in nobody's data.
 *
 *   page table, first page of a live run:   word 1 next orphan | word 2 previous orphan | word 3 pins
 *   control word `orphans`:                 first page of the first orphan
 *
 *   value out:  pin, under the latch ──► copy ──► unpin        released meanwhile: becomes an orphan, freed later
 *   value in:   private block = orphan with one pin, under the latch ──► copy ──► adopt, under the latch, or unpin
 *
 * Pins are taken under the shard's latch and given back by any thread at any time. Everything else runs under the latch.
 *
 * Invariant 1: a live run is either in the data or an orphan, never both; only an orphan is freed by freeOrphans.
 * Invariant 2: an orphan without pins can get none: whoever pins has found the block in the data. So a count of 0 that is seen
 *              under the latch stays 0, and the bytes that its last owner copied are done with (the count is atomic).
 * Invariant 3: a block in the data with pins is not patched; a release of it makes it an orphan instead of freeing it.
 * Invariant 4: nothing has to be remembered by a thread that gives up: its pin is all that keeps a private block.
 */
import { CTL_ORPHANS, PAGE_NEXT, PAGE_PINS, PAGE_PREV } from './arena-layout.ts';

export class PinnedBlocks {
  private readonly ctl: Int32Array;
  private readonly table: Int32Array;

  constructor(ctl: Int32Array, table: Int32Array) {
    this.ctl = ctl;
    this.table = table;
  }

  pin(handle: number): void {
    Atomics.add(this.table, ((handle >>> 8) << 2) + PAGE_PINS, 1);
  }

  unpin(handle: number): void {
    const before = Atomics.sub(this.table, ((handle >>> 8) << 2) + PAGE_PINS, 1);
    if (before <= 0) throw new Error(`arena: block ${handle} was not pinned`);
  }

  pins(handle: number): number {
    return Atomics.load(this.table, ((handle >>> 8) << 2) + PAGE_PINS);
  }

  /** Puts a live run that is in no data at the head of the list. */
  orphan(handle: number): void {
    const { ctl, table } = this;
    const page = handle >>> 8;
    const head = ctl[CTL_ORPHANS];
    table[(page << 2) + PAGE_NEXT] = head;
    table[(page << 2) + PAGE_PREV] = 0;
    if (head !== 0) table[(head << 2) + PAGE_PREV] = page;
    ctl[CTL_ORPHANS] = page;
  }

  leaveOrphans(handle: number): void {
    const { ctl, table } = this;
    const page = handle >>> 8;
    const next = table[(page << 2) + PAGE_NEXT];
    const previous = table[(page << 2) + PAGE_PREV];
    if (next !== 0) table[(next << 2) + PAGE_PREV] = previous;
    if (previous !== 0) table[(previous << 2) + PAGE_NEXT] = next;
    else if (ctl[CTL_ORPHANS] === page) ctl[CTL_ORPHANS] = next;
    else throw new Error(`arena: block ${handle} is no orphan`);
  }

  /** The first orphan without a pin among the first `most`, 0 = none. */
  firstFree(most: number): number {
    const { ctl, table } = this;
    let looked = 0;
    for (let page = ctl[CTL_ORPHANS]; page !== 0 && looked < most; page = table[(page << 2) + PAGE_NEXT]) {
      if (this.pins(page << 8) === 0) return page << 8;
      looked++;
    }
    return 0;
  }
}
