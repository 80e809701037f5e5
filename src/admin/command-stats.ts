/**
 * Calls, time and failures of every command row, counted by each thread in its own rows.
 *
 *   Float64 words:  [ thread 0: row 0: calls, exact calls, their micros, sampled calls, their micros, rejected, failed | row 1 … ]
 *                   [ thread 1 … ] … [ baseline of all rows ]
 *
 * Not every call is timed (src/dispatch/command-timing.ts says which). Calls that are timed for what they are (*exact*) stand for
 * themselves alone; the *sampled* ones stand for all others.
 *
 * Invariant 1: a thread's part has one writer, that thread; everybody reads.
 * Invariant 2: a reset stores the sums as baseline instead of clearing, so it races with no writer.
 */
/** Rows that the statistics have room for. The acceptor makes the room and does not load the commands: a third of all modules. */
export const COMMAND_ROOM = 400;

const CALLS = 0;
const EXACT_CALLS = 1;
const EXACT_MICROS = 2;
const SAMPLED_CALLS = 3;
const SAMPLED_MICROS = 4;
const REJECTED = 5;
const FAILED = 6;
const FIELDS = 7;

export interface CommandStatsMemory {
  words: SharedArrayBuffer;
  rows: number;
  threads: number;
}

/** What INFO commandstats shows of one row; `micros` is null while no call was timed. */
export interface CommandFigures {
  calls: number;
  micros: number | null;
  rejected: number;
  failed: number;
}

export function createCommandStats(rows: number, threads: number): CommandStatsMemory {
  return { words: new SharedArrayBuffer((threads + 1) * rows * FIELDS * 8), rows, threads };
}

export class CommandStats {
  private readonly all: Float64Array;
  private readonly own: Float64Array;
  private readonly rows: number;
  private readonly threads: number;

  /** `thread`: 0 … threads-1, the part this object writes to. */
  constructor(memory: CommandStatsMemory, thread: number) {
    if (!(thread >= 0 && thread < memory.threads)) throw new Error(`thread ${thread} has no command statistics`);
    const partBytes = memory.rows * FIELDS * 8;
    this.all = new Float64Array(memory.words);
    this.own = new Float64Array(memory.words, thread * partBytes, memory.rows * FIELDS);
    this.rows = memory.rows;
    this.threads = memory.threads;
  }

  /** A command ran. `micros`: how long, 0 where it was not timed. `failed`: it answered an error. */
  called(row: number, micros: number, failed: boolean): void {
    const at = row * FIELDS;
    const own = this.own;
    own[at + CALLS]++;
    if (micros > 0) this.timed(row, micros, true);
    if (failed) own[at + FAILED]++;
  }

  /** A call that is counted by `called`, here or in another thread, took `micros`. `exact` false: it was picked as a sample. */
  timed(row: number, micros: number, exact: boolean): void {
    const at = row * FIELDS + (exact ? EXACT_CALLS : SAMPLED_CALLS);
    this.own[at]++;
    this.own[at + 1] += micros;
  }

  /** The gate refused a command. */
  rejected(row: number): void {
    this.own[row * FIELDS + REJECTED]++;
  }

  private sum(word: number): number {
    const stride = this.rows * FIELDS;
    let sum = -this.all[this.threads * stride + word];
    for (let thread = 0; thread < this.threads; thread++) sum += this.all[thread * stride + word];
    return sum;
  }

  /** The figures of a row since the last reset. */
  figures(row: number): CommandFigures {
    const at = row * FIELDS;
    const calls = this.sum(at + CALLS);
    return { calls, micros: this.micros(at, calls), rejected: this.sum(at + REJECTED), failed: this.sum(at + FAILED) };
  }

  private micros(at: number, calls: number): number | null {
    const exactCalls = this.sum(at + EXACT_CALLS);
    const exactMicros = this.sum(at + EXACT_MICROS);
    const sampledCalls = this.sum(at + SAMPLED_CALLS);
    const sampledMicros = this.sum(at + SAMPLED_MICROS);
    if (exactCalls + sampledCalls === 0) return null;
    const mean = sampledCalls > 0 ? sampledMicros / sampledCalls : exactMicros / exactCalls;
    // a thread may have timed a call that another one has not counted yet
    return exactMicros + mean * Math.max(0, calls - exactCalls);
  }

  reset(): void {
    const words = this.rows * FIELDS;
    const baseline = this.threads * words;
    for (let word = 0; word < words; word++) this.all[baseline + word] += this.sum(word);
  }
}
