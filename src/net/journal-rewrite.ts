/**
 * The rewrite of the journal: each shard's files become one base, which holds the state at a moment, and an increment with every
 * record since.
 *
 *   before   base 1, increment 1            manifest: b1 i1
 *   cut      all latches: i1 written and synced, i2 begun, then        manifest: b1 i1 i2
 *   base     the background thread writes b2 out of the past
 *   after    manifest: b2 i2, the old files go
 *
 * Invariant 1: whatever the crash, a manifest names files that hold everything: the old ones with the new increment, or the new ones.
 * Invariant 2: when a manifest names a base, all shards are on stable storage up to the cut it was taken at (R17): the old
 *              increments were synced under the latches.
 * Invariant 3: no safe position moves between the cut and the moment when the manifests are on stable storage.
 */
import { statSync } from 'node:fs';
import type { Log } from '../admin/log.ts';
import { SAVE } from '../admin/save-state.ts';
import { systemClock } from '../env/clock.ts';
import { OPEN, replaceFile, systemFiles, writeAllParts } from '../env/files.ts';
import { Journal } from '../journal/journal.ts';
import { JournalControl } from '../journal/journal-control.ts';
import type { JournalMemory } from '../journal/journal-memory.ts';
import {
  formatManifest,
  incrementFileName,
  type ManifestFile,
  manifestFileName,
  rdbBaseFileName,
  type ShardManifest,
} from '../persistence/aof-manifest.ts';
import { type Place, readShardManifest, shardFolder } from '../persistence/data-set.ts';
import { beginIncrement, prepareIncrement } from '../persistence/journal-file.ts';
import { patientFiles } from './patient-files.ts';
import { type Cut, type Snapshots, WORKING_NAME } from './snapshots.ts';

export interface RewriteParts {
  place: Place;
  memory: JournalMemory;
  snapshots: Snapshots;
  /** Words of SAVE. */
  saves: Float64Array;
  log: Log;
}

/** What is known of a shard's files during the rewrite. */
interface ShardPlan {
  folder: string;
  old: ShardManifest;
  base: ManifestFile;
  increment: ManifestFile;
  /** The prepared increment. */
  fd: number;
}

/** Rewrites the journals of all shards. `started` is called once the moment is fixed. Null, or why it failed. */
export async function rewriteJournals(parts: RewriteParts, started: () => void): Promise<string | null> {
  const { saves, log } = parts;
  const begunMs = systemClock.wallMs();
  saves[SAVE.rewriteBegunMs] = begunMs;
  let problem: string | null = null;
  try {
    problem = await new Rewrite(parts).run(started);
  } catch (error) {
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    problem = error.message;
  }
  saves[SAVE.rewriteBegunMs] = 0;
  saves[SAVE.rewriteLastSeconds] = Math.round((systemClock.wallMs() - begunMs) / 1000);
  saves[SAVE.rewriteFailed] = problem === null ? 0 : 1;
  if (problem === null) saves[SAVE.rewrites]++;
  else log.line('warning', `Background AOF rewrite failed: ${problem}`);
  return problem;
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
  private readonly plans: ShardPlan[];

  constructor(parts: RewriteParts) {
    this.parts = parts;
    const { place, memory } = parts;
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
      fd: prepareIncrement({ files: systemFiles, folder, prefix: place.prefix, sequence }),
    };
  }

  async run(started: () => void): Promise<string | null> {
    const { snapshots } = this.parts;
    const cut = await this.rotate();
    if (cut === null) {
      this.forgetIncrements();
      return 'the journal cannot be written';
    }
    started();
    const result = await snapshots.write(
      cut,
      this.plans.map(({ folder, base }, shard) => ({
        shards: [shard],
        folder,
        workingName: WORKING_NAME,
        finalName: base.name,
      })),
    );
    if (result.problem !== '') return result.problem;
    this.finish();
    this.parts.log.line(
      'notice',
      `Background AOF rewrite finished successfully: ${result.keys} keys, ${result.fileBytes} bytes`,
    );
    return null;
  }

  /** The cut: all journals go on in their new increments. Null: the disk refused, and they go on in the old ones. */
  private async rotate(): Promise<Cut | null> {
    const { memory, snapshots } = this.parts;
    const control = new JournalControl(memory);
    const journals = Array.from({ length: memory.shards }, (_, shard) => new Journal(memory, shard, patientFiles));
    for (const plan of this.plans) this.writeManifest(plan);
    let oldFds: number[] = [];
    const cut = await snapshots.cut(() => {
      const rotated = control.rotateJournals(
        journals,
        patientFiles,
        (shard, start) => beginIncrement(patientFiles, this.plans[shard].fd, { shard, shards: memory.shards, start }),
        () => this.nameIncrements(),
      );
      oldFds = rotated?.oldFds ?? [];
      return rotated !== null;
    });
    if (cut === null) return null;
    for (const { fd, folder } of this.plans) {
      systemFiles.syncData(fd);
      systemFiles.syncFolder(folder);
    }
    control.endRotation();
    for (const fd of oldFds) systemFiles.close(fd);
    return cut;
  }

  /** Writes the manifest that the cut will put in place, under another name, to stable storage. */
  private writeManifest({ folder, old, increment }: ShardPlan): void {
    const content = formatManifest({ base: old.base, increments: [...old.increments, increment] });
    const path = `${folder}/temp-${this.manifest}`;
    systemFiles.remove(path);
    const fd = systemFiles.open(path, OPEN.create);
    writeAllParts(systemFiles, fd, [content], 0);
    systemFiles.syncData(fd);
    systemFiles.close(fd);
  }

  private get manifest(): string {
    return manifestFileName(this.parts.place.prefix);
  }

  private nameIncrements(): void {
    for (const { folder } of this.plans)
      patientFiles.rename(`${folder}/temp-${this.manifest}`, `${folder}/${this.manifest}`);
  }

  private forgetIncrements(): void {
    for (const { folder, fd, increment } of this.plans) {
      systemFiles.close(fd);
      systemFiles.remove(`${folder}/${increment.name}`);
      systemFiles.remove(`${folder}/temp-${this.manifest}`);
    }
  }

  /** The new bases go live, the old files go. */
  private finish(): void {
    for (const { folder, base, increment } of this.plans)
      replaceFile(systemFiles, folder, this.manifest, formatManifest({ base, increments: [increment] }));
    for (const { folder, old } of this.plans) {
      if (old.base !== null) systemFiles.remove(`${folder}/${old.base.name}`);
      for (const { name } of old.increments) systemFiles.remove(`${folder}/${name}`);
    }
  }
}
