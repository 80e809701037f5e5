/*
 * LatchWatch: how the acceptor finds a latch that is held past a bound, without any work on the path that takes latches. It reads
 * latch words and heartbeats, and writes nothing shared.
 *
 * Invariant 1: a latch counts as held on only while every look finds the same holder with the same number of beats and of steps of
 *              long work, and not inside a call of the system: since the first of these looks the holder's event loop has not come
 *              round, and it has shown no progress.
 * Invariant 2: one look adds at most MAX_STEP_MS, so that a process that was stopped (SIGSTOP, a sleeping laptop) raises no alarm.
 */
import type { Heartbeats } from './heartbeats.ts';
import type { Latch } from './latch.ts';

const MAX_STEP_MS = 500;

export class LatchWatch {
  private readonly latches: readonly Latch[];
  private readonly heartbeats: Heartbeats;
  private readonly holders: Int32Array;
  private readonly beats: Int32Array;
  private readonly steps: Int32Array;
  private readonly heldMs: Float64Array;
  private lastLookMs = Number.NaN;

  /** `latches` by shard, objects of the watching thread. */
  constructor(latches: readonly Latch[], heartbeats: Heartbeats) {
    this.latches = latches;
    this.heartbeats = heartbeats;
    this.holders = new Int32Array(latches.length);
    this.beats = new Int32Array(latches.length);
    this.steps = new Int32Array(latches.length);
    this.heldMs = new Float64Array(latches.length);
  }

  /**
   * One look, to be taken several times per bound; `nowMs` from a clock that does not jump. Returns the position of a latch that
   * has been held for at least `boundMs`, or -1.
   */
  look(nowMs: number, boundMs: number): number {
    const stepMs = Number.isNaN(this.lastLookMs) ? 0 : Math.min(Math.max(nowMs - this.lastLookMs, 0), MAX_STEP_MS);
    this.lastLookMs = nowMs;
    let late = -1;
    for (let i = 0; i < this.latches.length; i++) {
      const holder = this.latches[i].holder();
      const beats = holder === 0 ? 0 : this.heartbeats.beats(holder);
      const steps = holder === 0 ? 0 : this.heartbeats.progress(holder);
      const still = holder === this.holders[i] && beats === this.beats[i] && steps === this.steps[i];
      if (holder !== 0 && still && !this.heartbeats.isAsleep(holder)) {
        this.heldMs[i] += stepMs;
        if (this.heldMs[i] >= boundMs) late = i;
        continue;
      }
      this.holders[i] = holder;
      this.beats[i] = beats;
      this.steps[i] = steps;
      this.heldMs[i] = 0;
    }
    return late;
  }

  /** Milliseconds that the latch at `position` was seen held by the same batch of the same thread without progress, as of the last look. */
  heldForMs(position: number): number {
    return this.heldMs[position];
  }

  /** The holder at the last look, 0 = free. */
  holderOf(position: number): number {
    return this.holders[position];
  }
}
