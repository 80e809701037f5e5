/**
 * The next commands of a pipeline: parsed together, their keys' places in memory touched together, then run one after the other.
 *
 * Invariant 1: commands beyond the first are parsed only where nothing that a command does could change how: the client is
 *              authenticated, and what is cut or wrong is left for its own turn.
 */
import { COMMANDS, type CommandRow } from '../commands/command-table.ts';
import { MemoryTouch } from '../keyspace/memory-touch.ts';
import { Args } from '../resp/args.ts';
import type { RequestReader } from '../resp/request-reader.ts';
import type { Executor } from './executor.ts';

/** As many loads as a core has under way, and some more. */
export const MOST_COMMANDS = 16;
/** To hash a longer key costs no more than to compare it. */
const MOST_COMPARED_BYTES = 64;

export class LookAhead {
  /** Arguments, row and end of each command; only the first `count` count. */
  readonly args: readonly Args[] = Array.from({ length: MOST_COMMANDS }, () => new Args());
  readonly rows: (CommandRow | null)[] = new Array(MOST_COMMANDS).fill(null);
  readonly ends = new Int32Array(MOST_COMMANDS);
  count = 0;
  private readonly executor: Executor;
  private readonly touch = new MemoryTouch(MOST_COMMANDS);
  private inUse = false;

  constructor(executor: Executor) {
    this.executor = executor;
  }

  /** For the commands of one batch: this object, or another where a command of a batch makes another client's go on. */
  take(): LookAhead {
    if (this.inUse) return new LookAhead(this.executor).take();
    this.inUse = true;
    return this;
  }

  giveBack(): void {
    this.inUse = false;
  }

  /**
   * Parses the first command in buf[pos, end) and, if it is complete and others follow, as many of them as there is room for; `db` is
   * the client's. Returns what the reader says of the first.
   */
  read(reader: RequestReader, buf: Buffer, pos: number, end: number, db: number): number {
    const { args, rows, ends } = this;
    args[0].located = 0;
    this.count = 1;
    const next = reader.read(buf, pos, end, args[0]);
    ends[0] = next;
    if (next < 0) return next;
    rows[0] = args[0].count === 0 ? null : COMMANDS.lookup(args[0]);
    if (next < end && reader.authenticated) this.readOthers(reader, buf, next, end, db);
    return next;
  }

  private readOthers(reader: RequestReader, buf: Buffer, pos: number, end: number, db: number): void {
    const { args, rows, ends } = this;
    let count = 1;
    this.locate(0, db);
    while (count < MOST_COMMANDS && pos < end) {
      const own = args[count];
      own.located = 0;
      pos = reader.read(buf, pos, end, own);
      if (pos < 0) {
        reader.forget();
        break;
      }
      rows[count] = own.count === 0 ? null : COMMANDS.lookup(own);
      ends[count] = pos;
      this.locate(count++, db);
    }
    this.count = count;
    this.touch.run();
  }

  private locate(i: number, db: number): void {
    const row = this.rows[i];
    if (row === null || !row.oneKey) return;
    const args = this.args[i];
    if (i > 0 && this.repeatsKey(args, row.firstKey, this.args[i - 1])) return;
    const shard = this.executor.locateAhead(args, row.firstKey);
    if (shard >= 0) this.touch.add(this.executor.unit.spaces[shard], db, args.keyHash);
  }

  /** Takes hash and shard of the command before, if this one has the same key: many pipelines go to one key. */
  private repeatsKey(args: Args, arg: number, before: Args): boolean {
    const at = before.located;
    if (at === 0 || arg >= args.count) return false;
    const start = args.starts[arg];
    const length = args.ends[arg] - start;
    const from = before.starts[at];
    if (before.ends[at] - from !== length || length > MOST_COMPARED_BYTES) return false;
    const { buf } = args;
    const beforeBuf = before.buf;
    // keys that differ mostly do so at their ends
    for (let i = length - 1; i >= 0; i--) if (buf[start + i] !== beforeBuf[from + i]) return false;
    args.keyHash = before.keyHash;
    args.keyShard = before.keyShard;
    args.located = arg;
    return true;
  }
}
