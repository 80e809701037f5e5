/**
 * Snapshots as the acceptor runs them: the moment of the cut, the task in the background pool, what becomes of it, save points.
 *
 * Invariant 1: one snapshot at a time; it ends with no capture left.
 */
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import { Piscina } from 'piscina';
import { TouchAhead } from '../../native-free-shm/touch-ahead.ts';
import type { Log } from '../admin/log.ts';
import { SAVE } from '../admin/save-state.ts';
import type { SettingsStore } from '../admin/settings-store.ts';
import { systemClock } from '../env/clock.ts';
import {
  type RehearsalTask,
  type SaveFile,
  type SaveResult,
  type SaveTask,
  STOPPED,
  type SyncResult,
  type SyncTask,
} from '../messages/background-tasks.ts';
import { rulesText } from '../shard/rules-text.ts';
import type { ShardAccess } from '../shard/shard-access.ts';
import { STATE, type WorldMemory } from '../shard/world.ts';
import { underAllLatchesSoon } from './all-latches.ts';
import { moduleUrl } from './module-url.ts';

/** After a snapshot failed the save points wait so long, as in Redis. */
const RETRY_MS = 5000;
/** What a snapshot may need besides the data, where the settings do not say it. */
const SHARE_OF_DATA = 0.3;
const LEAST_BOUND_BYTES = 64 * 1024 * 1024;
/** A snapshot of less data is over before it disturbs anybody. */
const LARGE_BYTES = 64 * 1024 * 1024;
/** Of the memory for what changes meanwhile so much of each shard's is touched before the cut. */
const TOUCHED_BYTES = 2 * 1024 * 1024;
/** How often `stop` looks whether the snapshot is over. */
const LOOK_MS = 2;
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
  /** Codes of all libraries of functions; under all latches. */
  libraries: () => string[];
  aux: () => [string, string][];
}

/** Table roots and counts of all shards at the cut. */
export interface Cut {
  roots: number[][];
  deadlines: number[][];
  changes: number;
  /** Codes of the libraries of functions. */
  libraries: string[];
  /** Durability rules at that moment. */
  rules: string;
  /** Keys in all of them. */
  keys: number;
}

export class Snapshots {
  private readonly parts: SnapshotParts;
  private pool: Piscina | null = null;
  private starting: Promise<Piscina> | null = null;
  private busy = false;
  private lastFailureMs = Number.NEGATIVE_INFINITY;
  private rehearsed = false;
  /** Not 0: there is work for the background thread, it need not practise any more. */
  private readonly rehearsalEnded = new Int32Array(new SharedArrayBuffer(4));

  constructor(parts: SnapshotParts) {
    this.parts = parts;
  }

  /** Is a snapshot, of whatever kind, under way? */
  get running(): boolean {
    return this.busy;
  }

  /**
   * Takes a snapshot of everything into the file that the settings name. `started` is called once the moment is fixed. Null, or
   * why it failed. `inBackground`: if it fails nobody else is told, so writes are refused as the settings say.
   */
  async save(started: () => void, inBackground = true): Promise<string | null> {
    const { settings, access, log, saves } = this.parts;
    const begunMs = systemClock.wallMs();
    saves[SAVE.begunMs] = begunMs;
    const name = settings.path('dbfilename');
    let cut: Cut | null;
    try {
      cut = await this.cut(() => true);
    } catch (error) {
      if (!(error instanceof Error && 'syscall' in error)) throw error;
      saves[SAVE.begunMs] = 0;
      return this.noteFailure(error.message, inBackground);
    }
    if (cut === null) throw new Error('snapshot: a cut was refused that nothing could refuse');
    started();
    const shards = access.spaces.map((_, shard) => shard);
    const file = { shards, folder: settings.path('dir'), workingName: WORKING_NAME, finalName: name };
    const result = await this.write(cut, [file], true);
    saves[SAVE.begunMs] = 0;
    saves[SAVE.lastSeconds] = Math.round((systemClock.wallMs() - begunMs) / 1000);
    if (result.problem === STOPPED) {
      log.line('notice', 'The snapshot under way was stopped');
      return STOPPED;
    }
    if (result.problem !== '') return this.noteFailure(result.problem, inBackground);
    await this.noteOutcome(false);
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

  private async noteFailure(problem: string, inBackground: boolean): Promise<string> {
    if (inBackground) await this.noteOutcome(true);
    this.lastFailureMs = systemClock.wallMs();
    this.parts.log.line('warning', `Error saving DB on disk: ${problem}`);
    return problem;
  }

  /** For INFO and for the gate (R3). */
  private async noteOutcome(failed: boolean): Promise<void> {
    const { saves, access } = this.parts;
    saves[SAVE.failed] = failed ? 1 : 0;
    if (((access.stateBits() & STATE.saveFailed) !== 0) === failed) return;
    await underAllLatchesSoon(access, () => access.setState(STATE.saveFailed, failed));
  }

  /**
   * Fixes the moment of a snapshot under all latches; `also` runs under them first: false, and there is no snapshot (null). No
   * other one may be under way. Throws as the system does where the background thread cannot start: nothing has been begun then.
   */
  async cut(also: () => boolean): Promise<Cut | null> {
    if (this.busy) throw new Error('snapshot: another one is under way');
    this.busy = true;
    this.parts.saves[SAVE.stop] = 0;
    const { access, world, changes, libraries } = this.parts;
    if (access.liveBytes() >= LARGE_BYTES) await this.touchStores();
    const cut: Cut = { roots: [], deadlines: [], changes: 0, rules: '', keys: 0, libraries: [] };
    try {
      await this.ready();
    } catch (error) {
      this.busy = false;
      throw error;
    }
    access.pastGauge.setBound(this.memoryBound());
    let agreed = false;
    await underAllLatchesSoon(access, () => {
      agreed = also();
      if (!agreed) return;
      access.spaces.forEach((space, shard) => {
        cut.roots.push(Array.from({ length: world.databases }, (_, db) => space.root(db)));
        cut.deadlines.push(Array.from({ length: world.databases }, (_, db) => space.deadlines(db)));
        for (let db = 0; db < world.databases; db++) cut.keys += space.count(db);
        access.pasts[shard].begin();
      });
      cut.changes = changes();
      cut.rules = rulesText(access.process);
      cut.libraries = libraries();
    });
    if (!agreed) {
      access.pastGauge.setBound(0);
      this.busy = false;
    }
    return agreed ? cut : null;
  }

  /** No command shall wait for the system's first pages behind the pasts. */
  private async touchStores(): Promise<void> {
    const { access, world } = this.parts;
    for (const [shard, { past }] of world.shards.entries()) {
      const ahead = new TouchAhead(past.store, access.pasts[shard].store.i32);
      for (ahead.prepare(TOUCHED_BYTES); ahead.wanted; await nextTurn()) ahead.step();
    }
  }

  /** How many bytes the snapshot may need for what changes while it is written. */
  private memoryBound(): number {
    const { settings, access } = this.parts;
    const set = settings.number('snapshot-memory');
    return set !== 0 ? set : Math.max(access.liveBytes() * SHARE_OF_DATA, LEAST_BOUND_BYTES);
  }

  /**
   * Has all shards of a cut written to files, and their pasts let go: the snapshot is over then. `isWhole`: also keys that durability
   * rules keep out of the journal.
   */
  async write(cut: Cut, files: readonly SaveFile[], isWhole: boolean): Promise<SaveResult> {
    const { settings, world, access, thread, aux, saves } = this.parts;
    this.readDelay();
    saves[SAVE.keysTotal] = cut.keys;
    saves[SAVE.keysDone] = 0;
    const task: SaveTask = {
      world,
      thread,
      files,
      roots: cut.roots,
      deadlines: cut.deadlines,
      saves: saves.buffer as SharedArrayBuffer,
      rules: isWhole ? '' : cut.rules,
      libraries: cut.libraries,
      packs: settings.flag('rdbcompression'),
      withChecksum: settings.flag('rdbchecksum'),
      aux: aux(),
    };
    try {
      return (await this.inBackground(task, 'runSave')) as SaveResult;
    } finally {
      saves[SAVE.stop] = 0;
      saves[SAVE.keptBytes] = 0;
      access.pastGauge.setBound(0);
      access.admitWrites(world.workers);
      this.busy = false;
    }
  }

  /** Has the background thread sync files and folders. */
  async sync(task: SyncTask): Promise<SyncResult> {
    return (await this.inBackground(task, 'runSync')) as SyncResult;
  }

  /** Has the background thread practise, once there is so much data that it matters; called now and then. */
  rehearse(): void {
    const { access, log } = this.parts;
    if (this.rehearsed || access.liveBytes() < LARGE_BYTES) return;
    this.rehearsed = true;
    const task: RehearsalTask = { ended: this.rehearsalEnded.buffer as SharedArrayBuffer };
    this.ready()
      .then((pool) => pool.run(task, { name: 'runRehearsal' }))
      .catch((error: Error) => log.line('warning', error.message));
  }

  private inBackground(task: SaveTask | SyncTask, name: string): Promise<unknown> {
    this.rehearsed = true;
    Atomics.store(this.rehearsalEnded, 0, 1);
    if (this.pool === null) throw new Error('snapshot: there was no cut');
    return this.pool.run(task, { name });
  }

  /** The background thread, which runs. Throws where the system does not allow it; the next call tries again. */
  private async ready(): Promise<Piscina> {
    if (this.pool !== null) return this.pool;
    this.starting ??= startThread();
    try {
      this.pool = await this.starting;
      return this.pool;
    } finally {
      this.starting = null;
    }
  }

  /** Ends the snapshot under way, if there is one; returns when it has ended. */
  async stop(): Promise<void> {
    while (this.busy) {
      this.parts.saves[SAVE.stop] = 1;
      await pause(LOOK_MS);
    }
  }

  /** Tells the background thread how slow the settings want it to be. */
  readDelay(): void {
    this.parts.saves[SAVE.keyDelayMicros] = this.parts.settings.number('rdb-key-save-delay');
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

/** No thread of Node.js starts in a folder that somebody has removed; paths of files begin with the setting `dir` all the same. */
function leaveMissingFolder(): void {
  try {
    // Node.js remembers the path; the system may know better
    process.chdir(process.cwd());
  } catch {
    process.chdir('/');
  }
}

/** Starts the background thread; throws where the system does not allow that. When it dies later the process ends with it. */
async function startThread(): Promise<Piscina> {
  leaveMissingFolder();
  const pool = new Piscina({
    filename: moduleUrl('../../workers/background', import.meta.url, import.meta.filename).href,
    minThreads: 1,
    maxThreads: 1,
    trackUnmanagedFds: false,
  });
  let fail: (error: Error) => void = () => {};
  const failure = new Promise<never>((_, reject) => {
    fail = reject;
  });
  pool.once('error', fail);
  try {
    // a task that does nothing is answered by a thread that runs
    await Promise.race([pool.run({ fds: [], folders: [] } satisfies SyncTask, { name: 'runSync' }), failure]);
  } catch (error) {
    void pool.destroy();
    const message = `the background thread cannot start: ${(error as Error).message}`;
    throw Object.assign(new Error(message), { syscall: 'thread' });
  }
  pool.off('error', fail);
  return pool;
}
