/**
 * Making journal files: an increment that records will be appended to, or a base that holds a state as plain records.
 *
 * Invariant 1: what a function here returns is on stable storage, content and name; only then a manifest may name it.
 */
import { closeQuietly, type Files, OPEN, writeAllParts } from '../env/files.ts';
import { random32 } from '../env/random.ts';
import { Journal } from '../journal/journal.ts';
import { createJournalMemory, type JournalMemory, openJournal, POLICY } from '../journal/journal-memory.ts';
import { formatFileLine } from './aof-lines.ts';
import { baseFileName, incrementFileName, type ManifestFile } from './aof-manifest.ts';

/** Which file to make: its folder, what its name begins with, whose records it holds, from which position. */
export interface FileOrder {
  files: Files;
  folder: string;
  prefix: string;
  sequence: number;
  shard: number;
  shards: number;
  start: number;
}

/** A new file with its first line, open for appending. */
export interface NewFile {
  fd: number;
  salt: number;
  fileBytes: number;
  file: ManifestFile;
}

/** Creates an increment; one of the same name, which no manifest names, is replaced. */
export function createIncrement(order: FileOrder): NewFile {
  return createFile(order, incrementFileName(order.prefix, order.sequence));
}

/** Makes the empty file of an increment whose first position is not known yet; it is not synced, its name is. Returns its number. */
export function prepareIncrement({
  files,
  folder,
  prefix,
  sequence,
}: Omit<FileOrder, 'start' | 'shard' | 'shards'>): number {
  const path = `${folder}/${incrementFileName(prefix, sequence)}`;
  files.remove(path);
  const fd = files.open(path, OPEN.create);
  try {
    files.syncFolder(folder);
  } catch (error) {
    closeQuietly(files, fd);
    throw error;
  }
  return fd;
}

/** Writes the first line of a prepared, empty increment, unsynced. */
export function beginIncrement(
  files: Files,
  fd: number,
  { shard, shards, start }: Pick<FileOrder, 'shard' | 'shards' | 'start'>,
): { fd: number; salt: number; fileBytes: number } {
  const salt = random32();
  const line = formatFileLine({ shard, shards, start, salt });
  writeAllParts(files, fd, [line], 0);
  return { fd, salt, fileBytes: line.length };
}

function createFile({ files, folder, sequence, shard, shards, start }: FileOrder, name: string): NewFile {
  const salt = random32();
  const line = formatFileLine({ shard, shards, start, salt });
  const fileBytes = line.length;
  files.remove(`${folder}/${name}`);
  const fd = files.open(`${folder}/${name}`, OPEN.create);
  try {
    writeAllParts(files, fd, [line], 0);
    files.syncData(fd);
    files.syncFolder(folder);
  } catch (error) {
    closeQuietly(files, fd);
    throw error;
  }
  return { fd, salt, fileBytes, file: { name, sequence } };
}

/** Memory for writing bases, of one shard after the other. */
export function baseRoom(): JournalMemory {
  return createJournalMemory(1, { backlogBytes: 1024 * 1024 });
}

/**
 * Writes a base: records that make up a state, into a private journal whose batches are checked like any others. Its end is sealed by
 * an empty batch; a base without it is damaged.
 */
export class BaseWriter {
  /** Takes command and arg calls; `next` after each record. */
  readonly journal: Journal;
  records = 0;
  private readonly files: Files;
  private readonly made: NewFile;

  /** `order.start` must be 0: positions in a base are its own. `room` from baseRoom(): for one writer at a time. */
  constructor(order: FileOrder, room: JournalMemory) {
    this.files = order.files;
    this.made = createFile(order, baseFileName(order.prefix, order.sequence));
    const memory = { ...room, firstShard: order.shard };
    const { fd, salt, fileBytes } = this.made;
    openJournal(memory, 0, { position: order.start, fd, salt, fileBytes, policy: POLICY.no });
    this.journal = new Journal(memory, 0, order.files);
    this.journal.begin(0);
  }

  /** Ends a record. Throws when the disk refuses. */
  next(): void {
    this.records++;
    this.journal.publish();
    if (this.journal.backlogFull()) this.drain();
    this.journal.begin(0);
  }

  /** Writes the rest, seals and syncs; the file for the manifest. */
  finish(): ManifestFile {
    this.journal.publish();
    this.drain();
    if (!this.journal.sealAs(this.journal.head())) throw new Error('the end of a base file could not be written');
    this.files.syncData(this.made.fd);
    this.files.close(this.made.fd);
    return this.made.file;
  }

  /** Gives up; the file is worth nothing. */
  abandon(): void {
    closeQuietly(this.files, this.made.fd);
  }

  private drain(): void {
    if (!this.journal.drain()) throw new Error(`the base file could not be written: ${this.journal.writeErrorText()}`);
  }
}
