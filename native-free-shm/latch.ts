/*
 * Latch: one word that guards a shard. Whoever holds it may read and write the shard's memory. Nobody blocks on it: a contender
 * tries, spins a little, or registers and is rung by the release.
 *
 * Memory picture (Int32Array words, LATCH_WORDS per latch = one cache line; `index` is the first word, a multiple of 16):
 *
 *   word 0  bits 0..5 thread number of the holder (1..63), 0 = free | bit 8 WAITERS     all contenders, by compare-exchange
 *   word 1  waiting set, threads 0..31                                                   waiters: or; releaser: exchange 0
 *   word 2  waiting set, threads 32..63
 *   word 3  wanted: the thread that has the process-wide turn and wants this latch       the turn's holder (turn.ts)
 *   4..15   unused, so that two latches never share a line
 *
 * Invariant 1: only the holder's release turns a held word into 0, by exchange: it sees every WAITERS bit set before it.
 * Invariant 2: a waiter joins the waiting set *before* it makes sure that the held word carries WAITERS. The release exchanges the
 *              word before it takes the set. So when enqueue() returns false, a later release (or the end of a turn) takes its bit and rings.
 * Invariant 3: WAITERS is never set on a free word.
 * Invariant 4: nobody but the turn's holder takes a latch whose `wanted` it has seen set; whoever gives way is in the waiting set, and
 *              the end of the turn rings that set.
 * Invariant 5: a bit may stay in the waiting set after its thread got the latch another way: it costs one needless ring, never a lost one.
 * Invariant 6: the latch is not re-entrant and is never held across a turn of the event loop.
 *
 * Plain accesses to what the latch guards are ordered by the atomics on word 0: a release's exchange synchronises with the next
 * acquirer's compare-exchange that reads it.
 */
import type { Doorbell } from './doorbell.ts';
import type { Heartbeats } from './heartbeats.ts';

export const LATCH_WORDS = 16;
export const MAX_THREAD = 63;

const HOLDER_MASK = 0x3f;
const WAITERS = 0x100;
const WAITING = 1;
const WANTED = 3;
/** Looks at the word between two looks at the clock: about 1 µs. */
const SPINS_PER_STEP = 16;
/** Attempts of enqueueAll before it rings its own bell instead: bounds the time under way without a turn of the event loop. */
const ENQUEUE_ATTEMPTS = 8;

/** Absent from engines older than Atomics.pause: then the bare loop spins. */
const pause: () => void = typeof Atomics.pause === 'function' ? () => Atomics.pause() : () => {};

export class Latch {
  /** This thread's failed first attempts at this latch; plain, for statistics. */
  collisions = 0;
  readonly me: number;
  private readonly words: Int32Array;
  private readonly index: number;
  private readonly doorbells: readonly Doorbell[];
  private readonly heartbeats: Heartbeats | null;

  /**
   * `words` over shared memory, `index` of this latch's first word, `me` this thread's number (1..63), `doorbells` by thread number
   * (every number that takes latches). With `heartbeats` nobody spins for a holder whose loop stands still.
   */
  constructor(
    words: Int32Array,
    index: number,
    me: number,
    doorbells: readonly Doorbell[],
    heartbeats: Heartbeats | null = null,
  ) {
    if (!(me >= 1 && me <= MAX_THREAD)) throw new RangeError(`thread number ${me} is not in 1..${MAX_THREAD}`);
    if (index < 0 || index + LATCH_WORDS > words.length) throw new RangeError(`no latch at word ${index}`);
    this.words = words;
    this.index = index;
    this.me = me;
    this.doorbells = doorbells;
    this.heartbeats = heartbeats;
  }

  /** One plain read and one compare-exchange. False: held by somebody, or wanted by the holder of the turn. */
  tryAcquire(): boolean {
    const { words, index, me } = this;
    const wanted = words[index + WANTED];
    if ((wanted === 0 || wanted === me) && Atomics.compareExchange(words, index, 0, me) === 0) return true;
    this.collisions++;
    return false;
  }

  /** tryAcquire, then looks at the word for at most about `maxMicros` µs. Gives up early when the holder's loop stands still. */
  acquireSpin(maxMicros: number): boolean {
    return this.tryAcquire() || (maxMicros > 0 && this.spin(maxMicros));
  }

  /**
   * Registers this thread for a ring and tries once more. True: acquired. False: this thread's doorbell rings when it is worthwhile
   * to try again (it may be rung needlessly, and somebody may be faster again; then enqueue again).
   */
  enqueue(): boolean {
    const { words, index, me } = this;
    const setIndex = index + WAITING + (me >>> 5);
    const bit = 1 << (me & 31);
    Atomics.or(words, setIndex, bit);
    for (;;) {
      const word = Atomics.load(words, index);
      if (word === 0) {
        const wanted = Atomics.load(words, index + WANTED);
        if (wanted !== 0 && wanted !== me) return false;
        if (Atomics.compareExchange(words, index, 0, me) === 0) {
          Atomics.and(words, setIndex, ~bit);
          return true;
        }
      } else {
        if ((word & HOLDER_MASK) === me) throw new Error(`latch at word ${index}: thread ${me} already holds it`);
        if ((word & WAITERS) !== 0) return false;
        if (Atomics.compareExchange(words, index, word, word | WAITERS) === word) return false;
      }
    }
  }

  /** One exchange; rings the waiting set if WAITERS was set. Throws if this thread does not hold the latch (the process must end). */
  release(): void {
    const { words, index } = this;
    const word = Atomics.exchange(words, index, 0);
    if (word !== this.me) this.releaseSlow(word);
  }

  /** Thread number of the holder, 0 = free. Any thread, a moment's truth. */
  holder(): number {
    return Atomics.load(this.words, this.index) & HOLDER_MASK;
  }

  /** Does this thread hold it? Exact. */
  held(): boolean {
    return this.holder() === this.me;
  }

  /** Is it wanted by the holder of the turn, another thread? One plain read. */
  wantedByOther(): boolean {
    const wanted = this.words[this.index + WANTED];
    return wanted !== 0 && wanted !== this.me;
  }

  /** For the holder: does somebody wait for it, or want it? Two plain reads; who has only begun to spin is not seen. */
  isSought(): boolean {
    return this.words[this.index] !== this.me || this.wantedByOther();
  }

  /** For turn.ts, by the holder of the turn: newcomers give way from now on. */
  want(): void {
    Atomics.store(this.words, this.index + WANTED, this.me);
  }

  /** For turn.ts: undoes want(). Who gave way is rung: by the release if this thread holds the latch now, else at once. */
  unwant(): void {
    const { words, index } = this;
    Atomics.store(words, index + WANTED, 0);
    if (this.held()) Atomics.or(words, index, WAITERS);
    else this.ringWaiting();
  }

  private spin(maxMicros: number): boolean {
    const { words, index, me, heartbeats } = this;
    const endMs = performance.now() + maxMicros / 1000;
    for (;;) {
      for (let n = 0; n < SPINS_PER_STEP; n++) {
        pause();
        if (Atomics.load(words, index) === 0) {
          if (this.wantedByOther()) return false;
          if (Atomics.compareExchange(words, index, 0, me) === 0) return true;
        }
      }
      const holder = Atomics.load(words, index) & HOLDER_MASK;
      if (holder === me) throw new Error(`latch at word ${index}: thread ${me} already holds it`);
      if (heartbeats !== null && holder !== 0 && !heartbeats.fresh(holder, me)) return false;
      if (performance.now() >= endMs) return false;
    }
  }

  private releaseSlow(word: number): void {
    if ((word & HOLDER_MASK) !== this.me) {
      throw new Error(`latch at word ${this.index}: released by thread ${this.me}, held by ${word & HOLDER_MASK}`);
    }
    this.ringWaiting();
  }

  private ringWaiting(): void {
    const { words, index, doorbells } = this;
    for (let half = 0; half < 2; half++) {
      if (Atomics.load(words, index + WAITING + half) === 0) continue;
      let set = Atomics.exchange(words, index + WAITING + half, 0);
      while (set !== 0) {
        const bit = 31 - Math.clz32(set);
        set &= ~(1 << bit);
        doorbells[(half << 5) | bit].ring();
      }
    }
  }
}

/**
 * Takes the first `count` of `latches`, which the caller lists in ascending order of their shards without repetition (so that two
 * spinning units never face each other crosswise): all or nothing. Returns -1 when all are held, else the position of the one that
 * stayed busy for `spinMicros`, and none is held.
 */
export function acquireAllOrBusy(latches: readonly Latch[], count: number, spinMicros: number): number {
  for (let i = 0; i < count; i++) {
    if (latches[i].acquireSpin(spinMicros)) continue;
    for (let j = i - 1; j >= 0; j--) latches[j].release();
    return i;
  }
  return -1;
}

/** acquireAllOrBusy without spinning: true = all held, false = none held. */
export function tryAcquireAll(latches: readonly Latch[], count: number): boolean {
  return acquireAllOrBusy(latches, count, 0) === -1;
}

/**
 * tryAcquireAll that registers this thread where it failed. False: none is held, and this thread's doorbell rings when it is
 * worthwhile to call again. So a unit waits holding nothing.
 */
export function enqueueAll(latches: readonly Latch[], count: number, ownDoorbell: Doorbell): boolean {
  for (let attempt = 0; attempt < ENQUEUE_ATTEMPTS; attempt++) {
    const busy = acquireAllOrBusy(latches, count, 0);
    if (busy === -1) return true;
    if (!latches[busy].enqueue()) return false;
    // It came free meanwhile. Start over from the first one, so that the order stays ascending.
    latches[busy].release();
  }
  ownDoorbell.ring();
  return false;
}

/** Releases the first `count` of `latches`. */
export function releaseAll(latches: readonly Latch[], count: number): void {
  for (let i = count - 1; i >= 0; i--) latches[i].release();
}
