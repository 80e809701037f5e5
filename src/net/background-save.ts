/** The background thread's work: snapshots into files. It takes latches like any thread, for tens of microseconds at a time. */
import { SAVE } from '../admin/save-state.ts';
import { DurabilityRules } from '../dispatch/durability-rules.ts';
import { systemClock } from '../env/clock.ts';
import { errnoOf, type Files, removeQuietly, systemFiles } from '../env/files.ts';
import {
  type SaveFile,
  type SaveResult,
  type SaveTask,
  STOPPED,
  type SyncResult,
  type SyncTask,
} from '../messages/background-tasks.ts';
import { RdbFileWriter } from '../persistence/rdb-file-writer.ts';
import { letGo, SnapshotStopped, type SnapshotTime, SnapshotWriter } from '../persistence/snapshot-writer.ts';
import { ShardAccess } from '../shard/shard-access.ts';
import { FIRST_WORKER } from '../shard/world.ts';

/** How long the thread lets others go first where a latch is busy. */
const NAP_MS = 0.2;
/**
 * After so much work the thread gives its core away for a moment, unasked. The system would let it have the core for 3 ms while a worker
 * whose client has just written waits for one. (A lower priority of the thread changes nothing.) The first is for times at which a worker
 * has served somebody within SERVED_MS: p99 of a light load is 1.2 ms in a process's first snapshot then, in place of 1.6 with the second
 * all the time; the snapshot takes up to two thirds longer.
 */
const WORK_MS = 0.1;
const LONG_WORK_MS = 0.25;
const SERVED_MS = 5;
const REST_MS = 0.05;
/** A wait for rdb-key-save-delay looks so often whether it is still wanted. */
const LOOK_MS = 10;
const MICROS_PER_MS = 1000;

/** Runs a task; all captures that it names have ended and are cleared when it returns. */
export function runSave(task: SaveTask): SaveResult {
  return saveInto(systemFiles, task);
}

/** As runSave, into these files. */
export function saveInto(files: Files, task: SaveTask): SaveResult {
  return new SaveRun(files, task, new ShardAccess(task.world, task.thread, task.thread)).run();
}

/** Brings files to stable storage: here, so that nobody waits for the disk who serves others. */
export function runSync({ fds, folders }: SyncTask): SyncResult {
  let fd = -1;
  try {
    for (fd of fds) systemFiles.syncData(fd);
    fd = -1;
    for (const folder of folders) systemFiles.syncFolder(folder);
    return { errno: 0, fd };
  } catch (error) {
    return { errno: errnoOf(error), fd };
  }
}

class SaveRun implements SnapshotTime {
  private readonly files: Files;
  private readonly task: SaveTask;
  private readonly access: ShardAccess;
  private readonly saves: Float64Array;
  private readonly napping = new Int32Array(new SharedArrayBuffer(4));
  private readonly result: SaveResult = { problem: '', keys: 0, fileBytes: 0, longestSliceMs: 0, keptBytes: 0 };
  /** Shards whose captures are still on. */
  private readonly captured = new Set<number>();
  private open: RdbFileWriter | null = null;
  /** When the thread gave its core away last. */
  private restedMs = 0;
  /** What `someoneIsServed` saw last, and when it was new. */
  private beats = 0;
  private servedMs = 0;

  constructor(files: Files, task: SaveTask, access: ShardAccess) {
    this.files = files;
    this.task = task;
    this.access = access;
    this.saves = new Float64Array(task.saves);
    for (const { shards } of task.files) for (const shard of shards) this.captured.add(shard);
  }

  readonly steadyMs = systemClock.steadyMs;

  nap(): void {
    this.sleep(NAP_MS);
  }

  private sleep(ms: number): void {
    this.access.heartbeats.beat(this.task.thread, systemClock.wallMs());
    Atomics.wait(this.napping, 0, 0, ms);
  }

  isSlow(): boolean {
    return this.saves[SAVE.keyDelayMicros] > 0;
  }

  pace(keys: number): void {
    const { saves } = this;
    saves[SAVE.keysDone] = this.result.keys + keys;
    saves[SAVE.keptBytes] = this.access.pastGauge.usedBytes();
    this.access.admitWrites(this.task.world.workers);
    const begunMs = this.steadyMs();
    const workedMs = begunMs - this.restedMs;
    if (workedMs > WORK_MS && (workedMs > LONG_WORK_MS || this.someoneIsServed(begunMs))) {
      this.sleep(REST_MS);
      this.restedMs = this.steadyMs();
    }
    for (;;) {
      if (saves[SAVE.stop] !== 0) throw new SnapshotStopped();
      const leftMs = saves[SAVE.keyDelayMicros] / MICROS_PER_MS - (this.steadyMs() - begunMs);
      if (leftMs <= 0) return;
      this.sleep(Math.min(leftMs, LOOK_MS));
    }
  }

  /** Workers beat with each batch. */
  private someoneIsServed(nowMs: number): boolean {
    const { heartbeats } = this.access;
    let beats = 0;
    for (let worker = 0; worker < this.task.world.workers; worker++) beats += heartbeats.beats(FIRST_WORKER + worker);
    if (beats !== this.beats) {
      this.beats = beats;
      this.servedMs = nowMs;
    }
    return nowMs - this.servedMs < SERVED_MS;
  }

  run(): SaveResult {
    const done: SaveFile[] = [];
    try {
      for (const file of this.task.files) {
        this.write(file);
        done.push(file);
      }
    } catch (error) {
      if (error instanceof SnapshotStopped) this.result.problem = STOPPED;
      else if (error instanceof Error && 'syscall' in error) this.result.problem = error.message;
      else throw error;
      this.open?.abandon();
      for (const { folder, finalName } of done) removeQuietly(this.files, `${folder}/${finalName}`);
      const { latches, pasts } = this.access;
      for (const shard of this.captured) letGo({ latch: latches[shard], past: pasts[shard] }, this);
    }
    return this.result;
  }

  private write({ shards, folder, workingName, finalName }: SaveFile): void {
    const { task, access, result } = this;
    const file = new RdbFileWriter(this.files, `${folder}/${workingName}`, task.packs, task.withChecksum);
    this.open = file;
    for (const [name, value] of task.aux) file.aux(name, value);
    if (shards.includes(0)) for (const code of task.libraries) file.library(code);
    const rules = new DurabilityRules(task.rules);
    const writer = new SnapshotWriter(file, this, (db, buf, start, end) => rules.isNone(db, buf, start, end));
    for (const shard of shards) {
      this.captured.delete(shard);
      writer.writeShard({
        keyspace: access.spaces[shard],
        latch: access.latches[shard],
        past: access.pasts[shard],
        roots: task.roots[shard],
        deadlines: task.deadlines[shard],
      });
      result.keptBytes += writer.keptBytes;
    }
    file.finish(folder, `${folder}/${finalName}`);
    this.open = null;
    result.keys += writer.keys;
    result.fileBytes += file.fileBytes;
    result.longestSliceMs = Math.max(result.longestSliceMs, writer.longestSliceMs);
  }
}
