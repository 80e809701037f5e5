/**
 * The file system as the journal and recovery see it: synchronous calls over file numbers, errors as a code and a number.
 * A seam: tests put a model behind it that loses unsynced bytes or runs out of room.
 *
 * File numbers belong to the process, not to a thread: what one thread opened, every other may write and sync.
 */
import fs from 'node:fs';
import { getSystemErrorMessage } from 'node:util';

/** How to open: read; read and write an existing file; create one that must not exist yet. */
export const OPEN = { read: 0, update: 1, create: 2 } as const;
export type OpenMode = (typeof OPEN)[keyof typeof OPEN];

/** All calls throw the system's error (see `errnoOf`); byte counts may be short, the caller loops. */
export interface Files {
  open(path: string, mode: OpenMode): number;
  close(fd: number): void;
  /** Bytes of the open file. */
  size(fd: number): number;
  /** Reads up to `length` bytes at `position`; 0 at the end of the file. */
  readAt(fd: number, buf: Uint8Array, offset: number, length: number, position: number): number;
  /** Writes up to `length` bytes at `position`; may be short. */
  writeAt(fd: number, buf: Uint8Array, offset: number, length: number, position: number): number;
  /** Writes the parts one after the other at `position`; may be short. At most 1024 parts. */
  writePartsAt(fd: number, parts: Uint8Array[], position: number): number;
  truncate(fd: number, bytes: number): void;
  /** Content and what is needed to read it back are on stable storage (fdatasync). */
  syncData(fd: number): void;
  /** Entries of a folder are on stable storage. */
  syncFolder(path: string): void;
  /** A file over a file, or a folder to a name that is free or an empty folder. */
  rename(from: string, to: string): void;
  /** Does nothing when there is no such file. */
  remove(path: string): void;
  /** Removes a folder with all that is in it; does nothing when there is none. */
  removeFolder(path: string): void;
  exists(path: string): boolean;
  /** Names in a folder, in no order; empty when there is no such folder. */
  list(path: string): string[];
  /** Creates the folder and its parents. */
  makeFolder(path: string): void;
}

export const systemFiles: Files = {
  open(path, mode) {
    return fs.openSync(path, mode === OPEN.read ? 'r' : mode === OPEN.update ? 'r+' : 'wx+', 0o644);
  },
  close(fd) {
    fs.closeSync(fd);
  },
  size(fd) {
    return fs.fstatSync(fd).size;
  },
  readAt(fd, buf, offset, length, position) {
    return fs.readSync(fd, buf, offset, length, position);
  },
  writeAt(fd, buf, offset, length, position) {
    return fs.writeSync(fd, buf, offset, length, position);
  },
  writePartsAt(fd, parts, position) {
    return fs.writevSync(fd, parts, position);
  },
  truncate(fd, bytes) {
    fs.ftruncateSync(fd, bytes);
  },
  syncData(fd) {
    fs.fdatasyncSync(fd);
  },
  syncFolder(path) {
    const fd = fs.openSync(path, 'r');
    try {
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
  },
  rename(from, to) {
    fs.renameSync(from, to);
  },
  remove(path) {
    fs.rmSync(path, { force: true });
  },
  removeFolder(path) {
    fs.rmSync(path, { recursive: true, force: true });
  },
  exists(path) {
    return fs.existsSync(path);
  },
  list(path) {
    return fs.existsSync(path) ? fs.readdirSync(path) : [];
  },
  makeFolder(path) {
    fs.mkdirSync(path, { recursive: true });
  },
};

/** For files whose bytes are safe, or worth nothing: that closing them failed changes nothing, the number is free all the same. */
export function closeQuietly(files: Files, fd: number): void {
  try {
    files.close(fd);
  } catch {
    // see above
  }
}

/** Removes what nobody needs, if the system lets us. */
export function removeQuietly(files: Files, path: string): void {
  try {
    files.remove(path);
  } catch {
    // it stays, and takes room: the next rewrite, or start, sweeps it
  }
}

const ERRNO_EIO = -5;

/** The system's error number (negative, as Node gives it) of a thrown value; EIO where it carries none. */
export function errnoOf(error: unknown): number {
  const errno = error instanceof Error ? (error as NodeJS.ErrnoException).errno : undefined;
  return typeof errno === 'number' && errno < 0 ? errno : ERRNO_EIO;
}

/** The system's own words for an error number, e.g. "no space left on device". */
export function errnoText(errno: number): string {
  return getSystemErrorMessage(errno) ?? `error ${errno}`;
}

/** Writes all of `parts` at `position`; throws when the system takes no more. Alters `parts`. */
export function writeAllParts(files: Files, fd: number, parts: Uint8Array[], position: number): void {
  while (parts.length > 0) {
    let written = files.writePartsAt(fd, parts, position);
    if (written <= 0) throw new Error('the system accepted no byte of a write');
    position += written;
    let done = 0;
    while (done < parts.length && written >= parts[done].length) written -= parts[done++].length;
    parts.splice(0, done);
    if (written > 0) parts[0] = parts[0].subarray(written);
  }
}

/** Reads `length` bytes at `position`; returns how many there were (less only at the end of the file). */
export function readFully(files: Files, fd: number, buf: Uint8Array, length: number, position: number): number {
  let done = 0;
  while (done < length) {
    const got = files.readAt(fd, buf, done, length - done, position + done);
    if (got <= 0) break;
    done += got;
  }
  return done;
}

/** The whole of a small file. */
export function readWhole(files: Files, path: string): Buffer {
  const fd = files.open(path, OPEN.read);
  try {
    const bytes = Buffer.alloc(files.size(fd));
    return bytes.subarray(0, readFully(files, fd, bytes, bytes.length, 0));
  } finally {
    files.close(fd);
  }
}

/** Replaces a small file in one step: a crash leaves the old one or the new one, complete and on stable storage. */
export function replaceFile(files: Files, folder: string, name: string, content: Buffer): void {
  const temporary = `${folder}/temp-${name}`;
  writeSynced(files, temporary, content);
  files.rename(temporary, `${folder}/${name}`);
  files.syncFolder(folder);
}

/** Makes a small file, in the place of one that may be there; its bytes are on stable storage. Where that fails no file is left. */
export function writeSynced(files: Files, path: string, content: Buffer): void {
  files.remove(path);
  const fd = files.open(path, OPEN.create);
  try {
    writeAllParts(files, fd, [content], 0);
    files.syncData(fd);
  } catch (error) {
    removeQuietly(files, path);
    throw error;
  } finally {
    closeQuietly(files, fd);
  }
}
