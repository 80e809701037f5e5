/**
 * LATENCY: what took longer than latency-monitor-threshold, by kind of event, over all threads.
 *
 *   Int32:    [ lock, padding to 64 bytes ]
 *   Float64:  per event: samples ever | highest latency ms | 160 × (unix seconds, latency ms), as a ring
 *
 * Any thread writes and reads, under the lock; an event that is noted took milliseconds.
 * Invariant 1: the ring's place of sample n is n % 160; samples of one second are one sample, the slowest.
 */
import { underWordLock } from '../../native-free-shm/word-lock.ts';

/** Kinds of events, by the names that LATENCY shows. */
export const LATENCY_EVENTS = [
  ...(['command', 'fast-command', 'command-unblocking'] as const),
  ...(['expire-cycle', 'aof-write', 'aof-fsync-always'] as const),
] as const;
export type LatencyEvent = (typeof LATENCY_EVENTS)[number];

const SAMPLES = 160;
const LOCK = 0;
const HEAD_BYTES = 64;
const EVER = 0;
const HIGHEST = 1;
const FIRST_SAMPLE = 2;
const EVENT_DOUBLES = FIRST_SAMPLE + SAMPLES * 2;

export interface LatencySample {
  unixSeconds: number;
  latencyMs: number;
}

/** Samples of one event, the oldest first, and the highest latency since its reset. */
export interface LatencySeries {
  event: LatencyEvent;
  samples: LatencySample[];
  highestMs: number;
}

export function createLatencyEvents(): SharedArrayBuffer {
  return new SharedArrayBuffer(HEAD_BYTES + LATENCY_EVENTS.length * EVENT_DOUBLES * 8);
}

export class LatencyEvents {
  private readonly words: Int32Array;
  private readonly f64: Float64Array;

  constructor(memory: SharedArrayBuffer) {
    this.words = new Int32Array(memory, 0, HEAD_BYTES / 4);
    this.f64 = new Float64Array(memory, HEAD_BYTES);
  }

  /** Notes that `event` took `ms`; whole milliseconds count. */
  add(event: LatencyEvent, ms: number, unixMs: number): void {
    const latencyMs = Math.floor(ms);
    const unixSeconds = Math.floor(unixMs / 1000);
    const base = LATENCY_EVENTS.indexOf(event) * EVENT_DOUBLES;
    underWordLock(this.words, LOCK, () => {
      const { f64 } = this;
      f64[base + HIGHEST] = Math.max(f64[base + HIGHEST], latencyMs);
      const ever = f64[base + EVER];
      const last = base + FIRST_SAMPLE + ((ever + SAMPLES - 1) % SAMPLES) * 2;
      if (ever > 0 && f64[last] === unixSeconds) {
        f64[last + 1] = Math.max(f64[last + 1], latencyMs);
        return;
      }
      const at = base + FIRST_SAMPLE + (ever % SAMPLES) * 2;
      f64[at] = unixSeconds;
      f64[at + 1] = latencyMs;
      f64[base + EVER] = ever + 1;
    });
  }

  /** The events that were noted since their reset. */
  all(): LatencySeries[] {
    return LATENCY_EVENTS.map((event) => this.series(event)).filter(({ samples }) => samples.length > 0);
  }

  /** Of an event by its name; no samples where it is unknown or was not noted. */
  byName(name: string): LatencySeries | null {
    const event = LATENCY_EVENTS.find((one) => one === name.toLowerCase());
    if (event === undefined) return null;
    const series = this.series(event);
    return series.samples.length === 0 ? null : series;
  }

  private series(event: LatencyEvent): LatencySeries {
    const base = LATENCY_EVENTS.indexOf(event) * EVENT_DOUBLES;
    return underWordLock(this.words, LOCK, () => {
      const ever = this.f64[base + EVER];
      const samples: LatencySample[] = [];
      for (let n = Math.max(0, ever - SAMPLES); n < ever; n++) {
        const at = base + FIRST_SAMPLE + (n % SAMPLES) * 2;
        samples.push({ unixSeconds: this.f64[at], latencyMs: this.f64[at + 1] });
      }
      return { event, samples, highestMs: this.f64[base + HIGHEST] };
    });
  }

  /** Forgets these events, all where none is named; how many had samples. */
  reset(names: readonly string[]): number {
    let count = 0;
    for (const { event } of this.all()) {
      if (names.length > 0 && !names.some((name) => name.toLowerCase() === event)) continue;
      const base = LATENCY_EVENTS.indexOf(event) * EVENT_DOUBLES;
      underWordLock(this.words, LOCK, () => this.f64.fill(0, base, base + EVENT_DOUBLES));
      count++;
    }
    return count;
  }
}
