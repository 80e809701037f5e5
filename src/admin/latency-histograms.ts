/**
 * How long the calls of every command row took, as histograms: INFO latencystats and LATENCY HISTOGRAM.
 *
 *   Float64 words:  [ thread 0: row 0: bucket 0, 1, … | row 1 … ] [ thread 1 … ] … [ baseline of all rows ]
 *
 * Buckets of nanoseconds are logarithmic with 16 steps per power of two, so a bucket is at most 1/16 wider than its beginning:
 * 0 … 15 ns singly, then 16 … 31 ns, … up to 2^36 ns (a minute); what is longer counts there. A word counts calls; a sampled
 * call adds as many as it stands for.
 *
 * Invariant 1: a thread's part has one writer, that thread; everybody reads. A reset stores a baseline.
 */
const STEP_BITS = 4;
const STEPS = 1 << STEP_BITS;
const MAX_EXPONENT = 36;
const BUCKETS = (MAX_EXPONENT - STEP_BITS + 1) * STEPS;
const MAX_NANOS = 2 ** MAX_EXPONENT - 1;

export interface LatencyHistogramsMemory {
  words: SharedArrayBuffer;
  rows: number;
  threads: number;
}

/** Committed as it is touched: a row that is not called costs nothing. */
export function createLatencyHistograms(rows: number, threads: number): LatencyHistogramsMemory {
  return { words: new SharedArrayBuffer((threads + 1) * rows * BUCKETS * 8), rows, threads };
}

function bucketOf(nanos: number): number {
  if (nanos < STEPS) return nanos;
  const exponent = Math.floor(Math.log2(nanos));
  return (exponent - STEP_BITS + 1) * STEPS + Math.floor(nanos / 2 ** (exponent - STEP_BITS)) - STEPS;
}

/** The longest time that counts in a bucket, in nanoseconds. */
function longestOf(bucket: number): number {
  if (bucket < STEPS) return bucket;
  const exponent = Math.floor(bucket / STEPS) + STEP_BITS - 1;
  return (STEPS + (bucket % STEPS) + 1) * 2 ** (exponent - STEP_BITS) - 1;
}

export class LatencyHistograms {
  private readonly all: Float64Array;
  private readonly own: Float64Array;
  private readonly rows: number;
  private readonly threads: number;

  /** `thread`: 0 … threads-1, the part this object writes to. */
  constructor(memory: LatencyHistogramsMemory, thread: number) {
    if (!(thread >= 0 && thread < memory.threads)) throw new Error(`thread ${thread} has no latency histograms`);
    const part = memory.rows * BUCKETS;
    this.all = new Float64Array(memory.words);
    this.own = new Float64Array(memory.words, thread * part * 8, part);
    this.rows = memory.rows;
    this.threads = memory.threads;
  }

  /** A call of `row` took `micros` and stands for `calls` calls. */
  add(row: number, micros: number, calls: number): void {
    const nanos = Math.min(Math.max(0, Math.floor(micros * 1000)), MAX_NANOS);
    this.own[row * BUCKETS + bucketOf(nanos)] += calls;
  }

  /** Counts per bucket over all threads since the last reset, and their sum. */
  private counts(rows: readonly number[]): { counts: Float64Array; total: number } {
    const stride = this.rows * BUCKETS;
    const counts = new Float64Array(BUCKETS);
    let total = 0;
    for (const row of rows) {
      for (let bucket = 0; bucket < BUCKETS; bucket++) {
        const word = row * BUCKETS + bucket;
        let sum = -this.all[this.threads * stride + word];
        for (let thread = 0; thread < this.threads; thread++) sum += this.all[thread * stride + word];
        counts[bucket] += sum;
        total += sum;
      }
    }
    return { counts, total };
  }

  /** Microseconds that so many percent of the calls of these rows did not exceed; null where none was timed. */
  percentiles(rows: readonly number[], percents: readonly number[]): number[] | null {
    const { counts, total } = this.counts(rows);
    if (total === 0) return null;
    return percents.map((percent) => {
      const wanted = Math.max(1, (percent / 100) * total);
      let seen = 0;
      let bucket = -1;
      while (bucket < BUCKETS - 1 && seen < wanted - 1e-6) seen += counts[++bucket];
      return longestOf(bucket) / 1000;
    });
  }

  /**
   * For each power of two of microseconds where something changes: how many of the rows' `calls` took at most so long. The counts
   * of timed calls are scaled to all of them. Empty where none was timed.
   */
  cumulative(rows: readonly number[], calls: number): [micros: number, calls: number][] {
    const { counts, total } = this.counts(rows);
    const result: [number, number][] = [];
    let seen = 0;
    let shown = 0;
    let limitMicros = 1;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      if (counts[bucket] === 0) continue;
      while (longestOf(bucket) > limitMicros * 1000) {
        if (seen > shown) result.push([limitMicros, Math.round((seen / total) * calls)]);
        shown = seen;
        limitMicros *= 2;
      }
      seen += counts[bucket];
    }
    if (seen > shown) result.push([limitMicros, calls]);
    return result;
  }

  reset(): void {
    const stride = this.rows * BUCKETS;
    for (let word = 0; word < stride; word++) {
      let sum = 0;
      for (let thread = 0; thread < this.threads; thread++) sum += this.all[thread * stride + word];
      // untouched words stay uncommitted
      if (sum !== this.all[this.threads * stride + word]) this.all[this.threads * stride + word] = sum;
    }
  }
}
