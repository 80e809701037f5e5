/** A data set in memory with journals on it, as a server would have it: for tests of recovery. */
import { replaceFile } from '../../../src/env/files.ts';
import { Committer } from '../../../src/journal/committer.ts';
import { Journal, publishTransaction } from '../../../src/journal/journal.ts';
import { JournalControl } from '../../../src/journal/journal-control.ts';
import {
  createJournalMemory,
  type JournalMemory,
  openJournal,
  POLICY,
  type Policy,
} from '../../../src/journal/journal-memory.ts';
import { formatManifest, incrementFileName, manifestFileName } from '../../../src/persistence/aof-manifest.ts';
import {
  createDataSet,
  type DataSet,
  type Place,
  readDataSet,
  readShardManifest,
  shardFolder,
} from '../../../src/persistence/data-set.ts';
import { beginIncrement, prepareIncrement } from '../../../src/persistence/journal-file.ts';
import { recoverShards, startOf } from '../../../src/persistence/recovery.ts';
import { replayShard } from '../../../src/persistence/replay.ts';
import type { MemoryFiles } from '../journal/memory-files.ts';

export const PREFIX = 'appendonly.aof';

export function placeIn(files: MemoryFiles): Place {
  return { files, parent: '/data', folder: '/data/aof', prefix: PREFIX };
}

export const incrementPath = (shard: number, sequence = 1): string =>
  `/data/aof/shard-${shard}/${PREFIX}.${sequence}.incr.aof`;

export class JournalWorld {
  readonly files: MemoryFiles;
  readonly place: Place;
  readonly dataSet: DataSet;
  readonly memory: JournalMemory;
  readonly journals: Journal[];
  readonly control: JournalControl;
  readonly committer: Committer;
  readonly warnings: string[] = [];
  /** Replayed records by shard, as texts. */
  readonly replayed: string[][];
  nowMs = 0;
  /** Under the latches of a rotation: nothing can be appended. */
  inRotation = false;
  private sequence: number;

  /** Recovers what is in `files`, or makes a data set of `shards` shards. */
  constructor(files: MemoryFiles, shards: number, policy: Policy = POLICY.everysec, loadTruncated = true) {
    this.files = files;
    this.place = placeIn(files);
    this.dataSet = readDataSet(this.place) ?? createDataSet(this.place, shards);
    this.sequence = Math.max(...readShardManifest(this.place, 0).increments.map((file) => file.sequence));
    const warn = (text: string): void => void this.warnings.push(text);
    const recovered = recoverShards(this.place, this.dataSet, { loadTruncated, warn });
    this.replayed = recovered.map(({ files: shardFiles }) => {
      const records: string[] = [];
      replayShard(files, shardFiles, {
        apply: (db, args) => {
          records.push([db, ...Array.from({ length: args.count }, (_, i) => args.text(i))].join(' '));
          return true;
        },
        progress: () => {},
      });
      return records;
    });
    this.memory = createJournalMemory(this.dataSet.shards, { blockBytes: 256, chainBytes: 256 * 1024 });
    for (const shard of recovered) openJournal(this.memory, shard.shard, startOf(shard, policy));
    this.journals = recovered.map((_, shard) => new Journal(this.memory, shard, files));
    this.control = new JournalControl(this.memory);
    this.committer = new Committer({
      memory: this.memory,
      files,
      clock: { wallMs: () => this.nowMs, steadyMs: () => this.nowMs },
      ring: () => {},
      report: () => {},
    });
  }

  /** One unit: the record `SET <key> <value>` in each of the shards, as one transaction where there are several. */
  unit(shards: readonly number[], key: string, value: string): void {
    for (const shard of shards) {
      const journal = this.journals[shard];
      journal.begin(this.nowMs + 1);
      if (shards.length > 1) journal.transactionOpen();
      journal.command(0, 3);
      journal.argText('SET');
      journal.argText(key);
      journal.argText(value);
    }
    publishTransaction(shards.map((shard) => this.journals[shard]));
  }

  /** All journals go on in their next increments, as at the cut of a rewrite. */
  rotate(): void {
    const { files, place } = this;
    const shards = this.journals.length;
    const sequence = this.sequence + 1;
    const named = Array.from({ length: sequence }, (_, i) => ({
      name: incrementFileName(PREFIX, i + 1),
      sequence: i + 1,
    }));
    const fds = this.journals.map((_, shard) =>
      prepareIncrement({ files, folder: shardFolder(place, shard), prefix: PREFIX, sequence }),
    );
    const rotated = this.control.rotateJournals(
      this.journals,
      (shard, start) => beginIncrement(files, fds[shard], { shard, shards, start }),
      (shard) => {
        this.inRotation = true;
        const manifest = formatManifest({ base: null, increments: named });
        replaceFile(files, shardFolder(place, shard), manifestFileName(PREFIX), manifest);
        this.inRotation = false;
      },
    );
    if (rotated?.rotated !== shards) throw new Error('the journals cannot be rotated');
    this.sequence = sequence;
    for (const fd of [...rotated.oldFds, ...fds]) files.syncData(fd);
    this.control.endRotation(rotated.heads);
  }

  /** A second passes: the everysec round. */
  tick(): void {
    this.nowMs += 1000;
    this.committer.turn();
  }

  /** A round as `always` asks for it. */
  sync(): void {
    this.control.requestSync();
    this.committer.turn();
  }
}
