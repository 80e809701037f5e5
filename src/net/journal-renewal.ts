/**
 * After a sync has failed (R20): the system may have dropped bytes and forgotten it, so the files are worth nothing any more. What is in
 * memory is written into new ones; until they hold it writes are refused, reads are served.
 *
 * Not under `always`, for any shard or rule: there somebody may have been told of an effect that only the old files had. Writes stay
 * refused then until a restart, which finds out what the disk has.
 *
 *   turn     nobody else works on the files
 *   bases    the background thread writes everything as of now; writes are refused meanwhile, so nothing is missing later
 *   switch   all latches: new increments, the new files take the place of the old ones, the journals go on in them
 *
 * Invariant 1: whatever the crash, a start finds the old files (with what the disk has of them) or the new ones, complete.
 */
import type { Log } from '../admin/log.ts';
import type { SettingsStore } from '../admin/settings-store.ts';
import { closeQuietly, systemFiles } from '../env/files.ts';
import { JournalControl } from '../journal/journal-control.ts';
import { JOURNAL_STATE, type JournalMemory, JournalWords, openJournal } from '../journal/journal-memory.ts';
import type { ManifestFile } from '../persistence/aof-manifest.ts';
import { DamageError } from '../persistence/damage.ts';
import { dropUnfinished, finishReplacing, isHalfPlaced, type Place } from '../persistence/data-set.ts';
import { recoverShards, startOf } from '../persistence/recovery.ts';
import type { ShardAccess } from '../shard/shard-access.ts';
import { STATE } from '../shard/world.ts';
import { underAllLatchesSoon } from './all-latches.ts';
import { placeOf } from './data-home.ts';
import { endTurn, takeTurn, WORK } from './data-set-turn.ts';
import { writeBases } from './data-set-writer.ts';
import { isClaimed } from './folder-claim.ts';
import { promisesAlways, wantedPolicies } from './journal-switch.ts';
import { patientFiles } from './patient-files.ts';
import type { Snapshots } from './snapshots.ts';

const RETRY_MS = 1000;

export interface RenewalParts {
  settings: SettingsStore;
  access: ShardAccess;
  memory: JournalMemory;
  snapshots: Snapshots;
  log: Log;
}

export class JournalRenewal {
  private readonly parts: RenewalParts;
  private readonly control: JournalControl;
  private underWay = false;
  /** What the log has been told last. */
  private told = '';

  constructor(parts: RenewalParts) {
    this.parts = parts;
    this.control = new JournalControl(parts.memory);
  }

  /** A sync has failed: tries until the journals go on, or cannot. Each call after the first is for nothing. */
  begin(): void {
    if (this.underWay) return;
    this.underWay = true;
    this.told = '';
    void this.step();
  }

  private readonly step = async (): Promise<void> => {
    if (!this.isWanted()) {
      this.underWay = false;
      return;
    }
    const problem = await this.attempt();
    if (problem !== null && problem !== this.told) {
      this.told = problem;
      this.parts.log.line('warning', `The journal cannot be written anew: ${problem}`);
    }
    // looks again where it was not done, and whether another sync has failed meanwhile
    setTimeout(this.step, RETRY_MS).unref();
  };

  private isWanted(): boolean {
    const { access, settings, memory } = this.parts;
    if ((this.control.state & JOURNAL_STATE.syncFailed) === 0 || (access.stateBits() & STATE.shuttingDown) !== 0)
      return false;
    const place = placeOf(settings);
    return (
      settings.flag('appendonly') &&
      !promisesAlways(access, memory) &&
      isClaimed(access.process, place) &&
      !isHalfPlaced(place)
    );
  }

  /** Null: done, or somebody else has the files. */
  private async attempt(): Promise<string | null> {
    const { access, snapshots } = this.parts;
    if (snapshots.running || takeTurn(access.process, WORK.renewal) !== 0) return null;
    const place = placeOf(this.parts.settings);
    try {
      return await this.renew(place);
    } catch (error) {
      if (!(error instanceof DamageError) && !(error instanceof Error && 'syscall' in error)) throw error;
      return error.message;
    } finally {
      dropUnfinished(place);
      endTurn(access.process);
    }
  }

  private async renew(place: Place): Promise<string | null> {
    const { access, memory, snapshots } = this.parts;
    const written = await writeBases(place, memory.shards, snapshots, () => {});
    if (typeof written === 'string') return written;
    let failure: unknown = null;
    await underAllLatchesSoon(access, () => {
      try {
        this.goOn({ ...place, files: patientFiles }, written.bases);
      } catch (error) {
        failure = error; // the latches have to be given back
      }
    });
    if (failure !== null) throw failure;
    return null;
  }

  /** All latches are held. */
  private goOn(place: Place, bases: readonly ManifestFile[]): void {
    const { settings, memory } = this.parts;
    const words = Array.from({ length: memory.shards }, (_, shard) => new JournalWords(memory, shard));
    const starts = words.map((one) => one.loadHead());
    const oldFds = words.map(({ i32, fd }) => i32[fd]);
    const dataSet = finishReplacing(place, memory.shards, bases, starts);
    const policies = wantedPolicies(settings, memory.shards);
    for (const shard of recoverShards(place, dataSet, { loadTruncated: false, warn() {} }))
      openJournal(memory, shard.shard, startOf(shard, policies[shard.shard]));
    for (const fd of oldFds) if (fd >= 0) closeQuietly(systemFiles, fd);
    this.control.renewed();
  }
}
