/** The background thread's work: snapshots into files. It takes latches like any thread, for tens of microseconds at a time. */
import { systemClock } from '../env/clock.ts';
import { systemFiles } from '../env/files.ts';
import type { SaveFile, SaveResult, SaveTask } from '../messages/background-tasks.ts';
import { RdbFileWriter } from '../persistence/rdb-file-writer.ts';
import { letGo, type SnapshotTime, SnapshotWriter } from '../persistence/snapshot-writer.ts';
import { ShardAccess } from '../shard/shard-access.ts';

/** How long the thread lets others go first where a latch is busy. */
const NAP_MS = 0.2;

/** Runs a task; all captures that it names have ended and are cleared when it returns. */
export function runSave(task: SaveTask): SaveResult {
  const access = new ShardAccess(task.world, task.thread, task.thread);
  const napping = new Int32Array(new SharedArrayBuffer(4));
  const time: SnapshotTime = {
    steadyMs: systemClock.steadyMs,
    nap: () => {
      access.heartbeats.beat(task.thread, systemClock.wallMs());
      Atomics.wait(napping, 0, 0, NAP_MS);
    },
  };
  return new SaveRun(task, access, time).run();
}

class SaveRun {
  private readonly task: SaveTask;
  private readonly access: ShardAccess;
  private readonly time: SnapshotTime;
  private readonly result: SaveResult = { problem: '', keys: 0, fileBytes: 0, longestSliceMs: 0, keptBytes: 0 };
  /** Shards whose captures are still on. */
  private readonly captured = new Set<number>();
  private open: RdbFileWriter | null = null;

  constructor(task: SaveTask, access: ShardAccess, time: SnapshotTime) {
    this.task = task;
    this.access = access;
    this.time = time;
    for (const { shards } of task.files) for (const shard of shards) this.captured.add(shard);
  }

  run(): SaveResult {
    const done: SaveFile[] = [];
    try {
      for (const file of this.task.files) {
        this.write(file);
        done.push(file);
      }
    } catch (error) {
      if (!(error instanceof Error && 'syscall' in error)) throw error;
      this.result.problem = error.message;
      this.open?.abandon();
      for (const { folder, finalName } of done) systemFiles.remove(`${folder}/${finalName}`);
      const { latches, pasts } = this.access;
      for (const shard of this.captured) letGo({ latch: latches[shard], past: pasts[shard] }, this.time);
    }
    return this.result;
  }

  private write({ shards, folder, workingName, finalName }: SaveFile): void {
    const { task, access, result } = this;
    const file = new RdbFileWriter(systemFiles, `${folder}/${workingName}`, task.packs, task.withChecksum);
    this.open = file;
    for (const [name, value] of task.aux) file.aux(name, value);
    const writer = new SnapshotWriter(file, this.time);
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
