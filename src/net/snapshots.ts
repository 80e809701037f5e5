/**
 * Snapshots as the acceptor runs them: the moment of the cut, the task in the background pool, what becomes of it, save points.
 *
 * Invariant 1: one snapshot at a time; it ends with no capture left.
 */
import { Piscina } from 'piscina';
import type { Log } from '../admin/log.ts';
import { SAVE } from '../admin/save-state.ts';
import type { SettingsStore } from '../admin/settings-store.ts';
import { systemClock } from '../env/clock.ts';
import type { SaveFile, SaveResult, SaveTask } from '../messages/background-tasks.ts';
import type { ShardAccess } from '../shard/shard-access.ts';
import type { WorldMemory } from '../shard/world.ts';
import { underAllLatchesSoon } from './all-latches.ts';
import { moduleUrl } from './module-url.ts';

/** After a snapshot failed the save points wait so long, as in Redis. */
const RETRY_MS = 5000;
/** What a file is called while it is written. */
export const WORKING_NAME = `temp-${process.pid}.rdb`;

export interface SnapshotParts {
  settings: SettingsStore;
  log: Log;
  access: ShardAccess;
  /** Words of SAVE. */
  saves: Float64Array;
  world: WorldMemory;
  /** Thread number of the pool's only thread. */
  thread: number;
  /** Changes of all workers so far. */
  changes: () => number;
  aux: () => [string, string][];
}

/** Table roots and counts of all shards at the cut. */
export interface Cut {
  roots: number[][];
  deadlines: number[][];
  changes: number;
}

export class Snapshots {
  private readonly parts: SnapshotParts;
  private pool: Piscina | null = null;
  private busy = false;
  private lastFailureMs = Number.NEGATIVE_INFINITY;

  constructor(parts: SnapshotParts) {
    this.parts = parts;
  }

  /** Is a snapshot, of whatever kind, under way? */
  get running(): boolean {
    return this.busy;
  }

  /**
   * Takes a snapshot of everything into the file that the settings name. `started` is called once the moment is fixed. Null, or
   * why it failed.
   */
  async save(started: () => void): Promise<string | null> {
    const { settings, access, log, saves } = this.parts;
    const begunMs = systemClock.wallMs();
    saves[SAVE.begunMs] = begunMs;
    const name = settings.path('dbfilename');
    const cut = await this.cut(() => true);
    if (cut === null) throw new Error('snapshot: a cut was refused that nothing could refuse');
    started();
    const shards = access.spaces.map((_, shard) => shard);
    const file = { shards, folder: process.cwd(), workingName: WORKING_NAME, finalName: name };
    const result = await this.write(cut, [file]);
    saves[SAVE.begunMs] = 0;
    saves[SAVE.lastSeconds] = Math.round((systemClock.wallMs() - begunMs) / 1000);
    saves[SAVE.failed] = result.problem === '' ? 0 : 1;
    if (result.problem !== '') {
      this.lastFailureMs = systemClock.wallMs();
      log.line('warning', `Error saving DB on disk: ${result.problem}`);
      return result.problem;
    }
    saves[SAVE.lastSaveMs] = begunMs;
    saves[SAVE.changesThen] = cut.changes;
    saves[SAVE.saves]++;
    saves[SAVE.lastKeptBytes] = result.keptBytes;
    log.line(
      'notice',
      `DB saved on disk: ${result.keys} keys, ${result.fileBytes} bytes, longest time under a latch ${result.longestSliceMs.toFixed(3)} ms`,
    );
    return null;
  }

  /**
   * Fixes the moment of a snapshot under all latches; `also` runs under them first: false, and there is no snapshot (null). No
   * other one may be under way.
   */
  async cut(also: () => boolean): Promise<Cut | null> {
    if (this.busy) throw new Error('snapshot: another one is under way');
    this.busy = true;
    const { access, world, changes } = this.parts;
    const cut: Cut = { roots: [], deadlines: [], changes: 0 };
    let agreed = false;
    await underAllLatchesSoon(access, () => {
      agreed = also();
      if (!agreed) return;
      access.spaces.forEach((space, shard) => {
        cut.roots.push(Array.from({ length: world.databases }, (_, db) => space.root(db)));
        cut.deadlines.push(Array.from({ length: world.databases }, (_, db) => space.deadlines(db)));
        access.pasts[shard].begin();
      });
      cut.changes = changes();
    });
    if (!agreed) this.busy = false;
    return agreed ? cut : null;
  }

  /** Has all shards of a cut written to files, and their pasts let go: the snapshot is over then. */
  async write(cut: Cut, files: readonly SaveFile[]): Promise<SaveResult> {
    const { settings, world, thread, aux } = this.parts;
    this.pool ??= new Piscina({
      filename: moduleUrl('../../workers/background', import.meta.url, import.meta.filename).href,
      minThreads: 1,
      maxThreads: 1,
    });
    const task: SaveTask = {
      world,
      thread,
      files,
      roots: cut.roots,
      deadlines: cut.deadlines,
      packs: settings.flag('rdbcompression'),
      withChecksum: settings.flag('rdbchecksum'),
      aux: aux(),
    };
    try {
      return (await this.pool.run(task, { name: 'runSave' })) as SaveResult;
    } finally {
      this.busy = false;
    }
  }

  /** Starts a snapshot where a save point is due; called now and then. */
  lookAtSavePoints(): void {
    const { settings, saves, changes, log } = this.parts;
    if (this.busy) return;
    const now = systemClock.wallMs();
    const changed = changes() - saves[SAVE.changesThen];
    if (changed === 0 || now - this.lastFailureMs < RETRY_MS) return;
    const words = settings.text('save').split(' ');
    for (let i = 0; i + 1 < words.length; i += 2) {
      if (changed < Number(words[i + 1]) || now - saves[SAVE.lastSaveMs] <= Number(words[i]) * 1000) continue;
      log.line('notice', `${words[i + 1]} changes in ${words[i]} seconds. Saving...`);
      void this.save(() => {});
      return;
    }
  }
}
