/** Writes what is in memory as a new data set: a snapshot of each shard as its base, and an empty increment. */
import { type ManifestFile, rdbBaseFileName } from '../persistence/aof-manifest.ts';
import { beginMaking, type DataSet, finishMaking, type Place } from '../persistence/data-set.ts';
import { type Snapshots, WORKING_NAME } from './snapshots.ts';

export interface WrittenDataSet {
  dataSet: DataSet;
  /** Where the data set is now that was there before; null: there was none. */
  aside: string | null;
  keys: number;
  fileBytes: number;
}

/**
 * Makes the data set and puts it in its place; `started` is called once the moment is fixed. No journal may be open. A text: why it
 * failed. Throws the system's errors.
 */
export async function writeDataSet(
  place: Place,
  shards: number,
  snapshots: Snapshots,
  started: () => void,
): Promise<WrittenDataSet | string> {
  const written = await writeBases(place, shards, snapshots, started);
  if (typeof written === 'string') return written;
  return { ...finishMaking(place, shards, written.bases), keys: written.keys, fileBytes: written.fileBytes };
}

/** The bases alone, under the working name of the data set: what `finishMaking` or `finishReplacing` asks for. */
export async function writeBases(
  place: Place,
  shards: number,
  snapshots: Snapshots,
  started: () => void,
): Promise<{ bases: ManifestFile[]; keys: number; fileBytes: number } | string> {
  const folders = beginMaking(place, shards);
  const base = { name: rdbBaseFileName(place.prefix, 1), sequence: 1 };
  const cut = await snapshots.cut(() => true);
  if (cut === null) throw new Error('data set: a cut was refused that nothing could refuse');
  started();
  const files = folders.map((folder, shard) => ({
    shards: [shard],
    folder,
    workingName: WORKING_NAME,
    finalName: base.name,
  }));
  const { problem, keys, fileBytes } = await snapshots.write(cut, files, false);
  if (problem !== '') return problem;
  const bases = folders.map(() => base);
  return { bases, keys, fileBytes };
}
