/*
 * Turn: the one process-wide right of way. A unit that failed several times to get all its latches takes it, marks them as wanted, and
 * newcomers give way until it is through: no starvation. Tickets make the turn itself fair.
 *
 * Memory picture (Int32Array words, TURN_WORDS in all; `index` is the first word, a multiple of 16):
 *
 *   word 0      next ticket (wraps)                        any thread, by add
 *   word 1      ticket being served (wraps)                the turn's holder, by add
 *   2..15       unused
 *   16..79      thread number behind ticket t at t & 63    written by its taker, cleared by it when the turn ends
 *
 * The word `wanted` that newcomers read lies in each latch's own line (latch.ts, word 3): the common path costs one plain read there.
 *
 * Invariant 1: a thread has at most one ticket. There are at most 63 threads, so a slot is never shared by two live tickets.
 * Invariant 2: a taker writes its slot, then reads "served"; the holder moves "served", then reads the slot. Both sequentially
 *              consistent: either the taker sees its turn or the holder sees whom to ring.
 * Invariant 3: only the holder of the turn has latches marked as wanted, and end() unmarks all of them.
 * Invariant 4: the holder waits holding no latch. Who overtakes it had looked before the mark; there are at most 62 of these.
 *
 * Use, always from the thread's one place for waiting units:
 *   if (!turn.request()) wait for the bell;  turn.want(latches, n);  if (!enqueueAll(latches, n, bell)) wait for the bell;
 *   turn.end();  run the unit;  releaseAll(latches, n)
 */
import type { Doorbell } from './doorbell.ts';
import { type Latch, MAX_THREAD } from './latch.ts';

export const TURN_WORDS = 80;

const NEXT = 0;
const SERVED = 1;
const SLOTS = 16;
const SLOT_MASK = MAX_THREAD;

export class Turn {
  private readonly words: Int32Array;
  private readonly index: number;
  private readonly me: number;
  private readonly doorbells: readonly Doorbell[];
  private readonly wanted: Latch[] = [];
  private ticket = 0;
  private hasTicket = false;

  /** `me` is this thread's number (1..63), `doorbells` by thread number. */
  constructor(words: Int32Array, index: number, me: number, doorbells: readonly Doorbell[]) {
    if (!(me >= 1 && me <= MAX_THREAD)) throw new RangeError(`thread number ${me} is not in 1..${MAX_THREAD}`);
    if (index < 0 || index + TURN_WORDS > words.length) throw new RangeError(`no turn at word ${index}`);
    this.words = words;
    this.index = index;
    this.me = me;
    this.doorbells = doorbells;
  }

  /**
   * True: this thread has the turn. False: it stands in line, and its doorbell rings when the turn comes; then call again. A place in
   * line cannot be given back: who needs it no longer calls end() as soon as request() says true.
   */
  request(): boolean {
    const { words, index } = this;
    if (!this.hasTicket) {
      this.ticket = Atomics.add(words, index + NEXT, 1);
      this.hasTicket = true;
      Atomics.store(words, index + SLOTS + (this.ticket & SLOT_MASK), this.me);
    }
    return this.mine();
  }

  /** Does this thread have the turn? */
  mine(): boolean {
    return this.hasTicket && Atomics.load(this.words, this.index + SERVED) === this.ticket;
  }

  /** Has this thread a place in line, or the turn? */
  requested(): boolean {
    return this.hasTicket;
  }

  /** Holder of the turn: newcomers to the first `count` of `latches` give way until end(). May be called again with others. */
  want(latches: readonly Latch[], count: number): void {
    if (!this.mine()) throw new Error(`thread ${this.me} marks latches without the turn`);
    for (let i = 0; i < count; i++) {
      if (this.wanted.includes(latches[i])) continue;
      latches[i].want();
      this.wanted.push(latches[i]);
    }
  }

  /**
   * Holder of the turn, best right after it got all its latches (then who gave way is rung once, by the release), or when it gave
   * up: unmarks the latches, rings who gave way, and passes the turn on.
   */
  end(): void {
    if (!this.mine()) throw new Error(`thread ${this.me} ends a turn that it does not have`);
    const { words, index, wanted } = this;
    while (wanted.length > 0) wanted.pop()!.unwant();
    this.hasTicket = false;
    Atomics.store(words, index + SLOTS + (this.ticket & SLOT_MASK), 0);
    const served = (Atomics.add(words, index + SERVED, 1) + 1) | 0;
    const next = Atomics.load(words, index + SLOTS + (served & SLOT_MASK));
    if (next !== 0) this.doorbells[next].ring();
  }
}
