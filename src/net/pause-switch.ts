/**
 * CLIENT PAUSE, on the acceptor: a fact of the whole server that is changed under the latches of all shards and answered when it
 * holds everywhere (R3, R30). Ends by time or by UNPAUSE. As in Redis the longest end and the strictest kind win.
 *
 * Invariant 1: requests are carried out one after the other, in the order of their coming.
 * Invariant 2: a pause that is ended lets commands run that were refused nothing before, so it needs no latch.
 */
import type { ShardAccess } from '../shard/shard-access.ts';
import { PAUSE_BITS, STATE } from '../shard/world.ts';
import { underAllLatchesSoon } from './all-latches.ts';

/** The longest time a timer can wait; what ends later is looked at again then. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export class ClientPause {
  private readonly access: Pick<ShardAccess, 'latches' | 'turn' | 'setState' | 'stateBits' | 'pauseEnd'>;
  private readonly ringWorkers: () => void;
  private readonly nowMs: () => number;
  private queue: Promise<void> = Promise.resolve();
  private timer: NodeJS.Timeout | undefined;

  /** `ringWorkers` has all workers look at what waits. */
  constructor(
    access: Pick<ShardAccess, 'latches' | 'turn' | 'setState' | 'stateBits' | 'pauseEnd'>,
    ringWorkers: () => void,
    nowMs: () => number,
  ) {
    this.access = access;
    this.ringWorkers = ringWorkers;
    this.nowMs = nowMs;
  }

  /** Pauses until unix ms `endMs`, or ends the pause where that is over; resolved when it holds on all threads. */
  request(endMs: number, all: boolean): Promise<void> {
    this.queue = this.queue.then(() => (endMs === 0 ? this.end() : this.begin(endMs, all)));
    return this.queue;
  }

  private async begin(endMs: number, all: boolean): Promise<void> {
    const { access } = this;
    await underAllLatchesSoon(access, () => {
      const paused = (access.stateBits() & PAUSE_BITS) !== 0;
      access.pauseEnd[0] = paused ? Math.max(access.pauseEnd[0], endMs) : endMs;
      access.setState(all ? PAUSE_BITS : STATE.pausedWrites, true);
    });
    this.wait();
  }

  private wait(): void {
    clearTimeout(this.timer);
    const leftMs = this.access.pauseEnd[0] - this.nowMs();
    if (leftMs <= 0) this.end();
    else this.timer = setTimeout(() => this.wait(), Math.min(leftMs, MAX_TIMER_MS));
  }

  private end(): void {
    clearTimeout(this.timer);
    this.access.setState(PAUSE_BITS, false);
    this.access.pauseEnd[0] = 0;
    this.ringWorkers();
  }
}
