/*
 * Heartbeats: one line per thread that says "my event loop still turns". Nothing is written when a latch is taken: who watches a
 * latch compares its holder's beats instead (see latch-watch.ts).
 *
 * Memory picture (Int32Array words, HEARTBEAT_WORDS per thread number = one cache line):
 *
 *   word 0  beats so far (wraps)                     written by the thread itself, plainly; read by anybody
 *   word 1  low 31 bits of the thread's clock in ms at its last beat, 0 = never beaten
 *   word 2  steps of long work so far (wraps)         written by the thread itself, plainly; read by who watches latches
 *   word 3  1: the thread is inside a call of the system that may take any time (a sync)
 *
 * Invariant 1: a thread beats at the start of every batch, and inside a long batch whenever it reads its clock again.
 * Invariant 2: no latch is held across a beat, except by one unit that is itself long.
 * Invariant 3: whoever works long under a latch calls showProgress() at least every few seconds, or asleep() around what cannot be
 *              divided: a holder without beats and without progress hangs.
 */

export const HEARTBEAT_WORDS = 16;

const PROGRESS = 2;
const ASLEEP = 3;
const MS_MASK = 0x7fffffff;
/** A holder this much older than the reader is descheduled or inside something long: spinning for it is wasted. */
const FRESH_MS = 2;

/** This thread's line; a private one until attachProgress was called, so that the functions below may be called anywhere. */
let own: Int32Array = new Int32Array(HEARTBEAT_WORDS);
let ownAt = 0;

/** A step of long work is done. One plain store: cheap enough for every few entries of a walk over a whole table. */
export function showProgress(): void {
  own[ownAt + PROGRESS] = (own[ownAt + PROGRESS] + 1) | 0;
}

/** Runs a call of the system that may take any time, and says so: meanwhile this thread counts as working. */
export function asleep<T>(call: () => T): T {
  own[ownAt + ASLEEP] = 1;
  try {
    return call();
  } finally {
    own[ownAt + ASLEEP] = 0;
    showProgress();
  }
}

export class Heartbeats {
  private readonly words: Int32Array;
  private readonly index: number;

  /** `words` must hold HEARTBEAT_WORDS for each thread number 0..63 that is used, from word `index`. */
  constructor(words: Int32Array, index = 0) {
    this.words = words;
    this.index = index;
  }

  /** Once per thread: showProgress() and asleep() of this thread write into the line of thread `me` from now on. */
  attachProgress(me: number): void {
    own = this.words;
    ownAt = this.index + me * HEARTBEAT_WORDS;
  }

  /** Steps of long work of thread `thread`, an int32 that wraps; compare for equality only. */
  progress(thread: number): number {
    return Atomics.load(this.words, this.index + thread * HEARTBEAT_WORDS + PROGRESS);
  }

  /** Is the thread inside asleep()? */
  isAsleep(thread: number): boolean {
    return Atomics.load(this.words, this.index + thread * HEARTBEAT_WORDS + ASLEEP) !== 0;
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
