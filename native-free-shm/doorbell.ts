/*
 * Doorbell: how a sleeping thread is woken without losing a wake-up.
 *
 * Memory picture (Int32Array words, DOORBELL_WORDS per doorbell = one cache line; `index` is the first word):
 *
 *   word 0  state: 0 AWAKE | 1 ASLEEP | 2 RUNG        written by the owner (0, 1) and by every ringer (2)
 *   1..15   unused, so that two doorbells never share a line
 *
 *            ring: exchange → 2                       owner: about to poll → 0
 *   AWAKE ───────────────────────► RUNG ─────────────────────────────────────► AWAKE
 *     ▲ │ owner: compareExchange 0 → 1                    ▲
 *     │ └──────────► ASLEEP ──────────────────────────────┘  ring: exchange → 2 returned ASLEEP ⇒ notify
 *
 * Invariant 1: a ring is sticky. It stays RUNG until the owner resets it, and the owner polls after every reset. So whatever a
 *              ringer published before ring() is seen by a poll that begins after it.
 * Invariant 2: only the owner writes AWAKE and ASLEEP, and ASLEEP only by compare-exchange from AWAKE: nobody falls asleep over a ring.
 * Invariant 3: the ringer that turns ASLEEP into RUNG, and only that one, pays for the notify (6–12 µs).
 *              Its notify may come late, when the owner sleeps again: then the owner wakes for nothing, and polls.
 * Invariant 4: at most one waitAsync of the owner is outstanding. It has no timeout (timed ones leak platform tasks).
 * Invariant 5: a pending waitAsync does not keep the thread alive: the owner's loop holds a ref'd handle of its own.
 */

export const DOORBELL_WORDS = 16;

const AWAKE = 0;
const ASLEEP = 1;
const RUNG = 2;

const neverPoll = (): boolean => false;

export class Doorbell {
  private readonly words: Int32Array;
  private readonly index: number;
  private poll: () => boolean = neverPoll;
  private listening = false;
  private polling = false;
  /** A waitAsync promise is outstanding (it may already be notified, its reaction not yet run). */
  private armed = false;
  private immediate: NodeJS.Immediate | null = null;
  private emptyTurns = 0;
  private emptyTurnsLeft = 0;
  private readonly onWake = (): void => {
    this.armed = false;
    if (this.listening && this.immediate === null) this.turn();
  };
  private readonly onImmediate = (): void => {
    this.immediate = null;
    if (this.listening) this.turn();
  };

  /** `words` must lie over a SharedArrayBuffer; every thread that rings or listens makes its own object over the same word. */
  constructor(words: Int32Array, index: number) {
    if (index < 0 || index + 1 > words.length) throw new RangeError(`no doorbell at word ${index}`);
    this.words = words;
    this.index = index;
  }

  /** Any thread, after it published work. One load when already rung, one exchange when awake, notify only when asleep. */
  ring(): void {
    const { words, index } = this;
    if (Atomics.load(words, index) === RUNG) return;
    if (Atomics.exchange(words, index, RUNG) === ASLEEP) Atomics.notify(words, index, 1);
  }

  /**
   * Owner with an event loop: from now on `poll` runs whenever the bell was rung (and once soon after this call). It returns true
   * while there is more to do, then it runs again in the next setImmediate turn. `emptyTurns` more turns are polled after it
   * returned false before the thread sleeps: useful only where a core is free.
   */
  listen(poll: () => boolean, emptyTurns = 0): void {
    if (this.listening) throw new Error('this doorbell has a listener');
    this.poll = poll;
    this.listening = true;
    this.emptyTurns = emptyTurns;
    this.emptyTurnsLeft = emptyTurns;
    this.again();
  }

  /**
   * Owner, at the start of a batch of other work (sockets): rings until endBatch() cost their callers no notify. Optional: without
   * it a thread that is busy with sockets counts as asleep and is notified.
   */
  beginBatch(): void {
    if (!this.listening || this.polling || this.immediate !== null) return;
    Atomics.compareExchange(this.words, this.index, ASLEEP, AWAKE);
  }

  /** Owner, at the end of the batch: polls at once if rung meanwhile, then sleeps again. */
  endBatch(): void {
    if (!this.listening || this.polling || this.immediate !== null) return;
    if (this.words[this.index] === RUNG) this.turn();
    else this.sleep();
  }

  /** Ends listening: poll is not called any more, and nothing stays behind in the engine. */
  close(): void {
    this.listening = false;
    this.poll = neverPoll;
    if (this.immediate !== null) clearImmediate(this.immediate);
    this.immediate = null;
    if (this.armed) {
      Atomics.store(this.words, this.index, RUNG);
      Atomics.notify(this.words, this.index);
    }
  }

  /**
   * Owner without an event loop: blocks until rung, at most `timeoutMs`. Returns at once, true, if it was rung since the last
   * return. False: the time is over and nobody rang. The caller polls after every return. (A late notify of an earlier ring may
   * wake it for nothing: that also returns true.)
   */
  waitSync(timeoutMs: number): boolean {
    const { words, index } = this;
    let woken = true;
    if (Atomics.compareExchange(words, index, AWAKE, ASLEEP) === AWAKE) {
      woken = Atomics.wait(words, index, ASLEEP, timeoutMs) !== 'timed-out';
    }
    return Atomics.exchange(words, index, AWAKE) === RUNG || woken;
  }

  private turn(): void {
    // A late notify of an earlier ring can wake us while the word says ASLEEP. Overwriting is right in any case: the poll follows.
    if (this.words[this.index] !== AWAKE) Atomics.store(this.words, this.index, AWAKE);
    this.polling = true;
    const more = this.poll();
    this.polling = false;
    if (!this.listening) return;
    if (more) this.emptyTurnsLeft = this.emptyTurns;
    else if (this.emptyTurnsLeft > 0) this.emptyTurnsLeft--;
    else {
      this.sleep();
      return;
    }
    this.again();
  }

  private sleep(): void {
    const { words, index } = this;
    if (Atomics.compareExchange(words, index, AWAKE, ASLEEP) === RUNG) {
      this.again();
      return;
    }
    this.emptyTurnsLeft = this.emptyTurns;
    if (this.armed) return;
    const wait = Atomics.waitAsync(words, index, ASLEEP);
    if (wait.async) {
      this.armed = true;
      wait.value.then(this.onWake);
    } else {
      this.again();
    }
  }

  private again(): void {
    if (this.immediate === null) this.immediate = setImmediate(this.onImmediate);
  }
}
