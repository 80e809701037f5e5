/**
 * A few commands of one connection, parsed ahead: their rows are looked up and their keys are hashed together, so that the
 * memory that they will touch can be fetched together (Executor.warm).
 */
import { COMMANDS, type CommandRow } from '../commands/command-table.ts';
import { Args } from '../resp/args.ts';
import type { RequestReader } from '../resp/request-reader.ts';

/** Commands parsed ahead: about as many cache misses as a core keeps under way, twice over. */
const WINDOW_COMMANDS = 16;

export class CommandWindow {
  readonly args: readonly Args[];
  readonly rows: (CommandRow | null)[];
  /** Position behind each command in the buffer. */
  readonly ends: Int32Array;
  count = 0;
  /** Position of the first byte that is not parsed. */
  stopped = 0;

  constructor() {
    this.args = Array.from({ length: WINDOW_COMMANDS }, () => new Args());
    this.rows = this.args.map(() => null);
    this.ends = new Int32Array(WINDOW_COMMANDS);
  }

  /**
   * Parses up to `limit` commands of buf[pos, end); empty ones are left out. Returns the position behind the last, or what the
   * reader said where it could not go on (NEED_MORE, PROTOCOL_ERROR); `stopped` tells how far it came.
   */
  fill(reader: RequestReader, buf: Buffer, pos: number, end: number, limit: number): number {
    this.count = 0;
    const most = Math.min(limit, WINDOW_COMMANDS);
    while (pos < end && this.count < most) {
      const args = this.args[this.count];
      const next = reader.read(buf, pos, end, args);
      if (next < 0) {
        this.stopped = pos;
        return next;
      }
      pos = next;
      if (args.count === 0) continue;
      args.keyShard = -1;
      this.rows[this.count] = COMMANDS.lookup(args);
      this.ends[this.count++] = pos;
    }
    this.stopped = pos;
    return pos;
  }
}
