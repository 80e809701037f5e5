/**
 * Where the data lives on disk, as the acceptor deals with it: opens or makes the data set, recovers it, has it replayed by the
 * shards' owners, opens the journals.
 */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { LogLevel } from '../admin/log.ts';
import type { SettingsStore } from '../admin/settings-store.ts';
import { systemClock } from '../env/clock.ts';
import { systemFiles } from '../env/files.ts';
import { Journal } from '../journal/journal.ts';
import { JournalControl } from '../journal/journal-control.ts';
import { type JournalMemory, openJournal, POLICY, type Policy } from '../journal/journal-memory.ts';
import type { ReplayRequest } from '../messages/thread-messages.ts';
import {
  createDataSet,
  type DataSet,
  DataSetError,
  type Place,
  readDataSet,
  readShardManifest,
  shardFiles,
} from '../persistence/data-set.ts';
import { cutShards, type RecoveredShard, scanOrders, startOf } from '../persistence/recovery.ts';
import { beginShardLoad } from '../shard/load-progress.ts';
import type { ShardAccess } from '../shard/shard-access.ts';
import { SHARD_F64, STATE } from '../shard/world.ts';
import { underAllLatchesSoon } from './all-latches.ts';
import { CANNOT_WRITE, turnJournalOffSoon, turnJournalOnSoon, wantedPolicies } from './journal-switch.ts';
import type { Supervisor } from './supervisor.ts';

/** Longest wait for a thread that is in the middle of a write. */
const WRITE_OUT_MS = 1000;

/** Where the settings say that the data set is. */
export function placeOf(settings: SettingsStore): Place {
  const parent = resolve(settings.path('dir'));
  const folder = resolve(parent, settings.path('appenddirname'));
  return { files: systemFiles, parent, folder, prefix: settings.path('appendfilename') };
}

export class DataHome {
  readonly place: Place;
  private readonly settings: SettingsStore;
  private readonly log: (level: LogLevel, text: string) => void;
  private dataSet: DataSet | null = null;
  private recovered: RecoveredShard[] = [];

  constructor(settings: SettingsStore, log: (level: LogLevel, text: string) => void) {
    this.settings = settings;
    this.log = log;
    this.place = placeOf(settings);
  }

  /**
   * Finds out how many shards there are: those of the data set, if there is one, else `wished`. `insists`: the number was
   * asked for and must not differ. Throws where the data set cannot be read.
   */
  open(wished: number, insists: boolean): number {
    if (!this.settings.flag('appendonly')) return wished;
    this.dataSet = readDataSet(this.place);
    if (this.dataSet === null) {
      this.dataSet = createDataSet(this.place, wished);
    } else if (insists && this.dataSet.shards !== wished) {
      throw new DataSetError(
        `The data set in ${this.place.folder} has ${this.dataSet.shards} shards, the setting shards says ${wished}. ` +
          'Their number is fixed when the data set is created.',
      );
    }
    return this.dataSet.shards;
  }

  /**
   * Has the files checked by the shards' owners, brings them to their cut and opens the journals. Throws where data is damaged; a
   * worker that finds damage says `load-failed`, and then this never returns.
   */
  async recover(supervisor: Supervisor, workers: number, memory: JournalMemory): Promise<void> {
    if (this.dataSet === null) return;
    const orders = scanOrders(this.place, this.dataSet);
    const scans = await Promise.all(
      orders.map(async (order) => {
        const owner = order.shard % workers;
        const done = supervisor.next(owner, 'scanned', (message) => message.result.shard === order.shard);
        supervisor.send(owner, { kind: 'scan', order });
        return (await done).result;
      }),
    );
    this.recovered = cutShards(this.place, scans, {
      loadTruncated: this.settings.flag('aof-load-truncated'),
      warn: (text) => this.log('warning', text),
    });
    const policies = wantedPolicies(this.settings, memory.shards);
    for (const shard of this.recovered) openJournal(memory, shard.shard, startOf(shard, policies[shard.shard]));
  }

  /** Has every recovered shard replayed by its owner; without a data set the RDB file is loaded, if there is one. */
  async load(supervisor: Supervisor, access: ShardAccess, workers: number): Promise<void> {
    if (this.dataSet !== null) return this.replay(supervisor, access, workers, this.recovered);
    const path = resolve(this.settings.path('dbfilename'));
    if (systemFiles.exists(path)) await this.loadRdb(path, supervisor, access, workers);
  }

  /** Has an RDB file loaded by all workers, each its own shards. */
  private async loadRdb(path: string, supervisor: Supervisor, access: ShardAccess, workers: number): Promise<void> {
    const begun = systemClock.steadyMs();
    const { size } = statSync(path);
    const loaders = Math.min(workers, access.headers.length);
    for (let worker = 0; worker < loaders; worker++) beginShardLoad(access.headers[worker], systemClock.wallMs(), size);
    const loaded = await Promise.all(
      Array.from({ length: loaders }, (_, worker) => {
        const done = supervisor.next(worker, 'rdb-loaded');
        supervisor.send(worker, { kind: 'load-rdb', path });
        return done;
      }),
    );
    const keys = loaded.reduce((sum, { keys: own }) => sum + own, 0);
    const seconds = ((systemClock.steadyMs() - begun) / 1000).toFixed(3);
    this.log('notice', `DB loaded from disk: ${keys} keys in ${seconds} seconds`);
  }

  /** Has shards replayed by their owners, all owners at once. */
  private async replay(
    supervisor: Supervisor,
    access: ShardAccess,
    workers: number,
    shards: readonly ReplayRequest[],
  ): Promise<void> {
    const begun = systemClock.steadyMs();
    let commands = 0;
    for (const { shard, files } of shards)
      beginShardLoad(access.headers[shard], systemClock.wallMs(), bytesToReplay(files));
    await Promise.all(
      shards.map(async ({ shard, files }) => {
        const owner = shard % workers;
        const done = supervisor.next(owner, 'replayed', (message) => message.shard === shard);
        supervisor.send(owner, { kind: 'replay', shard, files });
        const replayed = (await done).commands;
        commands += replayed;
      }),
    );
    const seconds = ((systemClock.steadyMs() - begun) / 1000).toFixed(3);
    this.log('notice', `DB loaded from append only file: ${commands} records in ${seconds} seconds`);
  }

  /**
   * Empties memory and replays what the journal files hold (DEBUG RELOAD). Without a journal one is written for this moment,
   * in a folder of its own, and removed afterwards. Null, or why it was not possible.
   */
  async reload(
    supervisor: Supervisor,
    access: ShardAccess,
    memory: JournalMemory,
    workers: number,
  ): Promise<string | null> {
    const control = new JournalControl(memory);
    const lasting = control.policy(0) !== POLICY.none;
    // where the settings say now: dir and the journal may have been changed since the start
    const home = placeOf(this.settings);
    const place = lasting ? home : { ...home, folder: `${home.folder}.reload` };
    const setLoading = (on: boolean) => underAllLatchesSoon(access, () => access.setState(STATE.loading, on));
    await setLoading(true);
    let problem: string | null = null;
    if (!lasting)
      problem = await turnJournalOnSoon(place, access, memory, new Array<Policy>(memory.shards).fill(POLICY.no));
    // what is not in the files would be gone
    if (problem === null && !this.writeOut(memory)) problem = CANNOT_WRITE;
    if (problem !== null) {
      await setLoading(false);
      return problem;
    }
    await underAllLatchesSoon(access, () => {
      for (const space of access.spaces) for (let db = 0; db < space.databases; db++) space.flush(db);
      // no time has passed for the records that come now
      for (const header of access.headers) header.f64[SHARD_F64.newestMs] = 0;
    });
    await this.replay(supervisor, access, workers, filesNow(place, memory));
    if (!lasting) {
      await turnJournalOffSoon(access, memory);
      systemFiles.removeFolder(place.folder);
    }
    await setLoading(false);
    return null;
  }

  /**
   * Writes everything that is published to the files; used where nobody else will. Blocks, for a second at most where another
   * thread is in the middle of a write (or died in one). False: something could not be written.
   */
  writeOut(memory: JournalMemory): boolean {
    const control = new JournalControl(memory);
    const journals = Array.from({ length: memory.shards }, (_, shard) => new Journal(memory, shard, systemFiles));
    const endMs = systemClock.steadyMs() + WRITE_OUT_MS;
    for (;;) {
      let left = false;
      for (const journal of journals) left = (journal.enabled && journal.undrained() && !journal.drain()) || left;
      if (!left) return true;
      if (control.state !== 0 || systemClock.steadyMs() > endMs) return false;
      control.nap();
    }
  }
}

function bytesToReplay(files: ReplayRequest['files']): number {
  return files.reduce((sum, { path, end }) => sum + Math.min(end, statSync(path).size), 0);
}

/** The files of each shard as its manifest names them now, up to what was written. */
function filesNow(place: Place, memory: JournalMemory): ReplayRequest[] {
  return Array.from({ length: memory.shards }, (_, shard) => {
    const files = shardFiles(place, shard, readShardManifest(place, shard)).map(({ path }) => ({
      path,
      end: Number.POSITIVE_INFINITY,
    }));
    files[files.length - 1].end = new Journal(memory, shard, systemFiles).fileBytes();
    return { shard, files };
  });
}
