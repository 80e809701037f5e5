/**
 * What one thread (the acceptor) samples ten times a second for INFO.
 *
 *   Float64 words:  [ head: last sample time, next ring place, peak, raw values of the last sample ]
 *                   [ 3 rings of 16 rates: commands/s, input bytes/s, output bytes/s ]
 *
 * Invariant 1: only the sampling thread writes the head and the rings (a reset may clear the rings); every thread reads them.
 */
import type { CounterName, ServerCounters } from './server-counters.ts';

const RING = 16;
const RATES: readonly CounterName[] = ['commandsProcessed', 'netInputBytes', 'netOutputBytes'];
const AT_MS = 0;
const AT_PLACE = 1;
const AT_PEAK_BYTES = 2;
const AT_RAW = 4;
const AT_RINGS = 8;
const WORDS = AT_RINGS + RATES.length * RING;

export interface ServerSamplesMemory {
  words: SharedArrayBuffer;
}

export function createServerSamples(): ServerSamplesMemory {
  return { words: new SharedArrayBuffer(WORDS * 8) };
}

export class ServerSamples {
  private readonly f64: Float64Array;

  constructor(memory: ServerSamplesMemory) {
    this.f64 = new Float64Array(memory.words);
  }

  /** One sample, every 100 ms by the one sampling thread. `usedBytes`: data memory in use now. */
  sample(nowMs: number, counters: ServerCounters, usedBytes: number): void {
    const f64 = this.f64;
    if (usedBytes > f64[AT_PEAK_BYTES]) f64[AT_PEAK_BYTES] = usedBytes;
    const elapsedMs = nowMs - f64[AT_MS];
    const isFirst = f64[AT_MS] === 0;
    const place = f64[AT_PLACE];
    for (let i = 0; i < RATES.length; i++) {
      const raw = counters.sum(RATES[i]);
      const grown = raw - f64[AT_RAW + i];
      // a clock that stood still or ran backwards gives no rate, and neither do counters that were reset meanwhile
      if (!isFirst && elapsedMs > 0) f64[AT_RINGS + i * RING + place] = Math.max(0, (grown * 1000) / elapsedMs);
      f64[AT_RAW + i] = raw;
    }
    f64[AT_PLACE] = isFirst ? 0 : (place + 1) % RING;
    f64[AT_MS] = nowMs;
  }

  private rate(index: number): number {
    let sum = 0;
    for (let i = 0; i < RING; i++) sum += this.f64[AT_RINGS + index * RING + i];
    return sum / RING;
  }

  /** Commands per second over the last 1.6 s. */
  opsPerSecond(): number {
    return Math.round(this.rate(0));
  }

  inputBytesPerSecond(): number {
    return this.rate(1);
  }

  outputBytesPerSecond(): number {
    return this.rate(2);
  }

  /** The most data memory that a sample or the caller ever saw, in bytes. */
  peakBytes(usedBytesNow: number): number {
    return Math.max(this.f64[AT_PEAK_BYTES], usedBytesNow);
  }

  /** CONFIG RESETSTAT: the rates start anew. */
  resetRates(): void {
    this.f64.fill(0, AT_RINGS, WORDS);
  }
}
