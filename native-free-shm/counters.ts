/*
 * Counters: numbers that each thread counts for itself and anybody adds up. Counting is a plain `row[INDEX]++`, no atomic.
 *
 * Memory picture (Float64Array, one row per thread and per kind, each row rounded up to 128 bytes):
 *
 *   row t            0 ≤ t < threads   the counts of thread t         written by thread t only; read by anybody
 *   row threads + t                    its baseline, see reset()      written by whoever resets; read by anybody
 *
 * Invariant 1: a count has one writer. A reader sees some recent value: an aligned 8-byte access is one instruction on the 64-bit
 *              machines that Node runs on, so it is never torn (the language alone would not promise it).
 * Invariant 2: rows never share a cache line.
 * Invariant 3: a reset moves the baseline and never the count, so it cannot lose an increment.
 */

const LINE_DOUBLES = 16;

/** What a thread needs to attach, postMessage-able: see Counters.createMemory. */
export type CountersMemory = SharedArrayBuffer;

export class Counters<Name extends string = string> {
  readonly names: readonly Name[];
  readonly threads: number;
  private readonly rows: Float64Array;
  private readonly rowDoubles: number;
  private readonly indexes: ReadonlyMap<string, number>;

  /** Bytes that the memory of `names` × `threads` needs. */
  static bytes(names: readonly string[], threads: number): number {
    return rowDoubles(names.length) * 8 * threads * 2;
  }

  /** Zeroed memory for `names` × `threads`. */
  static createMemory(names: readonly string[], threads: number): CountersMemory {
    return new SharedArrayBuffer(Counters.bytes(names, threads));
  }

  /** `memory` of at least Counters.bytes(names, threads) zero bytes; `names` equal in all threads; rows 0..threads-1. */
  constructor(memory: CountersMemory, names: readonly Name[], threads: number) {
    const bytes = Counters.bytes(names, threads);
    if (memory.byteLength < bytes)
      throw new RangeError(`${bytes} bytes of counters do not fit into ${memory.byteLength}`);
    this.names = names;
    this.threads = threads;
    this.rowDoubles = rowDoubles(names.length);
    this.rows = new Float64Array(memory, 0, bytes / 8);
    this.indexes = new Map(names.map((name, index) => [name, index]));
    if (this.indexes.size !== names.length) throw new Error('two counters have one name');
  }

  /** The row of `thread`, which that thread alone may write: `row[counters.index('x')]++`. */
  own(thread: number): Float64Array {
    if (!(thread >= 0 && thread < this.threads)) throw new RangeError(`no row of counters for thread ${thread}`);
    const start = thread * this.rowDoubles;
    return this.rows.subarray(start, start + this.names.length);
  }

  /** Position of `name` in a row. */
  index(name: Name): number {
    const index = this.indexes.get(name);
    if (index === undefined) throw new Error(`no counter ${name}`);
    return index;
  }

  /** The sum over all threads since the last reset. */
  sum(name: Name): number {
    const index = this.index(name);
    let sum = 0;
    for (let thread = 0; thread < this.threads; thread++) sum += this.sinceReset(thread, index);
    return sum;
  }

  /** The count of each thread since the last reset. */
  perThread(name: Name): number[] {
    const index = this.index(name);
    return Array.from({ length: this.threads }, (_, thread) => this.sinceReset(thread, index));
  }

  /** From now on `name` counts from 0 again, for every reader. Any thread. */
  reset(name: Name): void {
    const index = this.index(name);
    for (let thread = 0; thread < this.threads; thread++) {
      this.rows[(this.threads + thread) * this.rowDoubles + index] = this.rows[thread * this.rowDoubles + index];
    }
  }

  private sinceReset(thread: number, index: number): number {
    return this.rows[thread * this.rowDoubles + index] - this.rows[(this.threads + thread) * this.rowDoubles + index];
  }
}

function rowDoubles(names: number): number {
  return Math.max(1, Math.ceil(names / LINE_DOUBLES)) * LINE_DOUBLES;
}
