/**
 * What a session has queued since MULTI: the bytes of the commands one behind the other, and where in them the arguments are.
 *
 *   chunks   | frame | frame | frame … |   | frame … |       4 KiB, then twice as much each; a frame lies in one of them
 *   words    chunk, arguments, frame's start and end, key argument, its hash, its shard, starts …, ends …   for each command
 *
 * No object is made for a command, and its key is hashed once: when it is queued, or before, while it was read ahead.
 *
 * Invariant 1: chunks never move, so a command that was loaded stays valid while others are queued.
 * Invariant 2: who has a transaction from `newTransaction` and gives it back keeps nothing of it.
 */
import { copyByView, LastView, MAX_VIEW_COPY } from '../../native-free-shm/bytes.ts';
import type { CommandRow } from '../commands/command-table.ts';
import { FLAG } from '../commands/spec.ts';
import type { Args } from '../resp/args.ts';

/** Flags of queued commands that the gate asks of EXEC as well. */
const SUMMED_FLAGS = FLAG.write | FLAG.denyoom | FLAG.may_replicate;
/** What Redis counts for a queued command besides its arguments. */
const QUEUED_BYTES = 64;
const MAX_SHARDS = 256;
const FIRST_CHUNK_BYTES = 4096;
const MOST_CHUNK_BYTES = 1 << 20;
const FIRST_WORDS = 512;
/** Longer lists of words are not kept for the next transaction. */
const KEPT_WORDS = 8192;
/** So many transactions of a thread are kept for those to come. */
const MOST_SPARE = 64;

const CHUNK = 0;
const COUNT = 1;
const FRAME_START = 2;
const FRAME_END = 3;
const LOCATED = 4;
const HASH = 5;
const KEY_SHARD = 6;
const RANGES = 7;

// for copying out of the read buffer, which is always the same
const sources = new LastView();
const targets = new LastView();

export class Transaction {
  readonly rows: CommandRow[] = [];
  /** By shard: some queued command will touch it. */
  readonly shards = new Uint8Array(MAX_SHARDS);
  /** A command was refused: EXEC will refuse, too. */
  aborted = false;
  /** Memory of the queued commands. */
  bytes = 0;
  private readonly chunks: Buffer[] = [Buffer.allocUnsafeSlow(FIRST_CHUNK_BYTES)];
  /** Used bytes of the last chunk. */
  private used = 0;
  private words = new Int32Array(FIRST_WORDS);
  private wordsUsed = 0;
  private flagBits = 0;
  /** Some queued command may not run while data is loaded. */
  private deniesLoading = false;
  private runsScripts = false;

  /** Queues a copy of a command. `flags`: its own, and those of the script that it runs. */
  queue(row: CommandRow, args: Args, flags: number): void {
    const { count, frameStart } = args;
    const base = frameStart >= 0 ? frameStart : args.starts[0];
    const length = (frameStart >= 0 ? args.frameEnd : args.ends[count - 1]) - base;
    const at = this.place(length);
    const chunk = this.chunks[this.chunks.length - 1];
    if (length > MAX_VIEW_COPY) args.buf.copy(chunk, at, base, base + length);
    else copyByView(targets.of(chunk), at, sources.of(args.buf), base, length);
    this.describe(args, at - base, frameStart >= 0);
    this.rows.push(row);
    this.bytes += length + QUEUED_BYTES;
    this.flagBits |= flags;
    if (row.isScript) this.runsScripts = true;
    if ((row.flagBits & FLAG.loading) === 0) this.deniesLoading = true;
  }

  /** Where in the last chunk there is room for a frame. */
  private place(length: number): number {
    const last = this.chunks[this.chunks.length - 1];
    let at = this.used;
    if (at + length > last.length) {
      this.chunks.push(Buffer.allocUnsafeSlow(Math.max(length, Math.min(last.length * 2, MOST_CHUNK_BYTES))));
      at = 0;
    }
    this.used = at + length;
    return at;
  }

  /** Writes the words of a command whose bytes were moved by `shift`. */
  private describe(args: Args, shift: number, framed: boolean): void {
    const { count, starts, ends } = args;
    const at = this.wordsUsed;
    const end = at + RANGES + 2 * count;
    if (end > this.words.length) this.growWords(end);
    const { words } = this;
    words[at + CHUNK] = this.chunks.length - 1;
    words[at + COUNT] = count;
    words[at + FRAME_START] = framed ? args.frameStart + shift : -1;
    words[at + FRAME_END] = framed ? args.frameEnd + shift : -1;
    words[at + LOCATED] = args.located;
    words[at + HASH] = args.keyHash;
    words[at + KEY_SHARD] = args.keyShard;
    for (let i = 0, to = at + RANGES; i < count; i++, to++) {
      words[to] = starts[i] + shift;
      words[to + count] = ends[i] + shift;
    }
    this.wordsUsed = end;
  }

  private growWords(needed: number): void {
    const bigger = new Int32Array(Math.max(needed, this.words.length * 2));
    bigger.set(this.words);
    this.words = bigger;
  }

  /** Makes `args` the command whose words begin at `at`, 0 for the first. Returns where those of the next begin. */
  load(at: number, args: Args): number {
    const { words } = this;
    const count = words[at + COUNT];
    if (count > args.starts.length) args.grow(count);
    const { starts, ends } = args;
    args.buf = this.chunks[words[at + CHUNK]];
    args.count = count;
    args.frameStart = words[at + FRAME_START];
    args.frameEnd = words[at + FRAME_END];
    args.located = words[at + LOCATED];
    args.keyHash = words[at + HASH];
    args.keyShard = words[at + KEY_SHARD];
    for (let i = 0, from = at + RANGES; i < count; i++, from++) {
      starts[i] = words[from];
      ends[i] = words[from + count];
    }
    return at + RANGES + 2 * count;
  }

  get count(): number {
    return this.rows.length;
  }

  get writes(): boolean {
    return this.runsScripts || (this.flagBits & FLAG.write) !== 0;
  }

  /** The flags by which the gate judges EXEC: its own and those of what it will run. */
  gateFlags(exec: CommandRow): number {
    const flags = exec.flagBits | (this.flagBits & SUMMED_FLAGS);
    return this.deniesLoading ? flags & ~FLAG.loading : flags;
  }

  /** As if it were new, for the next MULTI. */
  clear(): void {
    this.rows.length = 0;
    this.shards.fill(0);
    this.chunks.length = 1;
    if (this.words.length > KEPT_WORDS) this.words = new Int32Array(FIRST_WORDS);
    this.used = this.wordsUsed = this.bytes = this.flagBits = 0;
    this.aborted = this.deniesLoading = this.runsScripts = false;
  }
}

const spare: Transaction[] = [];

/** An empty transaction. */
export function newTransaction(): Transaction {
  return spare.pop() ?? new Transaction();
}

/** Gives a transaction back that nobody uses any more. */
export function endTransaction(transaction: Transaction): void {
  if (spare.length >= MOST_SPARE) return;
  transaction.clear();
  spare.push(transaction);
}
