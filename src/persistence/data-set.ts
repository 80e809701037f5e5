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
 * Invariant 2: skein.manifest is written last: without it nothing here has ever been acknowledged.
 */
import { crc32 } from 'node:zlib';
import { type Files, OPEN, readWhole, replaceFile, writeAllParts } from '../env/files.ts';
import { random32, randomHex } from '../env/random.ts';
import { FORMAT_VERSION, formatFileLine, MAX_FILE_LINE_BYTES } from './aof-lines.ts';
import {
  formatManifest,
  incrementFileName,
  type ManifestFile,
  manifestFileName,
  parseManifest,
  type ShardManifest,
} from './aof-manifest.ts';
import { DamageError, type ShardFile } from './scan.ts';

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

const TOP_MANIFEST = 'skein.manifest';

export function shardFolder(place: Place, shard: number): string {
  return `${place.folder}/shard-${shard}`;
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
  if (place.files.exists(path)) return parseTopManifest(path, readWhole(place.files, path));
  const stock = [`${place.folder}/${manifestFileName(place.prefix)}`, `${place.parent}/${place.prefix}`];
  for (const foreign of stock)
    if (place.files.exists(foreign))
      throw new DataSetError(
        `${foreign} was written by a Redis server; this version cannot load it. Move it away to start empty.`,
      );
  return null;
}

/** Makes an empty data set of `shards` shards. Overwrites what an interrupted creation left; refuses to overwrite records. */
export function createDataSet(place: Place, shards: number): DataSet {
  const { files, folder, parent } = place;
  refuseRecords(place);
  files.makeFolder(folder);
  files.syncFolder(parent);
  for (let shard = 0; shard < shards; shard++) {
    const shardPath = shardFolder(place, shard);
    files.makeFolder(shardPath);
    for (const name of files.list(shardPath)) files.remove(`${shardPath}/${name}`);
    const increment = createIncrement(place, { shard, shards, start: 0, sequence: 1 });
    files.close(increment.fd);
    writeShardManifest(place, shard, { base: null, increments: [increment.file] });
  }
  const dataSet = { shards, id: randomHex(16) };
  replaceFile(files, folder, TOP_MANIFEST, formatTopManifest(dataSet));
  return dataSet;
}

/** Without skein.manifest there may be shard folders only if nothing was ever recorded in them. */
function refuseRecords(place: Place): void {
  const { files, folder } = place;
  for (const name of files.list(folder)) {
    if (!/^shard-\d+$/.test(name)) continue;
    for (const file of files.list(`${folder}/${name}`)) {
      const path = `${folder}/${name}/${file}`;
      if (!file.endsWith('.aof')) continue;
      const fd = files.open(path, OPEN.read);
      const bytes = files.size(fd);
      files.close(fd);
      if (bytes > MAX_FILE_LINE_BYTES)
        throw new DataSetError(`${path} holds records, but ${folder}/${TOP_MANIFEST} is missing; nothing was changed`);
    }
  }
}

export interface NewIncrement {
  fd: number;
  salt: number;
  fileBytes: number;
  file: ManifestFile;
}

/** Creates an increment with its first line, on stable storage and open, but not yet named by the manifest. */
export function createIncrement(
  place: Place,
  from: { shard: number; shards: number; start: number; sequence: number },
): NewIncrement {
  return createJournalFile(place, incrementFileName(place.prefix, from.sequence), from);
}

/** The same with a name of the caller's choice. */
export function createJournalFile(
  place: Place,
  name: string,
  from: { shard: number; shards: number; start: number; sequence: number },
): NewIncrement {
  const { files } = place;
  const folder = shardFolder(place, from.shard);
  const salt = random32();
  const line = formatFileLine({ shard: from.shard, shards: from.shards, start: from.start, salt });
  const fileBytes = line.length;
  files.remove(`${folder}/${name}`);
  const fd = files.open(`${folder}/${name}`, OPEN.create);
  writeAllParts(files, fd, [line], 0);
  files.syncData(fd);
  files.syncFolder(folder);
  return { fd, salt, fileBytes, file: { name, sequence: from.sequence } };
}

export function writeShardManifest(place: Place, shard: number, manifest: ShardManifest): void {
  replaceFile(place.files, shardFolder(place, shard), manifestFileName(place.prefix), formatManifest(manifest));
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
