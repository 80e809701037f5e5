/**
 * SLOWLOG: the commands that took long, of all threads, in one list in shared memory.
 *
 *   control  Int32   [ lock | entries | oldest place in the order | free slots ] [ order: SLOTS slot numbers ] [ free: SLOTS slot numbers ]
 *            behind them one Float64: the next id
 *   slots    each 6 KiB:  Float64 id, unix seconds, micros | Int32 arguments, lengths of address, name, arguments 0 … 31
 *                         | bytes of address, name, arguments, one after the other
 *
 * Writers and readers: any thread, under the lock; a slow command is rare, and where every command is noted (slowlog-log-slower-than
 * 0) somebody is looking for something.
 * Invariant 1: a slot number stands either in the order (`entries` places from the oldest on, as a ring) or on the stack of free ones.
 * Invariant 2: ids ascend over all threads: an id is taken under the lock that puts its entry into the order.
 */
import { underWordLock } from '../../native-free-shm/word-lock.ts';
import type { Args } from '../resp/args.ts';

/** The most entries there can be, whatever slowlog-max-len says. */
export const SLOWLOG_SLOTS = 16_384;
const SLOT_BYTES = 6144;
const SHOWN_ARGUMENTS = 32;
const SHOWN_BYTES = 128;
const REDACTED = '(redacted)';

const LOCK = 0;
const ENTRIES = 1;
const OLDEST = 2;
const FREE = 3;
const ORDER = 8;
const FREE_SLOTS = ORDER + SLOWLOG_SLOTS;
const CONTROL_WORDS = FREE_SLOTS + SLOWLOG_SLOTS;

const HEAD_DOUBLES = 3;
const HEAD_WORDS = HEAD_DOUBLES * 2 + 3 + SHOWN_ARGUMENTS + 1;
const SLOT_WORDS = SLOT_BYTES / 4;
const SLOT_DOUBLES = SLOT_BYTES / 8;
const W_ARGUMENTS = HEAD_DOUBLES * 2;
const W_LENGTHS = W_ARGUMENTS + 1;

export interface SlowLogMemory {
  control: SharedArrayBuffer;
  slots: SharedArrayBuffer;
}

export interface SlowLogEntry {
  id: number;
  unixSeconds: number;
  micros: number;
  /** Byte strings (latin1), as is all else. */
  args: string[];
  addr: string;
  name: string;
}

/** Whose command it was. */
export interface SlowLogClient {
  readonly addr: string;
  readonly name: string;
}

export function createSlowLog(): SlowLogMemory {
  const control = new SharedArrayBuffer(CONTROL_WORDS * 4 + 8);
  const words = new Int32Array(control);
  for (let i = 0; i < SLOWLOG_SLOTS; i++) words[FREE_SLOTS + i] = SLOWLOG_SLOTS - 1 - i;
  words[FREE] = SLOWLOG_SLOTS;
  return { control, slots: new SharedArrayBuffer(SLOWLOG_SLOTS * SLOT_BYTES) };
}

export class SlowLog {
  private readonly words: Int32Array;
  private readonly nextId: Float64Array;
  private readonly f64: Float64Array;
  private readonly i32: Int32Array;
  private readonly bytes: Buffer;

  constructor(memory: SlowLogMemory) {
    this.words = new Int32Array(memory.control, 0, CONTROL_WORDS);
    this.nextId = new Float64Array(memory.control, CONTROL_WORDS * 4, 1);
    this.f64 = new Float64Array(memory.slots);
    this.i32 = new Int32Array(memory.slots);
    this.bytes = Buffer.from(memory.slots);
  }

  /**
   * Notes a command. Arguments beyond 32 and bytes beyond 128 are counted only; those that `isSecret` names are not shown. `maxEntries`
   * is the setting slowlog-max-len: the oldest entries make room.
   */
  add(
    args: Args,
    isSecret: (arg: number) => boolean,
    micros: number,
    unixMs: number,
    client: SlowLogClient,
    maxEntries: number,
  ): void {
    underWordLock(this.words, LOCK, () => {
      this.trim(Math.min(Math.max(maxEntries, 1), SLOWLOG_SLOTS) - 1);
      const { words } = this;
      const slot = words[FREE_SLOTS + --words[FREE]];
      this.f64[slot * SLOT_DOUBLES] = this.nextId[0]++;
      this.f64[slot * SLOT_DOUBLES + 1] = Math.floor(unixMs / 1000);
      this.f64[slot * SLOT_DOUBLES + 2] = Math.floor(micros);
      this.write(slot, args, isSecret, client);
      words[ORDER + ((words[OLDEST] + words[ENTRIES]) % SLOWLOG_SLOTS)] = slot;
      words[ENTRIES]++;
      if (maxEntries <= 0) this.trim(0);
    });
  }

  private write(slot: number, args: Args, isSecret: (arg: number) => boolean, client: SlowLogClient): void {
    const lengths = slot * SLOT_WORDS + W_LENGTHS;
    let at = slot * SLOT_BYTES + HEAD_WORDS * 4;
    const text = (place: number, latin1: string): void => {
      const written = this.bytes.write(latin1, at, 'latin1');
      this.i32[lengths + place] = written;
      at += written;
    };
    text(0, client.addr.slice(0, 160));
    text(1, client.name.slice(0, 256));
    const shown = Math.min(args.count, SHOWN_ARGUMENTS);
    this.i32[slot * SLOT_WORDS + W_ARGUMENTS] = shown;
    for (let i = 0; i < shown; i++) {
      const start = args.starts[i];
      const length = args.ends[i] - start;
      if (i === SHOWN_ARGUMENTS - 1 && args.count > SHOWN_ARGUMENTS) {
        text(2 + i, `... (${args.count - SHOWN_ARGUMENTS + 1} more arguments)`);
      } else if (isSecret(i)) {
        text(2 + i, REDACTED);
      } else {
        const begin = at;
        at += args.buf.copy(this.bytes, at, start, start + Math.min(length, SHOWN_BYTES));
        if (length > SHOWN_BYTES) text(2 + i, `... (${length - SHOWN_BYTES} more bytes)`);
        this.i32[lengths + 2 + i] = at - begin;
      }
    }
  }

  /** Under the lock: drops the oldest entries beyond `most`. */
  private trim(most: number): void {
    const { words } = this;
    while (words[ENTRIES] > most) {
      words[FREE_SLOTS + words[FREE]++] = words[ORDER + words[OLDEST]];
      words[OLDEST] = (words[OLDEST] + 1) % SLOWLOG_SLOTS;
      words[ENTRIES]--;
    }
  }

  length(): number {
    return Atomics.load(this.words, ENTRIES);
  }

  /** Up to `count` entries, the newest first. */
  newest(count: number): SlowLogEntry[] {
    return underWordLock(this.words, LOCK, () => {
      const { words } = this;
      const entries: SlowLogEntry[] = [];
      const newest = words[OLDEST] + words[ENTRIES] - 1;
      for (let i = 0; i < Math.min(count, words[ENTRIES]); i++) {
        entries.push(this.read(words[ORDER + ((newest - i) % SLOWLOG_SLOTS)]));
      }
      return entries;
    });
  }

  private read(slot: number): SlowLogEntry {
    const d = slot * SLOT_DOUBLES;
    const w = slot * SLOT_WORDS;
    let at = slot * SLOT_BYTES + HEAD_WORDS * 4;
    const text = (place: number): string => {
      const end = at + this.i32[w + W_LENGTHS + place];
      const latin1 = this.bytes.toString('latin1', at, end);
      at = end;
      return latin1;
    };
    const addr = text(0);
    const name = text(1);
    const args = Array.from({ length: this.i32[w + W_ARGUMENTS] }, (_, i) => text(2 + i));
    return { id: this.f64[d], unixSeconds: this.f64[d + 1], micros: this.f64[d + 2], args, addr, name };
  }

  /** Drops all entries; the ids go on. */
  reset(): void {
    underWordLock(this.words, LOCK, () => this.trim(0));
  }
}
