/*
 * Heartbeats: one line per thread that says "my event loop still turns". Nothing is written when a latch is taken: who watches a
 * latch compares its holder's beats instead (see latch-watch.ts).
 *
 * Memory picture (Int32Array words, HEARTBEAT_WORDS per thread number = one cache line):
 *
 *   word 0  beats so far (wraps)                     written by the thread itself, plainly; read by anybody
 *   word 1  low 31 bits of the thread's clock in ms at its last beat, 0 = never beaten
 *
 * Invariant 1: a thread beats at the start of every batch, and inside a long batch whenever it reads its clock again.
 * Invariant 2: no latch is held across a beat, except by one unit that is itself long.
 */

export const HEARTBEAT_WORDS = 16;

const MS_MASK = 0x7fffffff;
/** A holder this much older than the reader is descheduled or inside something long: spinning for it is wasted. */
const FRESH_MS = 2;

export class Heartbeats {
  private readonly words: Int32Array;
  private readonly index: number;

  /** `words` must hold HEARTBEAT_WORDS for each thread number 0..63 that is used, from word `index`. */
  constructor(words: Int32Array, index = 0) {
    this.words = words;
    this.index = index;
  }

  /** Thread `me` only. `nowMs` is the clock that its batch has read anyway. */
  beat(me: number, nowMs: number): void {
    const at = this.index + me * HEARTBEAT_WORDS;
    this.words[at] = (this.words[at] + 1) | 0;
    // nowMs exceeds 32 bits: fold first, then keep 31 bits and avoid 0, which means "never"
    this.words[at + 1] = ((nowMs % 0x80000000) & MS_MASK) | 1;
  }

  /** Beats of thread `thread`, an int32 that wraps; compare for equality only. */
  beats(thread: number): number {
    return Atomics.load(this.words, this.index + thread * HEARTBEAT_WORDS);
  }

  /** Milliseconds since thread `thread` beat, by the clock value `nowMs`; 0 when it never did or when it is ahead. */
  ageMs(thread: number, nowMs: number): number {
    const last = Atomics.load(this.words, this.index + thread * HEARTBEAT_WORDS + 1);
    if (last === 0) return 0;
    const age = ((nowMs % 0x80000000) - last) & MS_MASK;
    return age > MS_MASK >>> 1 ? 0 : age;
  }

  /** Is it worthwhile for `me` to spin for something that `holder` has? Compares two beats and reads no clock. */
  fresh(holder: number, me: number): boolean {
    const his = this.words[this.index + holder * HEARTBEAT_WORDS + 1];
    const mine = this.words[this.index + me * HEARTBEAT_WORDS + 1];
    if (his === 0 || mine === 0) return true;
    const age = (mine - his) & MS_MASK;
    return age <= FRESH_MS || age > MS_MASK >>> 1;
  }
}
