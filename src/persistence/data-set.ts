/**
 * The folder of a data set (`<dir>/<appenddirname>`): its own manifest with the number of shards (R19), and a folder per shard that a stock
 * redis-server can load.
 *
 *   skein.manifest                        format, number of shards, identity                       replaced as a whole
 *   shard-0/appendonly.aof.manifest       which files, in order (aof-manifest.ts)                  replaced as a whole
 *   shard-0/appendonly.aof.1.base.aof     state at some position; there need not be one            never changed
 *   shard-0/appendonly.aof.1.incr.aof     every record since                                       appended, cut at recovery
 *
 * Invariant 1: a file is named by a manifest only after its content and its name are on stable storage.
 * Invariant 2: a data set appears as a whole: it is made under another name, synced, then renamed. What an interrupted creation left
 *              is thrown away by the next.
 */
import { crc32 } from 'node:zlib';
import { type Files, readWhole, replaceFile } from '../env/files.ts';
import { randomHex } from '../env/random.ts';
import type { JournalMemory } from '../journal/journal-memory.ts';
import { FORMAT_VERSION } from './aof-lines.ts';
import {
  formatManifest,
  type ManifestFile,
  manifestFileName,
  parseManifest,
  type ShardManifest,
} from './aof-manifest.ts';
import { DamageError } from './damage.ts';
import { BaseWriter, baseRoom, createIncrement, type FileOrder } from './journal-file.ts';
import type { ShardFile } from './scan.ts';

/** Where a data set lies. */
export interface Place {
  files: Files;
  /** The folder above, existing (`dir`). */
  parent: string;
  /** The data set's folder (`dir`/`appenddirname`). */
  folder: string;
  /** `appendfilename`: what the names of the files begin with. */
  prefix: string;
}

export interface DataSet {
  shards: number;
  /** 32 hexadecimal digits, made with the data set. */
  id: string;
}

/** The folder cannot be used as it is; the text says what is in the way. */
export class DataSetError extends Error {}

export const TOP_MANIFEST = 'skein.manifest';

export function shardFolder(place: Place, shard: number): string {
  return `${place.folder}/${shardFolderName(shard)}`;
}

function shardFolderName(shard: number): string {
  return `shard-${shard}`;
}

export function formatTopManifest({ shards, id }: DataSet): Buffer {
  const text = `skein-data ${FORMAT_VERSION}\nshards ${shards}\nid ${id}\n`;
  return Buffer.from(`${text}crc32 ${crc32(text).toString(16).padStart(8, '0')}\n`, 'latin1');
}

function parseTopManifest(path: string, content: Buffer): DataSet {
  const match = /^(skein-data (\d{1,9})\nshards (\d{1,4})\nid ([0-9a-f]{32})\n)crc32 ([0-9a-f]{8})\n$/.exec(
    content.toString('latin1'),
  );
  if (match === null) throw new DamageError(path, 0, 'it is not a manifest of a data set');
  if (crc32(match[1]).toString(16).padStart(8, '0') !== match[5])
    throw new DamageError(path, 0, 'its checksum is wrong');
  if (Number(match[2]) !== FORMAT_VERSION)
    throw new DataSetError(`${path}: format ${match[2]} is not known to this version`);
  return { shards: Number(match[3]), id: match[4] };
}

/** The data set in the place; null where there is none (yet, or not completely made). Throws DamageError, DataSetError. */
export function readDataSet(place: Place): DataSet | null {
  const path = `${place.folder}/${TOP_MANIFEST}`;
  adoptFinished(place);
  if (place.files.exists(path)) return parseTopManifest(path, readWhole(place.files, path));
  const stock = [`${place.folder}/${manifestFileName(place.prefix)}`, `${place.parent}/${place.prefix}`];
  for (const foreign of stock)
    if (place.files.exists(foreign))
      throw new DataSetError(
        `${foreign} was written by a Redis server; this version cannot load it. Move it away to start empty.`,
      );
  return null;
}

/** Writes the state of one shard as records: `writer.journal.command…`, `writer.next()` after each. */
export type StateSource = (shard: number, writer: BaseWriter) => void;

/**
 * Makes a data set of `shards` shards, empty or with a state from `source` as its bases. Refuses to overwrite another (DataSetError).
 * `starts`: by shard, the position of the first record (0), for journals that were open before.
 */
export function createDataSet(
  place: Place,
  shards: number,
  source: StateSource | null = null,
  starts: readonly number[] = [],
): DataSet {
  refuseShards(place);
  const dataSet = makeDataSet(place, shards, source, starts);
  place.files.rename(`${place.folder}.making`, place.folder);
  place.files.syncFolder(place.parent);
  return dataSet;
}

/**
 * The same over a data set that may be there, which is removed when the new one is complete. A crash on the way leaves the old one or the
 * new one.
 */
export function replaceDataSet(
  place: Place,
  shards: number,
  source: StateSource,
  starts: readonly number[] = [],
): DataSet {
  const { files, folder, parent } = place;
  const dataSet = makeDataSet(place, shards, source, starts);
  const aside = files.exists(folder) ? setAside(place) : null;
  files.rename(`${folder}.making`, folder);
  files.syncFolder(parent);
  if (aside !== null) files.removeFolder(aside);
  return dataSet;
}

/** The data set, complete and synced, under its working name. */
function makeDataSet(place: Place, shards: number, source: StateSource | null, starts: readonly number[]): DataSet {
  const { files, folder, prefix } = place;
  const making = `${folder}.making`;
  const room = source === null ? null : baseRoom();
  files.removeFolder(making);
  files.makeFolder(making);
  for (let shard = 0; shard < shards; shard++) {
    const shardPath = `${making}/${shardFolderName(shard)}`;
    files.makeFolder(shardPath);
    const order = { files, folder: shardPath, prefix, sequence: 1, shard, shards, start: 0 };
    const base = source === null || room === null ? null : writeBase(order, room, source);
    const increment = createIncrement({ ...order, start: starts[shard] ?? 0 });
    files.close(increment.fd);
    replaceFile(files, shardPath, manifestFileName(prefix), formatManifest({ base, increments: [increment.file] }));
  }
  const dataSet = { shards, id: randomHex(16) };
  replaceFile(files, making, TOP_MANIFEST, formatTopManifest(dataSet));
  return dataSet;
}

/** A data set that was made in the place of one that was set aside: the process ended between the two renames. */
function adoptFinished({ files, folder, parent }: Place): void {
  if (files.exists(folder) || !files.exists(`${folder}.making/${TOP_MANIFEST}`)) return;
  files.rename(`${folder}.making`, folder);
  files.syncFolder(parent);
}

/** Shard folders without skein.manifest: somebody took it away, or the folder is of something else. */
function refuseShards({ files, folder }: Place): void {
  const found = files.list(folder).find((name) => /^shard-\d+$/.test(name));
  if (found !== undefined)
    throw new DataSetError(`${folder}/${found} exists, but ${folder}/${TOP_MANIFEST} is missing; nothing was changed`);
}

function writeBase(order: FileOrder, room: JournalMemory, source: StateSource): ManifestFile {
  const writer = new BaseWriter(order, room);
  source(order.shard, writer);
  return writer.finish();
}

/**
 * Puts the data set aside, whole, so that another can be made in its place (a new number of shards, appendonly switched on again).
 * Returns where it is now.
 */
export function setAside(place: Place): string {
  const aside = `${place.folder}.old-${randomHex(4)}`;
  place.files.rename(place.folder, aside);
  place.files.syncFolder(place.parent);
  return aside;
}

/** The manifest of a shard; throws DamageError. */
export function readShardManifest(place: Place, shard: number): ShardManifest {
  const path = `${shardFolder(place, shard)}/${manifestFileName(place.prefix)}`;
  if (!place.files.exists(path)) throw new DamageError(path, 0, 'it is missing');
  try {
    return parseManifest(readWhole(place.files, path));
  } catch (error) {
    throw new DamageError(path, 0, error instanceof Error ? error.message : String(error));
  }
}

/** The files of a shard in the order of loading. */
export function shardFiles(place: Place, shard: number, manifest: ShardManifest): ShardFile[] {
  const folder = shardFolder(place, shard);
  const files = manifest.increments.map(({ name }) => ({ path: `${folder}/${name}`, isBase: false }));
  if (manifest.base !== null) files.unshift({ path: `${folder}/${manifest.base.name}`, isBase: true });
  for (const { path } of files)
    if (!place.files.exists(path)) throw new DamageError(path, 0, 'the manifest names it, but it is missing');
  return files;
}
