/**
 * How much memory all pasts of a process take together (old-blocks.ts), and how much they may.
 *
 *   words   Int32: | granules in use | bound in granules, 0 = none | how often the bound was reached |       a granule is 16 bytes
 *
 * Any thread adds, atomically; the bound is set by whoever takes the snapshot.
 *
 * Invariant 1: nobody waits here: a unit that has begun may overrun the bound. `onFull` has the units behind it kept away.
 */
export const PAST_GAUGE_WORDS = 16;

const USED = 0;
const BOUND = 1;
const TIMES = 2;
const GRANULE_BYTES = 16;

export class PastGauge {
  private readonly words: Int32Array;
  private readonly at: number;
  /** Called, under a latch, whenever something is kept beyond the bound. True: it was not known before. */
  private readonly onFull: () => boolean;

  /** Over PAST_GAUGE_WORDS words of `words` from `at` on. */
  constructor(words: Int32Array, at: number, onFull: () => boolean) {
    this.words = words;
    this.at = at;
    this.onFull = onFull;
  }

  /** So many granules more, or less. */
  add(granules: number): void {
    const { words, at } = this;
    const used = Atomics.add(words, at + USED, granules) + granules;
    const bound = words[at + BOUND];
    if (granules > 0 && bound !== 0 && used > bound && this.onFull()) Atomics.add(words, at + TIMES, 1);
  }

  setBound(bytes: number): void {
    Atomics.store(this.words, this.at + BOUND, Math.min(Math.ceil(bytes / GRANULE_BYTES), 2 ** 31 - 1));
  }

  /** Is less than three quarters of the bound in use, or is there none? */
  hasRoom(): boolean {
    const bound = Atomics.load(this.words, this.at + BOUND);
    return bound === 0 || Atomics.load(this.words, this.at + USED) < bound * 0.75;
  }

  usedBytes(): number {
    return Atomics.load(this.words, this.at + USED) * GRANULE_BYTES;
  }

  boundBytes(): number {
    return Atomics.load(this.words, this.at + BOUND) * GRANULE_BYTES;
  }

  timesFull(): number {
    return Atomics.load(this.words, this.at + TIMES);
  }
}

export function granulesOf(bytes: number): number {
  return Math.ceil(bytes / GRANULE_BYTES);
}
