/**
 * Loads records that a stock Redis server wrote: any commands, of any keys, in their order. One thread runs them all, over the shards
 * of all threads, while nobody else is served.
 *
 * No time passes for them, as none does in Redis: what expired meanwhile may be prolonged by a later record. Only records that count
 * from the moment at which they run (servers before Redis 7 wrote RESTORE so) are given the time of day.
 */
import { COMMANDS } from '../commands/command-table.ts';
import { DONE, type Executor, routeError, SEVERAL_SHARDS } from '../dispatch/executor.ts';
import { systemFiles } from '../env/files.ts';
import type { RecordsLoaded, RecordsRequest } from '../messages/thread-messages.ts';
import { DamageError } from '../persistence/damage.ts';
import { surveyRecords } from '../persistence/record-survey.ts';
import { TruncatedError } from '../persistence/recovery.ts';
import { replaySteps } from '../persistence/replay.ts';
import type { Args } from '../resp/args.ts';
import { ReplyWriter } from '../resp/reply-writer.ts';
import type { ShardAccess } from '../shard/shard-access.ts';
import { PROCESS_BITS, SHARD_F64 } from '../shard/world.ts';

const MINUS = 45;
/** Records without an effect on data. */
const IDLE_RECORDS: ReadonlySet<string> = new Set(['ping', 'publish', 'spublish', 'script|load', 'script|flush']);

export interface RecordLoadParts {
  access: ShardAccess;
  /** Journals nothing; its clock is at 0. */
  executor: Executor;
  /** Unix ms. */
  nowMs: () => number;
  /** A record ran. */
  applied: () => void;
  progress: (bytes: number) => void;
}

/** Checks the file as a whole, then runs its records. Throws DamageError, TruncatedError and the system's errors. */
export function* loadRecords(request: RecordsRequest, parts: RecordLoadParts): Generator<void, RecordsLoaded, void> {
  const { path, from, mayBeTorn, loadTruncated } = request;
  const { records, size, wholeTo, damage } = yield* surveyRecords(systemFiles, path, from);
  if (damage !== null)
    throw new DamageError(path, damage.offset, `Bad file format reading the append only file: ${damage.problem}`);
  if (wholeTo < size && !(mayBeTorn && loadTruncated))
    throw new TruncatedError(
      `Unexpected end of file reading the append only file ${path}: ${size - wholeTo} bytes from byte ${wholeTo} on are a torn ` +
        `write, and ${mayBeTorn ? 'aof-load-truncated is no' : 'it is not the last file'}`,
    );
  const load = new RecordLoad(path, parts);
  const apply = (db: number, args: Args, offset: number): boolean => load.apply(db, args, offset);
  yield* replaySteps(systemFiles, [{ path, from, end: wholeTo }], { apply, progress: parts.progress });
  parts.executor.clearTouched();
  return { records, size, loadedTo: wholeTo, leftOut: [...load.leftOut] };
}

class RecordLoad {
  readonly leftOut = new Set<string>();
  private readonly path: string;
  private readonly parts: RecordLoadParts;
  private readonly reply = new ReplyWriter();

  constructor(path: string, parts: RecordLoadParts) {
    this.path = path;
    this.parts = parts;
  }

  /** False: a latch is busy, it may be tried again. */
  apply(db: number, args: Args, offset: number): boolean {
    const { executor, access, nowMs } = this.parts;
    const { reply } = this;
    const row = COMMANDS.lookup(args);
    if (row === null || !row.arityFits(args.count))
      throw this.damage(offset, `Unknown command '${args.text(0)}' reading the append only file`);
    if (db >= access.spaces[0].databases) throw this.damage(offset, `there is no database ${db} here`);
    if (row.run === null) {
      if (row.fullName.startsWith('function|')) this.leftOut.add(row.fullName);
      else if (!IDLE_RECORDS.has(row.fullName)) throw this.damage(offset, `${row.fullName} cannot be loaded`);
      return true;
    }
    const routed = executor.route(row, args, db);
    if (routed < SEVERAL_SHARDS) throw this.damage(offset, routeError(routed));
    executor.gateBits = access.stateBits() & PROCESS_BITS;
    const relative = countsFromNow(row.fullName, args);
    executor.clockMs = relative ? nowMs() : 0;
    if (executor.execute(row, args, reply, db, true) !== DONE) return false;
    if (relative) for (const { f64 } of access.headers) f64[SHARD_F64.newestMs] = 0;
    if (reply.pos > 0 && reply.buf[0] === MINUS)
      throw this.damage(offset, `${args.text(0)}: ${reply.buf.toString('latin1', 1, reply.pos).trimEnd()}`);
    reply.rewind(0);
    this.parts.applied();
    return true;
  }

  private damage(offset: number, problem: string): DamageError {
    return new DamageError(this.path, offset, problem);
  }
}

/** Does the record's time to live begin when it runs? */
function countsFromNow(name: string, args: Args): boolean {
  switch (name) {
    case 'expire':
    case 'pexpire':
    case 'setex':
    case 'psetex':
      return true;
    case 'set':
      return hasOption(args, 3, 'ex') || hasOption(args, 3, 'px');
    case 'getex':
      return hasOption(args, 2, 'ex') || hasOption(args, 2, 'px');
    case 'restore':
      return !hasOption(args, 4, 'absttl');
  }
  return false;
}

function hasOption(args: Args, from: number, option: string): boolean {
  for (let i = from; i < args.count; i++) if (args.equalsIgnoreCase(i, option)) return true;
  return false;
}
