/**
 * The rewrite of the journal: each shard's files become one base, which holds the state at a moment, and an increment with every
 * record since.
 *
 *   before   base 1, increment 1            manifest: b1 i1
 *   cut      all latches: i1 written, i2 begun, then                   manifest: b1 i1 i2
 *   sync     no latch: i1, i2 and their names
 *   base     the background thread writes b2 out of the past
 *   after    manifest: b2 i2, the old files go, and what an interrupted rewrite has left
 *
 * Invariant 1: whatever the crash, a manifest names files that hold everything: the old ones with the new increment, or the new ones.
 * Invariant 2: when a manifest names a base, all shards are on stable storage up to the cut it was taken at (R17): the old
 *              increments were synced before the base was begun.
 * Invariant 3: no safe position moves between the cut and the moment when the old increments, the new ones and the manifests are on
 *              stable storage: whatever a loss of power leaves of them, recovery finds its cut at or behind every safe position.
 */
import { statSync } from 'node:fs';
import type { Log } from '../admin/log.ts';
import { SAVE } from '../admin/save-state.ts';
import type { SettingsStore } from '../admin/settings-store.ts';
import { systemClock } from '../env/clock.ts';
import { closeQuietly, removeQuietly, replaceFile, systemFiles, writeSynced } from '../env/files.ts';
import { Journal } from '../journal/journal.ts';
import { JournalControl } from '../journal/journal-control.ts';
import type { JournalMemory } from '../journal/journal-memory.ts';
import { type SaveFile, STOPPED } from '../messages/background-tasks.ts';
import {
  formatManifest,
  incrementFileName,
  type ManifestFile,
  manifestFileName,
  rdbBaseFileName,
  type ShardManifest,
} from '../persistence/aof-manifest.ts';
import { DamageError } from '../persistence/damage.ts';
import {
  DataSetError,
  dropUnfinished,
  type Place,
  readShardManifest,
  removeFolderQuietly,
  shardFolder,
  sweepShard,
} from '../persistence/data-set.ts';
import { beginIncrement, prepareIncrement } from '../persistence/journal-file.ts';
import type { ShardAccess } from '../shard/shard-access.ts';
import { ELSEWHERE, placeOf } from './data-home.ts';
import { writeDataSet } from './data-set-writer.ts';
import { claimOnce, isClaimed } from './folder-claim.ts';
import { CANNOT_WRITE } from './journal-switch.ts';
import { patientFiles } from './patient-files.ts';
import { type Cut, type Snapshots, WORKING_NAME } from './snapshots.ts';

export interface RewriteParts {
  settings: SettingsStore;
  access: ShardAccess;
  memory: JournalMemory;
  snapshots: Snapshots;
  /** Words of SAVE. */
  saves: Float64Array;
  log: Log;
}

type Rotated = NonNullable<ReturnType<JournalControl['rotateJournals']>>;

/** What is known of a shard's files during the rewrite. */
interface ShardPlan {
  folder: string;
  old: ShardManifest;
  base: ManifestFile;
  increment: ManifestFile;
  /** The prepared increment; -1: not prepared yet. */
  fd: number;
}

/** Rewrites the journals of all shards. `started` is called once the moment is fixed. Null, or why it failed. */
export function rewriteJournals(parts: RewriteParts, started: () => void): Promise<string | null> {
  return timed(parts, async () => new Rewrite(parts).run(started));
}

/** Notes for INFO how a rewrite goes; null, or why it failed. */
async function timed({ saves, log }: RewriteParts, rewrite: () => Promise<string | null>): Promise<string | null> {
  const begunMs = systemClock.wallMs();
  saves[SAVE.rewriteBegunMs] = begunMs;
  let problem: string | null = null;
  try {
    problem = await rewrite();
  } catch (error) {
    const isKnown = error instanceof DamageError || error instanceof DataSetError;
    if (!isKnown && !(error instanceof Error && 'syscall' in error)) throw error;
    problem = error.message;
  }
  saves[SAVE.rewriteBegunMs] = 0;
  saves[SAVE.rewriteLastSeconds] = Math.round((systemClock.wallMs() - begunMs) / 1000);
  if (problem !== STOPPED) saves[SAVE.rewriteFailed] = problem === null ? 0 : 1;
  if (problem === null) saves[SAVE.rewrites]++;
  else log.line('warning', `Background AOF rewrite failed: ${problem}`);
  return problem;
}

/** With the journal switched off: writes a data set as of now, which a start with `appendonly yes` would load; as in Redis. */
export function writeUnused(parts: RewriteParts, started: () => void): Promise<string | null> {
  const { settings, access, memory, snapshots } = parts;
  return timed(parts, async () => {
    const place = placeOf(settings);
    const inUse = claimOnce(access.process, place);
    if (inUse !== null) return inUse;
    try {
      const written = await writeDataSet(place, memory.shards, snapshots, started);
      if (typeof written === 'string') return written;
      if (written.aside !== null) removeFolderQuietly(systemFiles, written.aside);
      return null;
    } finally {
      dropUnfinished(place);
    }
  });
}

/** Bytes of the base files of a data set. */
export function baseBytes(place: Place, shards: number): number {
  let bytes = 0;
  for (let shard = 0; shard < shards; shard++) {
    const { base } = readShardManifest(place, shard);
    if (base !== null) bytes += statSync(`${shardFolder(place, shard)}/${base.name}`).size;
  }
  return bytes;
}

class Rewrite {
  private readonly parts: RewriteParts;
  private readonly place: Place;
  private readonly plans: ShardPlan[];

  constructor(parts: RewriteParts) {
    this.parts = parts;
    const { settings, access, memory } = parts;
    const place = placeOf(settings);
    if (!isClaimed(access.process, place)) throw new DataSetError(ELSEWHERE);
    this.place = place;
    this.plans = Array.from({ length: memory.shards }, (_, shard) => this.plan(place, shard));
  }

  private plan(place: Place, shard: number): ShardPlan {
    const old = readShardManifest(place, shard);
    const sequence = 1 + Math.max(old.base?.sequence ?? 0, ...old.increments.map((file) => file.sequence));
    const folder = shardFolder(place, shard);
    return {
      folder,
      old,
      base: { name: rdbBaseFileName(place.prefix, sequence), sequence },
      increment: { name: incrementFileName(place.prefix, sequence), sequence },
      fd: -1,
    };
  }

  async run(started: () => void): Promise<string | null> {
    const { snapshots } = this.parts;
    const rotation = await this.rotate();
    if (rotation === null) {
      this.forgetIncrements();
      return CANNOT_WRITE;
    }
    const { cut, isWhole } = rotation;
    if (!isWhole) return this.giveUp(cut);
    started();
    const result = await snapshots.write(cut, this.saveFiles(), false);
    if (result.problem !== '') return result.problem;
    this.finish();
    this.parts.log.line(
      'notice',
      `Background AOF rewrite finished successfully: ${result.keys} keys, ${result.fileBytes} bytes`,
    );
    return null;
  }

  private saveFiles(): SaveFile[] {
    return this.plans.map(({ folder, base }, shard) => ({
      shards: [shard],
      folder,
      workingName: WORKING_NAME,
      finalName: base.name,
    }));
  }

  /**
   * The cut: all journals go on in their new increments. Null: the disk refused, and they go on in the old ones. Not whole: it refused
   * later; some journals go on in the old ones, or nothing could be synced and writes are refused from now on.
   */
  private async rotate(): Promise<{ cut: Cut; isWhole: boolean } | null> {
    const { memory, snapshots } = this.parts;
    const control = new JournalControl(memory);
    const journals = Array.from({ length: memory.shards }, (_, shard) => new Journal(memory, shard, patientFiles));
    this.prepare();
    let rotated: Rotated | null = null;
    const rotate = (): boolean => {
      rotated = control.rotateJournals(
        journals,
        (shard, start) => beginIncrement(patientFiles, this.plans[shard].fd, { shard, shards: memory.shards, start }),
        (shard) => this.nameIncrement(shard),
      );
      return rotated !== null;
    };
    const cut = await snapshots.cut(rotate).catch((error) => {
      this.forgetIncrements();
      throw error;
    });
    const done = rotated as Rotated | null;
    if (cut === null || done === null) return null;
    const isSynced = await this.syncRotated(control, done);
    this.forgetIncrements(done.rotated);
    return { cut, isWhole: isSynced && done.rotated === memory.shards };
  }

  /** Makes the files of the new increments and the manifests that will name them. */
  private prepare(): void {
    const { prefix } = this.place;
    try {
      for (const plan of this.plans) {
        plan.fd = prepareIncrement({
          files: systemFiles,
          folder: plan.folder,
          prefix,
          sequence: plan.increment.sequence,
        });
        this.writeManifest(plan);
      }
    } catch (error) {
      this.forgetIncrements();
      throw error;
    }
  }

  /** Brings old and new increments and their names to stable storage; then safe positions move again. False: the disk refused (R20). */
  private async syncRotated(control: JournalControl, { heads, oldFds, rotated }: Rotated): Promise<boolean> {
    const newFds = this.plans.map(({ fd }) => fd);
    const fds = [...oldFds, ...newFds].filter((fd) => fd >= 0);
    const { errno, fd } = await this.parts.snapshots.sync({ fds, folders: this.plans.map(({ folder }) => folder) });
    if (errno !== 0) {
      const index = newFds.includes(fd) ? newFds.indexOf(fd) : oldFds.indexOf(fd);
      control.reportSyncFailure(Math.max(index, 0), errno);
    }
    control.endRotation(errno === 0 ? heads : null);
    for (const old of oldFds.slice(0, rotated)) if (old >= 0) closeQuietly(systemFiles, old);
    return errno === 0;
  }

  /** Lets the past of the cut go without having written it. */
  private async giveUp(cut: Cut): Promise<string> {
    const { snapshots, saves } = this.parts;
    saves[SAVE.stop] = 1;
    await snapshots.write(cut, this.saveFiles(), false);
    return CANNOT_WRITE;
  }

  /** Writes the manifest that the cut will put in place, under another name, to stable storage. */
  private writeManifest({ folder, old, increment }: ShardPlan): void {
    const content = formatManifest({ base: old.base, increments: [...old.increments, increment] });
    writeSynced(systemFiles, `${folder}/temp-${this.manifest}`, content);
  }

  private get manifest(): string {
    return manifestFileName(this.place.prefix);
  }

  private nameIncrement(shard: number): void {
    const { folder } = this.plans[shard];
    patientFiles.rename(`${folder}/temp-${this.manifest}`, `${folder}/${this.manifest}`);
  }

  /** Takes back what was prepared for the shards from `first` on, which go on in their old files. */
  private forgetIncrements(first = 0): void {
    for (const { folder, fd, increment } of this.plans.slice(first)) {
      if (fd >= 0) closeQuietly(systemFiles, fd);
      removeQuietly(systemFiles, `${folder}/${increment.name}`);
      removeQuietly(systemFiles, `${folder}/temp-${this.manifest}`);
    }
  }

  /** The new bases go live, the old files go. */
  private finish(): void {
    for (const { folder, base, increment } of this.plans)
      replaceFile(systemFiles, folder, this.manifest, formatManifest({ base, increments: [increment] }));
    for (let shard = 0; shard < this.plans.length; shard++) sweepShard(this.place, shard);
  }
}
