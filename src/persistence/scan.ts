/**
 * Reads one shard's files as bytes, without knowing a command: are they whole, where do they end, which multi-shard transactions lie
 * behind the last recorded safe position. Pure over the bytes; shards may be scanned in any order, on any thread.
 *
 * Every batch is checked: its place in the row of positions, its checksum. What does not check is
 *   damage     in any file but the last two; or where a valid batch follows it; or before a recorded safe position  ⇒ DamageError, nothing is touched
 *   torn tail  the end of the last file, as a crash in the middle of a write leaves it                              ⇒ the scan ends there
 * Of bytes that were never synced a loss of power may keep later pages and lose earlier ones. So a valid batch behind a lost page (a
 * sector of zeros in the batch that does not check), all of it behind the last safe position, is a torn tail as well. And where a
 * rewrite has just begun the last increment, the one before it may not be synced yet: what it lacks, a part or all of its end, is a
 * torn tail if no safe position lies behind it. The last increment is without effect then.
 */
import { crc32 } from 'node:zlib';
import { showProgress } from '../../native-free-shm/heartbeats.ts';
import { type Files, OPEN } from '../env/files.ts';
import { type BatchHeader, HEADER_WORD, headerCrc, MAX_HEADER_BYTES, parseHeader } from '../journal/batch-header.ts';
import { MAX_FILE_LINE_BYTES, parseFileLine, parseMarks } from './aof-lines.ts';
import { ByteWindow } from './byte-window.ts';
import { DamageError } from './damage.ts';
import { checkRdbFile } from './rdb-check.ts';
import { isRdbFile } from './rdb-file-reader.ts';

const MARK_BYTES = 64 * 1024;
const SECTOR_BYTES = 512;
const ZEROS = Buffer.alloc(SECTOR_BYTES);

export interface ShardFile {
  path: string;
  isBase: boolean;
}

/** A part of a multi-shard transaction that lies in this shard behind its recorded safe position. */
export interface ScannedPart {
  start: number;
  /** Which of the files it is in, and the offset of its batch there. */
  file: number;
  offset: number;
  /** shard, end, shard, end … of all parts. */
  ends: number[];
}

/** What is in the files of a shard; plain data that can be posted to another thread. */
export interface ScanResult {
  shard: number;
  files: ShardFile[];
  /** Position behind the last whole batch, and where that is: which of the files, offset in it. */
  end: number;
  endFile: number;
  endOffset: number;
  /** Salt of the last file. */
  salt: number;
  /** Greatest safe position that the files record. */
  safe: number;
  /** Transactions before `safe` reach so far in the other shards: required[shard] = end. */
  required: number[];
  /** Parts behind `safe`, ascending. */
  parts: ScannedPart[];
  /** Bytes behind `endOffset` in that file that belong to no whole batch. */
  tornBytes: number;
  /** Bytes of each file; 0 where it is an RDB file. */
  fileBytes: number[];
  /** The last file has no first line yet. */
  unbegun: boolean;
}

/** Scans the files of a shard: the base, if any, then the increments in order. Throws DamageError, and the system's errors. */
export function scanShard(files: Files, shardFiles: ShardFile[], shard: number, shards: number): ScanResult {
  const steps = scanSteps(files, shardFiles, shard, shards);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    showProgress();
  }
}

/** The same in steps of one batch each, for threads that have other work as well. */
export function* scanSteps(
  files: Files,
  shardFiles: ShardFile[],
  shard: number,
  shards: number,
): Generator<void, ScanResult, void> {
  const result: ScanResult = {
    shard,
    files: shardFiles,
    end: -1,
    endFile: 0,
    endOffset: 0,
    salt: 0,
    safe: 0,
    required: new Array<number>(shards).fill(0),
    parts: [],
    tornBytes: 0,
    fileBytes: [],
    unbegun: false,
  };
  for (const [index, file] of shardFiles.entries()) {
    if (file.isBase && isRdbFile(files, file.path)) {
      result.fileBytes[index] = 0;
      yield* checkRdbFile(files, file.path);
      continue;
    }
    const fd = files.open(file.path, OPEN.read);
    try {
      yield* new FileScan(files, fd, index, result, shards).steps();
    } finally {
      files.close(fd);
    }
  }
  return result;
}

class FileScan {
  private readonly window: ByteWindow;
  private readonly file: ShardFile;
  private readonly result: ScanResult;
  private readonly shards: number;
  private readonly index: number;
  private readonly isLast: boolean;
  /** An increment whose end may be torn. */
  private readonly mayBeTorn: boolean;
  private salt = 0;
  /** Position and offset behind the last whole batch. */
  private position = 0;
  private offset = 0;
  private sealed = false;

  constructor(files: Files, fd: number, index: number, result: ScanResult, shards: number) {
    this.window = new ByteWindow(files, fd);
    this.file = result.files[index];
    this.result = result;
    this.shards = shards;
    this.index = index;
    this.isLast = index === result.files.length - 1;
    this.mayBeTorn = index >= result.files.length - 2 && !this.file.isBase;
  }

  *steps(): Generator<void, void, void> {
    const { result, file } = this;
    result.fileBytes[this.index] = this.window.size;
    this.firstLine();
    if (this.isLast) result.salt = this.salt;
    if (result.unbegun) {
      // else the one before it ends at a tear
      if (result.tornBytes === 0) this.endsHere();
      return;
    }
    if (result.end >= 0 && !this.file.isBase && (result.tornBytes > 0 || this.position !== result.end)) {
      this.drop();
      return;
    }
    while (this.offset < this.window.size && this.batch()) yield;
    if (file.isBase) {
      if (!this.sealed) throw this.damage('a base file without its end');
      return;
    }
    result.end = this.position;
    this.endsHere();
  }

  private endsHere(): void {
    const { result } = this;
    result.endFile = this.index;
    result.endOffset = this.offset;
    result.tornBytes = this.window.size - this.offset;
  }

  /** The file before this one lacks records: this one is without effect, unless a safe position says that they were there. */
  private drop(): void {
    const { result } = this;
    const before = result.files[result.endFile];
    if (this.position === result.end)
      throw new DamageError(before.path, result.endOffset, 'bytes that belong to no batch');
    if (this.position < result.end || !this.isLast || before.isBase)
      throw this.damage(`it begins at position ${this.position}, the file before it ends at ${result.end}`);
    const { safe } = this.behind(this.offset);
    if (safe > result.end)
      throw new DamageError(
        before.path,
        result.endOffset,
        `it ends at position ${result.end}, but ${safe} was safe on disk`,
      );
  }

  private firstLine(): void {
    const { result, shards } = this;
    if (this.isLast && !this.file.isBase && result.end >= 0 && this.isUnbegun()) {
      result.unbegun = true;
      this.position = result.end;
      this.offset = 0;
      return;
    }
    const outcome = parseFileLine(this.window.view(0, MAX_FILE_LINE_BYTES));
    if ('problem' in outcome) throw this.damage(outcome.problem);
    const { line, bytes } = outcome;
    if (line.shard !== result.shard || line.shards !== shards)
      throw this.damage(`it is of shard ${line.shard} of ${line.shards}, expected shard ${result.shard} of ${shards}`);
    if (!this.file.isBase && result.end < 0) result.safe = line.start;
    this.salt = line.salt;
    this.position = line.start;
    this.offset = bytes;
  }

  /** A file that was prepared and named, but of whose content not even the first line reached the disk: no record was ever safe. */
  private isUnbegun(): boolean {
    const { size } = this.window;
    const head = this.window.view(0, Math.min(MAX_FILE_LINE_BYTES, size));
    return head.every((byte) => byte === 0) || (size < MAX_FILE_LINE_BYTES && !head.includes('\n'));
  }

  /** Takes the batch at `offset`. False: the scan of this file ends here, at a torn tail. */
  private batch(): boolean {
    const header = parseHeader(this.window.view(this.offset, MAX_HEADER_BYTES), 0, MAX_HEADER_BYTES);
    const problem = this.problemOf(header);
    if (problem !== '') {
      if (this.isTornTail()) return false;
      throw this.damage(problem);
    }
    this.take(header!);
    return true;
  }

  private problemOf(header: BatchHeader | null): string {
    if (header === null) return 'there is no batch header';
    if (header.shard !== this.result.shard) return `a batch of shard ${header.shard}`;
    if (header.end - header.bytes !== this.position)
      return `a batch from position ${header.end - header.bytes}, expected ${this.position}`;
    if (!this.checks(this.offset, header)) return 'the checksum of a batch is wrong';
    return '';
  }

  /** Is the batch at `offset` whole, and its checksum right? */
  private checks(offset: number, header: BatchHeader): boolean {
    if (offset + header.lineBytes + header.bytes > this.window.size) return false;
    let crc = headerCrc(this.window.view(offset, header.fieldsBytes), 0, header.fieldsBytes, this.salt);
    const end = offset + header.lineBytes + header.bytes;
    for (let at = offset + header.lineBytes; at < end; ) {
      const piece = this.window.view(at, end - at);
      if (piece.length === 0) return false;
      crc = crc32(piece, crc);
      at += piece.length;
    }
    return crc === header.crc;
  }

  private take(header: BatchHeader): void {
    const { result } = this;
    const dataOffset = this.offset + header.lineBytes;
    if (!this.file.isBase) {
      if (header.safe > result.safe) this.raiseSafe(header.safe);
      if (header.mark >= 0) this.takePart(dataOffset, header);
    }
    this.sealed = header.bytes === 0 && header.safe === header.end;
    this.position = header.end;
    this.offset = dataOffset + header.bytes;
  }

  private takePart(dataOffset: number, header: BatchHeader): void {
    const ends = parseMarks(
      this.window.view(dataOffset + header.mark, Math.min(MARK_BYTES, header.bytes - header.mark)),
      this.position,
    );
    if (ends === null || ends.some((value, i) => (i & 1) === 0 && value >= this.shards))
      throw this.damage('a transaction mark that cannot be understood');
    this.result.parts.push({ start: this.position, file: this.index, offset: this.offset, ends });
  }

  /** Parts before a safe position are whole in every shard: what remains of them is how far they reach. */
  private raiseSafe(safe: number): void {
    const { result } = this;
    result.safe = safe;
    let folded = 0;
    while (folded < result.parts.length && result.parts[folded].start < safe) {
      const { ends } = result.parts[folded++];
      for (let i = 0; i < ends.length; i += 2)
        result.required[ends[i]] = Math.max(result.required[ends[i]], ends[i + 1]);
    }
    if (folded > 0) result.parts.splice(0, folded);
  }

  /** What begins at `offset` does not check: is it the torn end of what was written last? */
  private isTornTail(): boolean {
    if (!this.mayBeTorn) return false;
    const { firstValid, safe } = this.behind(this.offset + 1);
    if (safe > this.position) return false;
    return firstValid < 0 || this.hasLostSector(this.offset, firstValid);
  }

  /** Valid batches at or behind `offset`: where the first of them is (-1: there is none), and the latest safe position they record. */
  private behind(offset: number): { firstValid: number; safe: number } {
    let firstValid = -1;
    let { safe } = this.result;
    for (let at = this.nextWord(offset); at >= 0; at = this.nextWord(at + 1)) {
      const header = parseHeader(this.window.view(at, MAX_HEADER_BYTES), 0, MAX_HEADER_BYTES);
      if (header === null || header.shard !== this.result.shard || header.end - header.bytes < this.position) continue;
      if (!this.checks(at, header)) continue;
      if (firstValid < 0) firstValid = at;
      safe = Math.max(safe, header.safe);
      at += header.lineBytes + header.bytes - 1;
    }
    return { firstValid, safe };
  }

  /** Offset of the next header word at or behind `offset`, -1 where there is none. */
  private nextWord(offset: number): number {
    while (offset < this.window.size) {
      const piece = this.window.view(offset, 64 * 1024);
      const found = piece.indexOf(HEADER_WORD, 0, 'latin1');
      if (found >= 0) return offset + found;
      if (piece.length < HEADER_WORD.length) return -1;
      offset += piece.length - HEADER_WORD.length + 1;
    }
    return -1;
  }

  private hasLostSector(from: number, to: number): boolean {
    for (let at = Math.ceil(from / SECTOR_BYTES) * SECTOR_BYTES; at + SECTOR_BYTES <= to; at += SECTOR_BYTES)
      if (this.window.view(at, SECTOR_BYTES).equals(ZEROS)) return true;
    return false;
  }

  private damage(problem: string): DamageError {
    return new DamageError(this.file.path, this.offset, problem);
  }
}
