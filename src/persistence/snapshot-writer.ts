/**
 * Writes the keys of shards, as they were at one moment, into an RDB file, while the server goes on. Walks each shard through
 * its past in slices of some tens of microseconds under the latch; writes to the file between them.
 *
 * Invariant 1: nothing is written to a file, synced or waited for while the latch is held.
 * Invariant 2: what `next` of the walk returns, and all handles behind it, belong to the past and stay valid between slices.
 */
import type { Latch } from '../../native-free-shm/latch.ts';
import type { OldBlocks } from '../../native-free-shm/old-blocks.ts';
import { PastView } from '../../native-free-shm/old-blocks.ts';
import { TableWalk } from '../../native-free-shm/table-walk.ts';
import { NO_DEADLINE } from '../keyspace/entry.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';
import { RDB_OPCODE } from '../keyspace/rdb-types.ts';
import { RdbValueWriter } from '../keyspace/rdb-value-writer.ts';
import type { RdbFileWriter } from './rdb-file-writer.ts';

/** How long a latch is held at once. */
const SLICE_MS = 0.05;
const SPIN_MICROS = 20;
/** Elements between two looks at the clock. */
const ELEMENTS_PER_LOOK = 16;
/** Buckets of notes that are freed while the latch is held once. */
const CLEAR_BUCKETS = 32;
/** Strings that are longer are written from where they lie, without a copy. */
const COPIED_BYTES = 64 * 1024;

/** A shard, and what stands beside it. */
export interface SnapshotShard {
  keyspace: Keyspace;
  latch: Latch;
  past: OldBlocks;
  /** Table root of each database at the moment, 0 where it had none. */
  roots: readonly number[];
  /** Keys with a deadline in each database. */
  deadlines: readonly number[];
}

export interface SnapshotTime {
  steadyMs(): number;
  /** Lets other threads have the latch, or the core, for a while. */
  nap(): void;
  /**
   * Called without a latch when so many keys are written: waits as long as somebody wants. Throws SnapshotStopped where the snapshot
   * is to end.
   */
  pace(keys: number): void;
  /** Is there a wait behind every key? */
  isSlow(): boolean;
}

/** Somebody asked for the end of the snapshot. */
export class SnapshotStopped extends Error {}

/** Is the key buf[start, end) of a database not to be written? */
type LeavesOut = (db: number, buf: Buffer, start: number, end: number) => boolean;

/** Outcome of a slice. */
const SLICE = { more: 0, done: 1, longString: 2 } as const;

export class SnapshotWriter {
  /** Keys written so far. */
  keys = 0;
  /** What the past of the last shard took when it was let go. */
  keptBytes = 0;
  /** The longest slice in ms, for the log and for tests. */
  longestSliceMs = 0;
  private readonly file: RdbFileWriter;
  private readonly time: SnapshotTime;
  private shard!: SnapshotShard;
  private walk!: TableWalk;
  private value!: RdbValueWriter;
  /** A value is half written. */
  private inValue = false;

  private readonly leavesOut: LeavesOut;
  private db = 0;

  constructor(file: RdbFileWriter, time: SnapshotTime, leavesOut: LeavesOut = () => false) {
    this.file = file;
    this.time = time;
    this.leavesOut = leavesOut;
  }

  /** Writes all databases of a shard, then lets its past go. Throws where the disk refuses; the past is let go then too. */
  writeShard(shard: SnapshotShard): void {
    this.shard = shard;
    try {
      const view = new PastView(shard.keyspace.arena, shard.past);
      this.walk = new TableWalk(view.another());
      this.value = new RdbValueWriter(view.another(), this.file.out);
      for (let db = 0; db < shard.roots.length; db++) if (shard.roots[db] !== 0) this.writeDatabase(db);
    } finally {
      this.keptBytes = Math.max(this.keptBytes, shard.past.keptBytes());
      letGo(shard, this.time);
    }
  }

  private writeDatabase(db: number): void {
    const { shard, walk, file } = this;
    this.db = db;
    take(shard.latch, this.time);
    walk.start(shard.roots[db]);
    shard.latch.release();
    if (walk.count === 0) return;
    file.selectDb(db, walk.count, shard.deadlines[db]);
    for (;;) {
      take(shard.latch, this.time);
      const begun = this.time.steadyMs();
      const outcome = this.slice(this.time.isSlow() ? begun : begun + SLICE_MS);
      shard.latch.release();
      this.time.pace(this.keys);
      this.longestSliceMs = Math.max(this.longestSliceMs, this.time.steadyMs() - begun);
      if (outcome === SLICE.longString) this.writeLongString();
      file.flushIfLarge();
      if (outcome === SLICE.done) return;
    }
  }

  /** Writes entries until the time is over, or a long string has to be written without the latch. */
  private slice(endMs: number): number {
    const { walk, value, time } = this;
    let looks = time.isSlow() ? 1 : ELEMENTS_PER_LOOK;
    for (;;) {
      if (this.inValue) {
        this.inValue = value.step(ELEMENTS_PER_LOOK);
        looks = 0;
      } else {
        const entry = walk.next();
        if (entry === 0) return SLICE.done;
        value.entry(entry);
        if (this.leavesOut(this.db, value.keyBuf, value.keyStart, value.keyEnd)) {
          if (--looks > 0) continue;
          if (time.steadyMs() >= endMs) return SLICE.more;
          looks = ELEMENTS_PER_LOOK;
          continue;
        }
        this.writeHead();
        this.keys++;
        if (value.isLongString(COPIED_BYTES)) {
          value.pinString(this.shard.keyspace.arena, this.shard.past);
          return SLICE.longString;
        }
        value.begin();
        this.inValue = true;
        looks--;
      }
      if (looks > 0) continue;
      if (time.steadyMs() >= endMs) return SLICE.more;
      looks = ELEMENTS_PER_LOOK;
    }
  }

  /** Deadline, form and key of the entry. */
  private writeHead(): void {
    const { value } = this;
    const { out } = this.file;
    if (value.deadline !== NO_DEADLINE) {
      out.byte(RDB_OPCODE.expireTimeMs);
      out.millis(value.deadline);
    }
    out.byte(value.rdbType());
    out.string(value.keyBuf, value.keyStart, value.keyEnd);
  }

  private writeLongString(): void {
    const { value, file } = this;
    file.out.length(value.stringEnd - value.stringStart);
    file.flush();
    file.writeThrough(value.stringBuf.subarray(value.stringStart, value.stringEnd));
    value.unpinString(this.shard.keyspace.arena);
  }
}

/** Waits for a shard's latch, without hurry. */
function take(latch: Latch, time: SnapshotTime): void {
  while (!latch.acquireSpin(SPIN_MICROS)) time.nap();
}

/** Ends the capture of a shard and frees what it kept. */
export function letGo({ latch, past }: Pick<SnapshotShard, 'latch' | 'past'>, time: SnapshotTime): void {
  take(latch, time);
  past.end();
  latch.release();
  for (let more = true; more; ) {
    take(latch, time);
    more = past.clear(CLEAR_BUCKETS);
    latch.release();
  }
}
