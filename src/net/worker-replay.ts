/**
 * A worker's part in the start: it checks and replays the journal files of the shards it owns, in slices between which its event
 * loop turns, so that clients are told LOADING and INFO works. Replayed commands run as they did, without a client, a gate and a
 * journal.
 */
import { COMMANDS } from '../commands/command-table.ts';
import { DONE, type Executor } from '../dispatch/executor.ts';
import { systemClock } from '../env/clock.ts';
import { systemFiles } from '../env/files.ts';
import type { FromWorker, RecordsRequest, ReplayRequest } from '../messages/thread-messages.ts';
import { DamageError } from '../persistence/damage.ts';
import { DataSetError } from '../persistence/data-set.ts';
import { isRdbFile, type SumShare } from '../persistence/rdb-file-reader.ts';
import { NoRoomForFileError, rdbLoadSteps } from '../persistence/rdb-load.ts';
import { type ScanOrder, TruncatedError } from '../persistence/recovery.ts';
import { replaySteps } from '../persistence/replay.ts';
import { scanSteps } from '../persistence/scan.ts';
import type { Args } from '../resp/args.ts';
import { ReplyWriter } from '../resp/reply-writer.ts';
import { noteLoaded } from '../shard/load-progress.ts';
import type { ShardAccess } from '../shard/shard-access.ts';
import { PROCESS_BITS, type ShardHeader } from '../shard/world.ts';
import { LoadDelay } from './load-delay.ts';
import { loadRecords } from './redis-records.ts';

const MINUS = 45;
const SLICE_MS = 5;

export interface WorkerLoadParts {
  access: ShardAccess;
  send: (message: FromWorker) => void;
  /** A bug showed: ends the process. */
  fail: (error: unknown) => never;
  /** An executor that does not journal and for which no time has passed. */
  makeExecutor: () => Executor;
  /** Is this shard this worker's? */
  owns: (shard: number) => boolean;
  /** Stores a library of functions: its code, one byte per character. Throws DamageError where it has no name. */
  library: (code: string) => void;
  /** Setting key-load-delay: microseconds to wait per key or record. */
  delayMicros: () => number;
}

/** Work in steps; what it returns is told to the acceptor. */
type Job = Generator<void, FromWorker, void>;

export class WorkerLoad {
  private readonly parts: WorkerLoadParts;
  private readonly jobs: Job[] = [];
  private readonly delay: LoadDelay;

  constructor(parts: WorkerLoadParts) {
    this.parts = parts;
    this.delay = new LoadDelay(parts.delayMicros);
  }

  /** Checks a shard's files; then says `scanned` or `load-failed`. */
  scan(order: ScanOrder): void {
    this.begin(this.scanJob(order));
  }

  /** Replays a shard's files; then says `replayed` or `load-failed`. */
  replay(request: ReplayRequest): void {
    this.begin(this.replayJob(request));
  }

  /** Loads the worker's shards out of an RDB file; then says `rdb-loaded` or `load-failed`. */
  loadRdb(path: string, keepsExpired: boolean, sumShare: SumShare): void {
    this.begin(this.rdbJob(path, keepsExpired ? 0 : systemClock.wallMs(), sumShare));
  }

  /** Loads all shards out of a Redis server's records; then says `records-loaded` or `load-failed`. */
  loadRecords(request: RecordsRequest): void {
    this.begin(this.recordsJob(request));
  }

  private begin(job: Job): void {
    this.jobs.push(job);
    if (this.jobs.length === 1) setImmediate(this.slice);
  }

  private readonly slice = (): void => {
    const nowMs = systemClock.steadyMs();
    this.delay.look(nowMs);
    try {
      while (this.jobs.length > 0 && !this.delay.isDue && systemClock.steadyMs() < nowMs + SLICE_MS) {
        const step = this.jobs[0].next();
        if (!step.done) continue;
        this.jobs.shift();
        this.parts.send(step.value);
      }
    } catch (error) {
      if (!isOfTheData(error)) this.parts.fail(error);
      this.parts.send({ kind: 'load-failed', message: error.message });
      return;
    }
    if (this.jobs.length === 0) return;
    if (this.delay.isDue) setTimeout(this.slice, this.delay.beginWait(systemClock.steadyMs()));
    else setImmediate(this.slice);
  };

  private *scanJob({ shard, shards, files }: ScanOrder): Job {
    return { kind: 'scanned', result: yield* scanSteps(systemFiles, files, shard, shards) };
  }

  private *recordsJob(request: RecordsRequest): Job {
    const { access, makeExecutor } = this.parts;
    const executor = makeExecutor();
    const progress = (bytes: number): void => noteLoaded(access.headers[0], bytes);
    const applied = (): void => this.delay.loaded(1);
    const parts = { access, executor, nowMs: systemClock.wallMs, applied, progress };
    const loaded = yield* loadRecords(request, parts);
    yield* this.waits();
    return { kind: 'records-loaded', loaded };
  }

  private *rdbJob(path: string, nowMs: number, sumShare: SumShare): Job {
    const { access, owns } = this.parts;
    const header = access.headers[access.spaces.findIndex((_, shard) => owns(shard))] ?? access.headers[0];
    const loaded = yield* this.rdbSteps(path, owns, nowMs, header, sumShare);
    yield* this.waits();
    return { kind: 'rdb-loaded', loaded };
  }

  /** Ends when nothing is owed any more to key-load-delay. */
  private *waits(): Generator<void, void, void> {
    while (this.delay.isDue) yield;
  }

  private rdbSteps(
    path: string,
    owns: (shard: number) => boolean,
    nowMs: number,
    header: ShardHeader,
    sumShare?: SumShare,
  ) {
    const { spaces, latches } = this.parts.access;
    const clockMs = systemClock.wallMs();
    const { hasher } = spaces[0];
    const { library } = this.parts;
    const share = sumShare === undefined ? {} : { sumShare };
    const progress = (bytes: number, entries: number): void => {
      noteLoaded(header, bytes);
      this.delay.loaded(entries);
    };
    return rdbLoadSteps(path, {
      ...share,
      files: systemFiles,
      spaces,
      latches,
      hasher,
      owns,
      nowMs,
      clockMs,
      progress,
      library,
    });
  }

  private *replayJob({ shard, files }: ReplayRequest): Job {
    const executor = this.parts.makeExecutor();
    const reply = new ReplyWriter();
    const header = this.parts.access.headers[shard];
    let commands = 0;
    const progress = (bytes: number): void => noteLoaded(header, bytes);
    const handler = {
      apply: (db: number, args: Args) => {
        if (!this.apply(executor, shard, db, args, reply)) return false;
        commands++;
        return true;
      },
      progress,
      singleSteps: () => this.delay.isOn,
    };
    for (const file of files) {
      if (isRdbFile(systemFiles, file.path))
        commands += (yield* this.rdbSteps(file.path, (one) => one === shard, 0, header)).keys;
      else yield* replaySteps(systemFiles, [file], handler);
    }
    executor.clearTouched();
    yield* this.waits();
    return { kind: 'replayed', shard, commands };
  }

  /** Runs one record. False: somebody has the shard's latch, or changes the state of the server; it may be tried again. */
  private apply(executor: Executor, own: number, db: number, args: Args, reply: ReplyWriter): boolean {
    const row = COMMANDS.lookup(args);
    if (row === null || row.run === null) throw new ReplayError(`the journal of shard ${own} holds ${args.text(0)}`);
    const shard = executor.routeReplay(row, args, db, own);
    if (shard !== own) throw new ReplayError(`the journal of shard ${own} holds a key of shard ${shard}`);
    executor.gateBits = this.parts.access.stateBits() & PROCESS_BITS;
    if (executor.execute(row, args, reply, db, true) !== DONE) return false;
    if (reply.pos > 0 && reply.buf[0] === MINUS) {
      throw new ReplayError(
        `replaying ${args.text(0)} in shard ${own}: ${reply.buf.toString('latin1', 1, reply.pos).trimEnd()}`,
      );
    }
    reply.rewind(0);
    this.delay.loaded(1);
    return true;
  }
}

/** A record that cannot be what this server wrote. */
class ReplayError extends Error {}

/** Is it the data, or the disk, that is to blame? */
function isOfTheData(error: unknown): error is Error {
  if (error instanceof DamageError || error instanceof DataSetError || error instanceof ReplayError) return true;
  if (error instanceof NoRoomForFileError || error instanceof TruncatedError) return true;
  return error instanceof Error && 'syscall' in error;
}
