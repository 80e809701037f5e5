/**
 * What a stock Redis server left in a folder: which files make up its data, and whether they are still those that were taken over.
 * These files are read and never changed, so that one can go back to them.
 *
 *   <dir>/<appenddirname>/<appendfilename>.manifest     Redis 7: a base (RDB, records, or an RDB preamble and records) and increments
 *   <dir>/<appendfilename>                              Redis before 7: records, perhaps behind an RDB preamble
 *   <dir>/<dbfilename>                                  a snapshot, where there is no append-only file
 *
 * Invariant 1: a data set lies beside Redis files only together with `skein.taken-over`, which says what they were when it was made.
 */
import { crc32 } from 'node:zlib';
import { type Files, OPEN, readFully, readWhole } from '../env/files.ts';
import { manifestFileName, readManifest } from './aof-manifest.ts';
import { DamageError } from './damage.ts';
import type { Place } from './data-set.ts';

/** Inside the data set's folder: the Redis files that it was made of, or that it has replaced. */
export const TAKEN_OVER = 'skein.taken-over';

/** So many bytes at the end of a file tell whether it has changed. */
const TAIL_BYTES = 64 * 1024;

export interface RedisFile {
  path: string;
  /** Only the file that Redis appended to last may be torn. */
  mayBeTorn: boolean;
  /** Records may follow RDB data; and keys whose time is over are kept, for later records may prolong their lives. */
  inJournal: boolean;
}

export interface RedisData {
  /** Names the data in the log. */
  what: string;
  /** In the order of loading. */
  files: RedisFile[];
}

/** The append-only files of a Redis server in the place; null where there are none. Throws DamageError. */
export function findRedisJournal(place: Place): RedisData | null {
  const path = `${place.folder}/${manifestFileName(place.prefix)}`;
  if (place.files.exists(path)) return { what: path, files: filesOf(place, path) };
  const single = `${place.parent}/${place.prefix}`;
  if (!place.files.exists(single)) return null;
  return { what: single, files: [{ path: single, mayBeTorn: true, inJournal: true }] };
}

/** The snapshot at `path` as data to be taken over; null where there is none. */
export function findRedisSnapshot(files: Files, path: string): RedisData | null {
  return files.exists(path) ? { what: path, files: [{ path, mayBeTorn: false, inJournal: false }] } : null;
}

function filesOf(place: Place, path: string): RedisFile[] {
  const manifest = readManifest(place.files, path, true);
  const named = [...(manifest.base === null ? [] : [manifest.base]), ...manifest.increments];
  if (named.length === 0) throw new DamageError(path, 0, 'it names no file');
  return named.map(({ name }, i) => {
    const file = locate(place, name);
    if (!place.files.exists(file))
      throw new DamageError(file, 0, 'the manifest names it, but there is No such file or directory');
    return { path: file, mayBeTorn: i === named.length - 1, inJournal: true };
  });
}

/** An upgrade of Redis that was interrupted may have named the old single file, but not moved it. */
function locate({ files, folder, parent, prefix }: Place, name: string): string {
  const inside = `${folder}/${name}`;
  const outside = `${parent}/${prefix}`;
  return name === prefix && !files.exists(inside) && files.exists(outside) ? outside : inside;
}

/**
 * What the Redis files in the data set's folder look like: name, size and checksum of the end of each. Empty where there are none.
 * Moving or copying them changes nothing.
 */
export function describeRedisFiles(place: Place): Buffer {
  const { files, folder, prefix } = place;
  const manifest = `${folder}/${manifestFileName(prefix)}`;
  if (!files.exists(manifest)) return Buffer.alloc(0);
  const names = [manifest, ...filesOf(place, manifest).map(({ path }) => path)];
  const lines = names.map((path) => `${describe(files, path)} ${path.slice(path.lastIndexOf('/') + 1)}\n`).join('');
  return Buffer.from(`${lines}crc32 ${hex(crc32(lines))}\n`, 'utf8');
}

function describe(files: Files, path: string): string {
  const fd = files.open(path, OPEN.read);
  try {
    const size = files.size(fd);
    const tail = Buffer.alloc(Math.min(size, TAIL_BYTES));
    return `${size} ${hex(crc32(tail.subarray(0, readFully(files, fd, tail, tail.length, size - tail.length))))}`;
  } finally {
    files.close(fd);
  }
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0');
}

/** Are the Redis files beside the data set, if any, those that it has taken over or replaced? */
export function knowsRedisFiles(place: Place): boolean {
  const now = describeRedisFiles(place);
  if (now.length === 0) return true;
  const path = `${place.folder}/${TAKEN_OVER}`;
  return place.files.exists(path) && readWhole(place.files, path).equals(now);
}
