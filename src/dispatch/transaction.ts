/** What a session has queued since MULTI. */
import type { CommandRow } from '../commands/command-table.ts';
import { FLAG } from '../commands/spec.ts';
import type { Args } from '../resp/args.ts';

/** Flags of queued commands that the gate asks of EXEC as well. */
const SUMMED_FLAGS = FLAG.write | FLAG.denyoom | FLAG.may_replicate;
/** What Redis counts for a queued command besides its arguments. */
const QUEUED_BYTES = 64;

export class Transaction {
  readonly rows: CommandRow[] = [];
  readonly args: Args[] = [];
  /** A command was refused: EXEC will refuse, too. */
  aborted = false;
  /** Memory of the queued commands. */
  bytes = 0;
  private flagBits = 0;
  /** Some queued command may not run while data is loaded. */
  private deniesLoading = false;
  private runsScripts = false;

  /** Queues a command; the arguments must be the caller's to give. `flags`: its own, and those of the script that it runs. */
  queue(row: CommandRow, args: Args, flags: number): void {
    this.rows.push(row);
    this.args.push(args);
    this.bytes += args.buf.length + QUEUED_BYTES;
    this.flagBits |= flags;
    if (row.isScript) this.runsScripts = true;
    if ((row.flagBits & FLAG.loading) === 0) this.deniesLoading = true;
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
}
