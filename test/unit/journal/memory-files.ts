/**
 * Files in memory that can lose what was never synced, run out of room, and fail: the world's faults as values a test sets.
 * `crash(choose)` is a loss of power: per file, of what was written since its last sync a part chosen by the test survives.
 */
import { type Files, OPEN } from '../../../src/env/files.ts';

interface MemoryFile {
  bytes: Buffer;
  length: number;
  /** Content at the last sync. */
  synced: Buffer;
  /** True when the name itself is on stable storage. */
  named: boolean;
}

function systemError(code: string, errno: number): Error {
  return Object.assign(new Error(code), { code, errno });
}

export class MemoryFiles implements Files {
  private files = new Map<string, MemoryFile>();
  private folders = new Set<string>();
  private readonly open_ = new Map<number, MemoryFile>();
  private nextFd = 3;
  /** Bytes that may still be written before ENOSPC. */
  room = Number.POSITIVE_INFINITY;
  /** The next syncs fail with EIO. */
  failSyncs = 0;
  /** At most so many bytes per write. */
  shortWrites = Number.POSITIVE_INFINITY;
  syncs = 0;
  writes = 0;
  /** Called before each sync with the path. */
  onSync: (path: string) => void = () => {};
  /** Called before each rename. */
  onRename: () => void = () => {};

  open(path: string, mode: number): number {
    let file = this.files.get(path);
    if (mode === OPEN.create) {
      if (file !== undefined) throw systemError('EEXIST', -17);
      file = { bytes: Buffer.alloc(1024), length: 0, synced: Buffer.alloc(0), named: false };
      this.files.set(path, file);
    }
    if (file === undefined) throw systemError('ENOENT', -2);
    this.open_.set(this.nextFd, file);
    return this.nextFd++;
  }

  close(fd: number): void {
    if (!this.open_.delete(fd)) throw systemError('EBADF', -9);
  }

  size(fd: number): number {
    return this.file(fd).length;
  }

  readAt(fd: number, buf: Uint8Array, offset: number, length: number, position: number): number {
    const file = this.file(fd);
    const end = Math.min(file.length, position + length);
    if (end <= position) return 0;
    buf.set(file.bytes.subarray(position, end), offset);
    return end - position;
  }

  writeAt(fd: number, buf: Uint8Array, offset: number, length: number, position: number): number {
    const file = this.file(fd);
    this.writes++;
    const growth = Math.max(0, position + length - file.length);
    if (growth > this.room) {
      length -= growth - this.room;
      if (length <= 0) throw systemError('ENOSPC', -28);
    }
    length = Math.min(length, this.shortWrites);
    if (position + length > file.bytes.length) {
      const bytes = Buffer.alloc(2 * (position + length));
      file.bytes.copy(bytes, 0, 0, file.length);
      file.bytes = bytes;
    }
    file.bytes.set(buf.subarray(offset, offset + length), position);
    this.room -= Math.max(0, position + length - file.length);
    file.length = Math.max(file.length, position + length);
    return length;
  }

  writePartsAt(fd: number, parts: Uint8Array[], position: number): number {
    const all = Buffer.concat(parts);
    return this.writeAt(fd, all, 0, all.length, position);
  }

  truncate(fd: number, bytes: number): void {
    const file = this.file(fd);
    this.room += file.length - bytes;
    file.length = bytes;
  }

  syncData(fd: number): void {
    const file = this.file(fd);
    for (const [path, other] of this.files) if (other === file) this.onSync(path);
    if (this.failSyncs > 0) {
      this.failSyncs--;
      throw systemError('EIO', -5);
    }
    this.syncs++;
    file.synced = Buffer.from(file.bytes.subarray(0, file.length));
  }

  syncFolder(path: string): void {
    for (const [name, file] of this.files) if (name.startsWith(`${path}/`)) file.named = true;
  }

  rename(from: string, to: string): void {
    this.onRename();
    const file = this.files.get(from);
    if (file === undefined && this.exists(from)) {
      if (this.list(to).length > 0) throw systemError('ENOTEMPTY', -39);
      const moved = (path: string): string => (path.startsWith(`${from}/`) ? to + path.slice(from.length) : path);
      this.files = new Map([...this.files].map(([path, of]) => [moved(path), of]));
      this.folders = new Set([...this.folders].map((path) => (path === from ? to : moved(path))));
      return;
    }
    if (file === undefined) throw systemError('ENOENT', -2);
    this.files.delete(from);
    this.files.set(to, file);
  }

  remove(path: string): void {
    this.files.delete(path);
  }

  removeFolder(path: string): void {
    for (const name of [...this.files.keys()]) if (name.startsWith(`${path}/`)) this.files.delete(name);
    for (const name of [...this.folders]) if (name === path || name.startsWith(`${path}/`)) this.folders.delete(name);
  }

  exists(path: string): boolean {
    return this.files.has(path) || this.folders.has(path) || this.list(path).length > 0;
  }

  list(path: string): string[] {
    const names = new Set<string>();
    for (const name of [...this.files.keys(), ...this.folders])
      if (name.startsWith(`${path}/`)) names.add(name.slice(path.length + 1).split('/')[0]);
    return [...names];
  }

  makeFolder(path: string): void {
    this.folders.add(path);
  }

  /** Content of a file, a copy. */
  content(path: string): Buffer {
    const file = this.files.get(path);
    if (file === undefined) throw new Error(`no file ${path}`);
    return Buffer.from(file.bytes.subarray(0, file.length));
  }

  setContent(path: string, content: Buffer): void {
    this.files.set(path, {
      bytes: Buffer.from(content),
      length: content.length,
      synced: Buffer.from(content),
      named: true,
    });
  }

  paths(): string[] {
    return [...this.files.keys()];
  }

  /** All files as they are, independent of this object. */
  clone(): MemoryFiles {
    const copy = new MemoryFiles();
    for (const path of this.paths()) copy.setContent(path, this.content(path));
    copy.folders = new Set(this.folders);
    return copy;
  }

  /** Power loss: every file keeps what was synced and, of the bytes behind that, as many as `survive(path, unsynced)` says. */
  afterPowerLoss(survive: (path: string, unsynced: number) => number): MemoryFiles {
    const copy = new MemoryFiles();
    copy.folders = new Set(this.folders);
    for (const [path, file] of this.files) {
      if (!file.named) continue;
      const unsynced = Math.max(0, file.length - file.synced.length);
      const kept = unsynced === 0 ? 0 : survive(path, unsynced);
      const tail = file.bytes.subarray(file.synced.length, file.synced.length + kept);
      copy.setContent(path, Buffer.concat([file.synced, tail]));
    }
    return copy;
  }

  private file(fd: number): MemoryFile {
    const file = this.open_.get(fd);
    if (file === undefined) throw systemError('EBADF', -9);
    return file;
  }
}
