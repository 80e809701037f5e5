/**
 * Where the data lives on disk, as the acceptor deals with it: opens or makes the data set, recovers it, has it replayed by the
 * shards' owners, opens the journals.
 */
import { resolve } from 'node:path';
import type { SettingsStore } from '../admin/settings-store.ts';
import { enumWord } from '../admin/settings-table.ts';
import { systemFiles } from '../env/files.ts';
import { Journal } from '../journal/journal.ts';
import type { JournalControl } from '../journal/journal-control.ts';
import { type JournalMemory, openJournal } from '../journal/journal-memory.ts';
import { journalPolicies } from '../journal/journal-policies.ts';
import type { LogLevel } from '../messages/thread-messages.ts';
import { createDataSet, type DataSet, type Place, readDataSet } from '../persistence/data-set.ts';
import { type RecoveredShard, recoverShards, startOf } from '../persistence/recovery.ts';
import type { ShardAccess } from '../shard/shard-access.ts';
import { SHARD_F64, STATE } from '../shard/world.ts';
import type { Supervisor } from './supervisor.ts';

export class DataHome {
  readonly place: Place;
  private readonly settings: SettingsStore;
  private readonly log: (level: LogLevel, text: string) => void;
  private dataSet: DataSet | null = null;
  private recovered: RecoveredShard[] = [];

  constructor(settings: SettingsStore, log: (level: LogLevel, text: string) => void) {
    this.settings = settings;
    this.log = log;
    const parent = resolve(settings.path('dir'));
    const folder = resolve(parent, settings.path('appenddirname'));
    this.place = { files: systemFiles, parent, folder, prefix: settings.path('appendfilename') };
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
      throw new Error(
        `The data set in ${this.place.folder} has ${this.dataSet.shards} shards, the setting shards says ${wished}. ` +
          'Their number is fixed when the data set is created.',
      );
    }
    return this.dataSet.shards;
  }

  /** Brings the files to their cut and opens the journals; false where nothing is journalled. Throws where data is damaged. */
  recover(memory: JournalMemory, control: JournalControl): boolean {
    if (this.dataSet === null) return false;
    const loadTruncated = this.settings.flag('aof-load-truncated');
    this.recovered = recoverShards(this.place, this.dataSet, { loadTruncated, warn: (text) => this.log('warning', text) });
    const policies = this.policies(memory.shards);
    for (const shard of this.recovered) openJournal(memory, shard.shard, startOf(shard, policies[shard.shard]));
    void control;
    return true;
  }

  private policies(shards: number) {
    return journalPolicies({
      appendonly: this.settings.flag('appendonly'),
      appendfsync: enumWord('appendfsync', this.settings.number('appendfsync')),
      shardPolicies: this.settings.text('shard-appendfsync'),
      shards,
    });
  }

  /** Has every shard replayed by its owner, all owners at once. */
  async replay(supervisor: Supervisor, workers: number, clock: { steadyMs(): number }): Promise<void> {
    const begun = clock.steadyMs();
    let commands = 0;
    await Promise.all(
      this.recovered.map(async ({ shard, files }) => {
        const owner = shard % workers;
        const done = supervisor.next(owner, 'replayed', (message) => message.shard === shard);
        supervisor.send(owner, { kind: 'replay', shard, files });
        commands += (await done).commands;
      }),
    );
    const seconds = ((clock.steadyMs() - begun) / 1000).toFixed(3);
    this.log('notice', `DB loaded from append only file: ${commands} records in ${seconds} seconds`);
  }

  /** Empties memory and replays the files as they are now (DEBUG RELOAD); null, or why that is not possible. */
  async reload(supervisor: Supervisor, access: ShardAccess, memory: JournalMemory, workers: number): Promise<string | null> {
    if (this.dataSet === null) return 'there is no append only file to reload from';
    underAllLatches(access, () => access.setState(STATE.loading, true));
    this.writeOut(memory);
    underAllLatches(access, () => {
      for (const space of access.spaces) for (let db = 0; db < space.databases; db++) space.flush(db);
      // no time has passed for the records that come now
      for (const header of access.headers) header.f64[SHARD_F64.newestMs] = 0;
    });
    for (const shard of this.recovered) {
      const last = shard.files[shard.files.length - 1];
      last.end = new Journal(memory, shard.shard, systemFiles).fileBytes();
    }
    await this.replay(supervisor, workers, { steadyMs: () => performance.now() });
    underAllLatches(access, () => access.setState(STATE.loading, false));
    return null;
  }

  /** Writes everything that is published to the files; used where nobody else will. */
  writeOut(memory: JournalMemory): void {
    for (let shard = 0; shard < memory.shards; shard++) {
      const journal = new Journal(memory, shard, systemFiles);
      for (let tries = 0; tries < 1000 && journal.enabled && journal.undrained(); tries++) journal.drain();
    }
  }
}

/** Runs `change` while this thread holds the latches of all shards; waits for them between tries without blocking for long. */
export function underAllLatches(access: ShardAccess, change: () => void): void {
  const word = new Int32Array(new SharedArrayBuffer(4));
  for (const latch of access.latches) while (!latch.acquireSpin(50)) Atomics.wait(word, 0, 0, 0.1);
  change();
  for (const latch of access.latches) latch.release();
}

