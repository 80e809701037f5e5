/**
 * The folder of a data set (`<dir>/<appenddirname>`): its own manifest with the number of shards (R19), and a folder per shard that a stock
 * redis-server can load.
 *
 *   skein.manifest                        format, number of shards, identity                       replaced as a whole
 *   shard-0/appendonly.aof.manifest       which files, in order (aof-manifest.ts)                  replaced as a whole
 *   shard-0/appendonly.aof.1.base.aof     state at some position; there need not be one            never changed
 *   shard-0/appendonly.aof.1.incr.aof     every record since                                       appended, cut at recovery
 *   skein.taken-over                      only where files of a Redis server lie beside it: what they were (redis-files.ts)
 *
 * Invariant 1: a file is named by a manifest only after its content and its name are on stable storage.
 * Invariant 2: a data set appears as a whole: it is made under another name, synced, then renamed or, where other files lie in the
 *              folder, moved into it, skein.manifest last; a start goes on with a move that was interrupted. What an interrupted
 *              creation left is thrown away by the next.
 */
import { crc32 } from 'node:zlib';
import { type Files, readWhole, removeQuietly, replaceFile } from '../env/files.ts';
import { randomHex } from '../env/random.ts';
import { FORMAT_VERSION } from './aof-lines.ts';
import {
  formatManifest,
  isJournalFile,
  type ManifestFile,
  manifestFileName,
  readManifest,
  type ShardManifest,
} from './aof-manifest.ts';
import { DamageError } from './damage.ts';
import { BaseWriter, baseRoom, createIncrement } from './journal-file.ts';
import { describeRedisFiles, TAKEN_OVER } from './redis-files.ts';
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
/** A data set that another one has replaced lies in a folder whose name begins so; one that nobody asked to keep, so. */
const ASIDE = 'skein-old-';
const GOING = 'skein-gone-';

export function shardFolder(place: Place, shard: number): string {
  return `${place.folder}/${shardFolderName(shard)}`;
}

export function shardFolderName(shard: number): string {
  return `shard-${shard}`;
}

export function formatTopManifest({ shards, id }: DataSet): Buffer {
  const text = `skein-data ${FORMAT_VERSION}\nshards ${shards}\nid ${id}\n`;
  return Buffer.from(`${text}crc32 ${crc32(text).toString(16).padStart(8, '0')}\n`, 'latin1');
}

export function parseTopManifest(path: string, content: Buffer): DataSet {
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
  return place.files.exists(path) ? parseTopManifest(path, readWhole(place.files, path)) : null;
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
  return replaceDataSet(place, shards, source, starts);
}

/**
 * The same over a data set that may be there, which is removed when the new one is complete. A crash on the way leaves the old one or the
 * new one. Files of others in the folder stay.
 */
export function replaceDataSet(
  place: Place,
  shards: number,
  source: StateSource | null,
  starts: readonly number[] = [],
): DataSet {
  try {
    beginMaking(place, shards);
    const bases = source === null ? [] : writeBases(place, shards, source);
    return finishReplacing(place, shards, bases, starts);
  } catch (error) {
    dropUnfinished(place);
    throw error;
  }
}

/** As finishMaking; what was there before goes. */
export function finishReplacing(
  place: Place,
  shards: number,
  bases: readonly ManifestFile[],
  starts: readonly number[],
): DataSet {
  const { dataSet } = finishMaking(place, shards, bases, starts, GOING);
  sweepReplaced(place);
  return dataSet;
}

/** A complete data set is on its way into the folder and could not get there: the next start takes it, nothing else may. */
export function isHalfPlaced({ files, folder }: Place): boolean {
  return files.exists(`${folder}.making/${TOP_MANIFEST}`) && !files.exists(`${folder}/${TOP_MANIFEST}`);
}

/** Removes what data sets were before, where one of them, or a step of its replacement, was left behind. A complete one is in place. */
export function sweepReplaced({ files, folder }: Place): void {
  for (const name of files.list(folder)) if (name.startsWith(GOING)) removeFolderQuietly(files, `${folder}/${name}`);
}

/** A data set that is not complete is worth nothing, and its bytes may be what a full disk lacks. */
export function dropUnfinished({ files, folder }: Place): void {
  // a complete one may have begun to take its place: then a start goes on with it
  if (!files.exists(`${folder}.making/${TOP_MANIFEST}`)) removeFolderQuietly(files, `${folder}.making`);
}

/** Removes a data set, and one that was complete and could not take its place. */
export function removeDataSet({ files, folder }: Place): void {
  for (const path of [folder, `${folder}.making`]) removeFolderQuietly(files, path);
}

/** What a data set was before: if it cannot be removed it lies there, in nobody's way. */
export function removeFolderQuietly(files: Files, path: string): void {
  try {
    files.removeFolder(path);
  } catch {
    // see above
  }
}

/** Makes the empty folders of a data set under its working name; returns that of each shard. */
export function beginMaking({ files, folder }: Place, shards: number): string[] {
  const making = `${folder}.making`;
  files.removeFolder(making);
  files.makeFolder(making);
  return Array.from({ length: shards }, (_, shard) => {
    const path = `${making}/${shardFolderName(shard)}`;
    files.makeFolder(path);
    return path;
  });
}

/**
 * Completes what `beginMaking` began: `bases` by shard, which are in its folders and on stable storage. Then it takes its place; `aside`:
 * where the data set is now that was there before.
 */
export function finishMaking(
  place: Place,
  shards: number,
  bases: readonly ManifestFile[],
  starts: readonly number[] = [],
  asideName = ASIDE,
): { dataSet: DataSet; aside: string | null } {
  const { files, folder, prefix } = place;
  const making = `${folder}.making`;
  for (let shard = 0; shard < shards; shard++) {
    const shardPath = `${making}/${shardFolderName(shard)}`;
    const order = { files, folder: shardPath, prefix, sequence: 1, shard, shards, start: starts[shard] ?? 0 };
    const increment = createIncrement(order);
    files.close(increment.fd);
    const manifest = formatManifest({ base: bases[shard] ?? null, increments: [increment.file] });
    replaceFile(files, shardPath, manifestFileName(prefix), manifest);
  }
  const known = describeRedisFiles(place);
  if (known.length > 0) replaceFile(files, making, TAKEN_OVER, known);
  const dataSet = { shards, id: randomHex(16) };
  replaceFile(files, making, TOP_MANIFEST, formatTopManifest(dataSet));
  return { dataSet, aside: takePlace(place, asideName) };
}

function writeBases({ files, folder, prefix }: Place, shards: number, source: StateSource): ManifestFile[] {
  const room = baseRoom();
  return Array.from({ length: shards }, (_, shard) => {
    const shardPath = `${folder}.making/${shardFolderName(shard)}`;
    const writer = new BaseWriter({ files, folder: shardPath, prefix, sequence: 1, shard, shards, start: 0 }, room);
    try {
      source(shard, writer);
      return writer.finish();
    } catch (error) {
      writer.abandon();
      throw error;
    }
  });
}

/**
 * Moves a complete data set from its working name to where it belongs; one that is there goes into a folder of its own, whose path is
 * returned. Every step may be the last before a crash: `adoptFinished` begins anew, and finds what is still to be moved.
 */
function takePlace(place: Place, asideName = ASIDE): string | null {
  const { files, folder, parent } = place;
  const making = `${folder}.making`;
  if (!files.exists(folder) || files.list(folder).length === 0) {
    files.rename(making, folder);
    files.syncFolder(parent);
    return null;
  }
  const { shards } = parseTopManifest(making, readWhole(files, `${making}/${TOP_MANIFEST}`));
  const incoming = new Set(files.list(making));
  const aside = `${folder}/${asideName}${randomHex(4)}`;
  const present = files.list(folder);
  const old = present.filter((name) => {
    if (name === TOP_MANIFEST) return true;
    if (name === TAKEN_OVER) return incoming.has(name) || present.includes(TOP_MANIFEST);
    // of two with one name that in the folder is the old one; what the new one has not got is old, or has been moved already
    const index = /^shard-(\d+)$/.exec(name)?.[1];
    return index !== undefined && (incoming.has(name) || Number(index) >= shards);
  });
  if (old.includes(TOP_MANIFEST)) old.unshift(...old.splice(old.indexOf(TOP_MANIFEST), 1));
  if (old.length > 0) files.makeFolder(aside);
  for (const name of old) files.rename(`${folder}/${name}`, `${aside}/${name}`);
  files.syncFolder(folder);
  const names = [...incoming].filter((name) => name !== TOP_MANIFEST && !name.startsWith('temp-'));
  for (const name of names) files.rename(`${making}/${name}`, `${folder}/${name}`);
  files.syncFolder(folder);
  files.rename(`${making}/${TOP_MANIFEST}`, `${folder}/${TOP_MANIFEST}`);
  files.syncFolder(folder);
  files.removeFolder(making);
  files.syncFolder(parent);
  return old.length > 0 ? aside : null;
}

/** A data set that is complete but has not, or not wholly, taken its place: the process ended before it could. */
function adoptFinished(place: Place): void {
  const { files, folder } = place;
  if (!isHalfPlaced(place)) return;
  // what somebody began to put out of the way, to be removed, goes that way as a whole
  takePlace(place, files.list(folder).some((name) => name.startsWith(GOING)) ? GOING : ASIDE);
}

/** Shard folders without skein.manifest: somebody took it away, or the folder is of something else. */
function refuseShards({ files, folder }: Place): void {
  const found = files.list(folder).find((name) => /^shard-\d+$/.test(name));
  if (found !== undefined)
    throw new DataSetError(`${folder}/${found} exists, but ${folder}/${TOP_MANIFEST} is missing; nothing was changed`);
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

/**
 * Removes what rewrites have left in a shard's folder: files named like those of a journal that its manifest does not name. Not before
 * that manifest is sure to be the one that a loss of power leaves.
 */
export function sweepShard(place: Place, shard: number): void {
  const { files, prefix } = place;
  const folder = shardFolder(place, shard);
  const { base, increments } = readShardManifest(place, shard);
  const named = new Set([base, ...increments].map((file) => file?.name));
  const isLeft = (name: string): boolean =>
    !named.has(name) && (isJournalFile(prefix, name) || name.startsWith('temp-'));
  const left = files.list(folder).filter(isLeft);
  if (left.length === 0) return;
  files.syncFolder(folder);
  for (const name of left) removeQuietly(files, `${folder}/${name}`);
}

/** The manifest of a shard; throws DamageError, and the system's errors. */
export function readShardManifest(place: Place, shard: number): ShardManifest {
  const path = `${shardFolder(place, shard)}/${manifestFileName(place.prefix)}`;
  if (!place.files.exists(path)) throw new DamageError(path, 0, 'it is missing');
  return readManifest(place.files, path);
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
