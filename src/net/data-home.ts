/**
 * Where the data lives on disk, as the acceptor deals with it: opens or makes the data set, recovers it, has it replayed by the
 * shards' owners, opens the journals.
 */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { LogLevel } from '../admin/log.ts';
import type { SettingsStore } from '../admin/settings-store.ts';
import { enumWord } from '../admin/settings-table.ts';
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
  removeDataSet,
  shardFiles,
  sweepReplaced,
  sweepShard,
  TOP_MANIFEST,
} from '../persistence/data-set.ts';
import type { RdbLoaded } from '../persistence/rdb-load.ts';
import { cutShards, type RecoveredShard, scanOrders, startOf } from '../persistence/recovery.ts';
import { findRedisJournal, findRedisSnapshot, knowsRedisFiles, type RedisData } from '../persistence/redis-files.ts';
import { beginShardLoad } from '../shard/load-progress.ts';
import type { ShardAccess } from '../shard/shard-access.ts';
import { SHARD_F64, STATE } from '../shard/world.ts';
import { underAllLatchesSoon } from './all-latches.ts';
import { endTurn, takeTurn, WORK } from './data-set-turn.ts';
import { writeDataSet } from './data-set-writer.ts';
import { claimFolder, isClaimed } from './folder-claim.ts';
import { CANNOT_WRITE, turnJournalOffSoon, turnJournalOnSoon, wantedPolicies } from './journal-switch.ts';
import { loadRdbFile, loadRedisData } from './redis-takeover.ts';
import type { Snapshots } from './snapshots.ts';
import type { Supervisor } from './supervisor.ts';

/** Longest wait for a thread that is in the middle of a write. */
const WRITE_OUT_MS = 1000;
/** How often a reload looks whether it may begin. */
const LOOK_MS = 2;

export const ELSEWHERE = 'the journal is in another folder, for the setting dir has changed since';

/** What a reload needs of the acceptor. */
export interface ReloadParts {
  supervisor: Supervisor;
  access: ShardAccess;
  memory: JournalMemory;
  workers: number;
  snapshots: Snapshots;
  loadsAof: boolean;
}

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
  /** Data of a Redis server that are to be taken over. */
  private redis: RedisData | null = null;
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
    const inUse = claimFolder(this.place);
    if (inUse !== null) throw new DataSetError(inUse);
    this.dataSet = readDataSet(this.place);
    this.redis = this.redisData();
    if (this.redis !== null) {
      this.dataSet = null;
      return wished;
    }
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

  /** Redis files that come before what Skein has, if it has anything. Throws where it cannot be told. */
  private redisData(): RedisData | null {
    const { place, settings } = this;
    if (this.dataSet === null)
      return findRedisJournal(place) ?? findRedisSnapshot(place.files, resolve(settings.path('dbfilename')));
    if (knowsRedisFiles(place)) return null;
    if (enumWord('changed-redis-files', settings.number('changed-redis-files')) === 'load')
      return findRedisJournal(place);
    throw new DataSetError(
      `The Redis files in ${place.folder} are not those that were taken over into ${TOP_MANIFEST}: a Redis server has run there ` +
        'since, or they were put there. Move them away to go on with the data of Skein; or say `changed-redis-files load` to ' +
        'load them, and put the data of Skein aside.',
    );
  }

  /** Is there a data set of Skein's? */
  get hasDataSet(): boolean {
    return this.dataSet !== null;
  }

  /** Makes a data set out of the Redis data that were loaded, if there were any, and opens the journals. Throws as `recover`. */
  async takeOver(
    supervisor: Supervisor,
    access: ShardAccess,
    workers: number,
    memory: JournalMemory,
    snapshots: Snapshots,
  ): Promise<void> {
    if (this.redis === null) return;
    this.redis = null;
    const shards = access.spaces.length;
    const written = await writeDataSet(this.place, shards, snapshots, () => {});
    if (typeof written === 'string') throw new DataSetError(`The data taken over cannot be written: ${written}`);
    const { keys, fileBytes, aside } = written;
    this.dataSet = written.dataSet;
    this.log(
      'notice',
      `Data taken over: ${keys} keys in ${shards} shards, ${fileBytes} bytes. Redis's files stay as they are.`,
    );
    if (aside !== null) this.log('warning', `The data that Skein had before are in ${aside} now`);
    await this.recover(supervisor, workers, memory);
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
    for (let shard = 0; shard < memory.shards; shard++) sweepShard(this.place, shard);
    sweepReplaced(this.place);
    const policies = wantedPolicies(this.settings, memory.shards);
    for (const shard of this.recovered) openJournal(memory, shard.shard, startOf(shard, policies[shard.shard]));
  }

  /**
   * Has every recovered shard replayed by its owner, or Redis's data loaded; without a data set the RDB file is loaded, if there is one.
   * Returns what RDB files gave.
   */
  async load(supervisor: Supervisor, access: ShardAccess, workers: number): Promise<RdbLoaded | null> {
    const loaders = { supervisor, access, workers, log: this.log };
    if (this.redis !== null) return loadRedisData(this.redis, this.settings.flag('aof-load-truncated'), loaders);
    if (this.dataSet !== null) {
      await this.replay(supervisor, access, workers, this.recovered);
      return null;
    }
    const path = resolve(this.settings.path('dbfilename'));
    return systemFiles.exists(path) ? loadRdbFile(path, false, loaders) : null;
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
   * in a folder of its own, and removed afterwards; `loadsAof` (DEBUG LOADAOF): or what BGREWRITEAOF has written is taken, if it has.
   * Null, or why it was not possible.
   */
  async reload(parts: ReloadParts): Promise<string | null> {
    const { access, snapshots } = parts;
    for (let work = 0; (work = takeTurn(access.process, WORK.reload)) !== 0; await pause(LOOK_MS))
      if (work === WORK.rewrite) await snapshots.stop();
    const setLoading = (on: boolean) => underAllLatchesSoon(access, () => access.setState(STATE.loading, on));
    try {
      await setLoading(true);
      const problem = await this.reloadInTurn(parts);
      await setLoading(false);
      return problem;
    } finally {
      endTurn(access.process);
    }
  }

  private async reloadInTurn({ supervisor, access, memory, workers, loadsAof }: ReloadParts): Promise<string | null> {
    const lasting = new JournalControl(memory).policy(0) !== POLICY.none;
    // where the settings say now: dir and the journal may have been changed since the start
    const home = placeOf(this.settings);
    const written = !lasting && loadsAof ? readDataSet(home) : null;
    if (lasting && !isClaimed(access.process, home)) return ELSEWHERE;
    if (written !== null && written.shards !== memory.shards) return `the data set has ${written.shards} shards`;
    const place = lasting || written !== null ? home : { ...home, folder: `${home.folder}.reload` };
    const isMade = place !== home;
    let problem: string | null = null;
    if (isMade)
      problem = await turnJournalOnSoon(place, access, memory, new Array<Policy>(memory.shards).fill(POLICY.no));
    // what is not in the files would be gone
    if (problem === null && !this.writeOut(memory)) problem = CANNOT_WRITE;
    if (problem === null) {
      const files = filesNow(place, memory, written === null);
      await this.empty(access);
      await this.replay(supervisor, access, workers, files);
    }
    if (isMade) {
      await turnJournalOffSoon(access, memory);
      removeDataSet(place);
    }
    return problem;
  }

  private async empty(access: ShardAccess): Promise<void> {
    await underAllLatchesSoon(access, () => {
      for (const space of access.spaces) for (let db = 0; db < space.databases; db++) space.flush(db);
      // no time has passed for the records that come now
      for (const header of access.headers) header.f64[SHARD_F64.newestMs] = 0;
    });
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

/** The files of each shard as its manifest names them now; those of open journals up to what was written. */
function filesNow(place: Place, memory: JournalMemory, areOpen: boolean): ReplayRequest[] {
  return Array.from({ length: memory.shards }, (_, shard) => {
    const files = shardFiles(place, shard, readShardManifest(place, shard)).map(({ path }) => ({
      path,
      end: Number.POSITIVE_INFINITY,
    }));
    if (areOpen) files[files.length - 1].end = new Journal(memory, shard, systemFiles).fileBytes();
    return { shard, files };
  });
}
