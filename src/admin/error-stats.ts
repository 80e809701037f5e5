/**
 * How often which error code was answered (the first word of an error reply), for INFO errorstats.
 *
 *   Int32 words:  [ lock ] [ codes in use ] … then per code 64 bytes: [ length | bytes of the code ]
 *   Float64:      [ thread 0: one count per code ] [ thread 1 … ] … [ baseline ]
 *
 * Invariant 1: a code's bytes are written once, under the lock, before `codes in use` covers it.
 * Invariant 2: a thread's counts have one writer; a reset stores a baseline that readers subtract.
 * The last place collects all codes beyond the bound, so that a client that invents codes costs no memory.
 */
const CODES = 128;
const OTHER = CODES - 1;
const CODE_BYTES = 64;
const LOCK = 0;
const USED = 1;
const HEAD_BYTES = 64;
const MAX_CODE_LENGTH = CODE_BYTES - 1;

export interface ErrorStatsMemory {
  codes: SharedArrayBuffer;
  counts: SharedArrayBuffer;
  threads: number;
}

export function createErrorStats(threads: number): ErrorStatsMemory {
  return {
    codes: new SharedArrayBuffer(HEAD_BYTES + CODES * CODE_BYTES),
    counts: new SharedArrayBuffer((threads + 1) * CODES * 8),
    threads,
  };
}

export class ErrorStats {
  private readonly words: Int32Array;
  private readonly bytes: Buffer;
  private readonly all: Float64Array;
  private readonly own: Float64Array;
  private readonly threads: number;
  /** Places that this thread has met already. */
  private readonly places = new Map<string, number>();

  constructor(memory: ErrorStatsMemory, thread: number) {
    this.words = new Int32Array(memory.codes, 0, HEAD_BYTES / 4);
    this.bytes = Buffer.from(memory.codes, HEAD_BYTES);
    this.all = new Float64Array(memory.counts);
    this.own = new Float64Array(memory.counts, thread * CODES * 8, CODES);
    this.threads = memory.threads;
  }

  /** Counts an error reply whose text (behind the '-') lies in buf[start..end). */
  count(buf: Buffer, start: number, end: number): void {
    let stop = start;
    while (stop < end && stop - start < MAX_CODE_LENGTH && buf[stop] !== 0x20 && buf[stop] !== 0x0d) stop++;
    this.countCode(buf.toString('latin1', start, stop));
  }

  /** Counts an error by its code, as 'WRONGTYPE'. */
  countCode(code: string): void {
    let place = this.places.get(code);
    if (place === undefined) {
      place = this.findPlace(code);
      if (place !== OTHER) this.places.set(code, place);
    }
    this.own[place]++;
  }

  private code(place: number): string {
    const at = place * CODE_BYTES;
    return this.bytes.toString('latin1', at + 1, at + 1 + this.bytes[at]);
  }

  private findPlace(code: string): number {
    // errors with a new code are rare and the section is a few stores long: spinning beats any queue
    while (Atomics.compareExchange(this.words, LOCK, 0, 1) !== 0) Atomics.pause();
    const used = Atomics.load(this.words, USED);
    let place = 0;
    while (place < used && this.code(place) !== code) place++;
    if (place === used && place < OTHER) {
      const at = place * CODE_BYTES;
      this.bytes[at] = this.bytes.write(code, at + 1, MAX_CODE_LENGTH, 'latin1');
      Atomics.store(this.words, USED, used + 1);
    }
    Atomics.store(this.words, LOCK, 0);
    return place;
  }

  private sum(place: number): number {
    let sum = -this.all[this.threads * CODES + place];
    for (let thread = 0; thread < this.threads; thread++) sum += this.all[thread * CODES + place];
    return sum;
  }

  /** Codes with their counts since the last reset, in order of first appearance. */
  figures(): { code: string; count: number }[] {
    const used = Atomics.load(this.words, USED);
    const result: { code: string; count: number }[] = [];
    for (let place = 0; place < used; place++) {
      const count = this.sum(place);
      if (count > 0) result.push({ code: this.code(place), count });
    }
    return result;
  }

  /** All error replies since the last reset. */
  total(): number {
    let total = 0;
    for (let place = 0; place < CODES; place++) total += this.sum(place);
    return total;
  }

  reset(): void {
    for (let place = 0; place < CODES; place++) this.all[this.threads * CODES + place] += this.sum(place);
  }
}
