/**
 * Replays journal files: record after record, in order, into a callback. One shard at a time; several threads may replay several shards.
 * Expects files that recovery has checked and cut; whatever does not parse is a DamageError with file and offset.
 */
import { type Files, OPEN, readFully } from '../env/files.ts';
import { Args } from '../resp/args.ts';
import { NEED_MORE, PROTOCOL_ERROR, RequestReader } from '../resp/request-reader.ts';
import { DamageError } from './damage.ts';

const READ_BYTES = 1024 * 1024;
const HASH = 35;
const STAR = 42;
const LF = 10;
const MAX_BULK_BYTES = 2 ** 31 - 1;
/** Records between two steps. */
const RECORDS_PER_STEP = 16;
/** Outcome of a record that could not be applied now. */
const LATER = -100;

export interface ReplayHandler {
  /**
   * One record: `args` in database `db`, valid during the call, which begins at `offset` of its file. SELECT, MULTI and EXEC do not arrive here. False: it cannot be
   * applied now and comes again, after a step.
   */
  apply(db: number, args: Args, offset: number): boolean;
  /** MULTI (`opens`) or EXEC at this offset of the file. */
  bracket?(opens: boolean, offset: number): void;
  /** So many more bytes of files are behind us; called now and then. */
  progress(bytes: number): void;
  /** Does a step end after this record already? For a load that is slowed down on purpose. */
  singleSteps?(): boolean;
}

/** A range of a file: from byte `from` (0) up to byte `end`. */
export interface FileRange {
  path: string;
  from?: number;
  end: number;
}

/** A file ends within a record, which begins at `offset`. */
export class TornRecordError extends DamageError {}

/** Replays the files of a shard, each up to byte `end`. */
export function replayShard(files: Files, shardFiles: readonly FileRange[], handler: ReplayHandler): void {
  for (const _ of replaySteps(files, shardFiles, handler));
}

/** The same in steps of a few records each, for threads that have other work as well. */
export function* replaySteps(
  files: Files,
  shardFiles: readonly FileRange[],
  handler: ReplayHandler,
): Generator<void, void, void> {
  for (const { path, from, end } of shardFiles) {
    const fd = files.open(path, OPEN.read);
    try {
      yield* new FileReplay(files, fd, { path, from, end: Math.min(end, files.size(fd)) }, handler).steps();
    } finally {
      files.close(fd);
    }
  }
}

class FileReplay {
  private readonly files: Files;
  private readonly fd: number;
  private readonly path: string;
  private readonly size: number;
  private readonly handler: ReplayHandler;
  private readonly reader = new RequestReader();
  private readonly args = new Args();
  private buf: Buffer;
  /** File offset of buf[0], and bytes in buf. */
  private base = 0;
  private filled = 0;
  /** Bytes of the file that the handler knows to be replayed. */
  private reported = 0;
  private db = 0;

  constructor(files: Files, fd: number, { path, from = 0, end }: FileRange, handler: ReplayHandler) {
    this.files = files;
    this.fd = fd;
    this.path = path;
    this.size = end;
    this.base = this.reported = from;
    this.buf = Buffer.alloc(Math.min(READ_BYTES, end));
    this.handler = handler;
    this.reader.maxBulkBytes = MAX_BULK_BYTES;
  }

  *steps(): Generator<void, void, void> {
    let at = 0;
    let needed = 1;
    let records = 0;
    while (this.refill(at, needed)) {
      at = 0;
      needed = 1;
      while (at < this.filled) {
        const next = this.buf[at] === HASH ? this.skipLine(at) : this.record(at);
        if (next === LATER || ++records % RECORDS_PER_STEP === 0 || this.handler.singleSteps?.()) {
          this.report(at);
          yield;
        }
        if (next === LATER) continue;
        if (next === NEED_MORE) {
          needed = Math.max(this.filled - at + 1, this.buf[at] === HASH ? 0 : this.reader.needBytes);
          break;
        }
        at = next;
      }
    }
  }

  /** Moves what is left from `at` to the front and reads on, until `needed` bytes are there. False: the file is done. */
  private refill(at: number, needed: number): boolean {
    const left = this.filled - at;
    this.report(at);
    this.base += at;
    if (this.base === this.size) return false;
    if (this.base + needed > this.size) throw new TornRecordError(this.path, this.base, 'the last record is cut short');
    const target = needed > this.buf.length ? Buffer.alloc(needed + READ_BYTES) : this.buf;
    this.buf.copy(target, 0, at, this.filled);
    this.buf = target;
    const want = Math.min(target.length, this.size - this.base) - left;
    this.filled = left + readFully(this.files, this.fd, target.subarray(left), want, this.base + left);
    if (this.filled < left + want)
      throw new DamageError(this.path, this.base, 'the file became shorter while it was read');
    return true;
  }

  /** Tells how far the file is replayed: to byte `at` of the buffer. */
  private report(at: number): void {
    this.handler.progress(this.base + at - this.reported);
    this.reported = this.base + at;
  }

  private skipLine(at: number): number {
    const end = this.buf.indexOf(LF, at);
    return end < 0 || end >= this.filled ? NEED_MORE : end + 1;
  }

  private record(at: number): number {
    const { args, reader } = this;
    if (this.buf[at] !== STAR) throw new DamageError(this.path, this.base + at, 'not a record');
    const next = reader.read(this.buf, at, this.filled, args);
    if (next === NEED_MORE) return next;
    if (next === PROTOCOL_ERROR) throw new DamageError(this.path, this.base + at, reader.error);
    if (args.count === 0) throw new DamageError(this.path, this.base + at, 'not a record');
    switch (args.length(0)) {
      case 4:
        if (!args.equalsIgnoreCase(0, 'exec')) break;
        this.handler.bracket?.(false, this.base + at);
        return next;
      case 5:
        if (!args.equalsIgnoreCase(0, 'multi')) break;
        this.handler.bracket?.(true, this.base + at);
        return next;
      case 6:
        if (args.count === 2 && args.equalsIgnoreCase(0, 'select')) {
          this.db = Number(args.text(1));
          return next;
        }
    }
    return this.handler.apply(this.db, args, this.base + at) ? next : LATER;
  }
}
