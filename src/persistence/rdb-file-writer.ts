/**
 * An RDB file that grows: bytes are gathered in an RdbWriter, sent to the file in large writes, and summed up for the checksum
 * at the end.
 *
 *   "REDIS0010" | aux fields | (select db | resize | entries …) … | eof | CRC-64
 *
 * Invariant 1: the file is complete and on stable storage when `finish` has returned; under its final name only then.
 */
import { Crc64 } from '../datatypes/crc64.ts';
import { RdbWriter } from '../datatypes/rdb-writer.ts';
import { closeQuietly, type Files, OPEN, removeQuietly, writeAllParts } from '../env/files.ts';
import { RDB_OPCODE, RDB_VERSION } from '../keyspace/rdb-types.ts';

/** From so many gathered bytes on they are written: few enough that sum and write take a tenth of a millisecond, for others want the core. */
const WRITE_BYTES = 64 * 1024;
const CHECKSUM_BYTES = 8;

export class RdbFileWriter {
  readonly out = new RdbWriter();
  /** Bytes in the file by now. */
  fileBytes = 0;
  private readonly files: Files;
  private readonly fd: number;
  private readonly path: string;
  private readonly crc = new Crc64();
  private readonly withChecksum: boolean;
  private isOpen = true;

  /** Creates the file at `path`; one that is there is replaced. `packs`: rdbcompression; `withChecksum`: rdbchecksum. */
  constructor(files: Files, path: string, packs: boolean, withChecksum: boolean) {
    this.files = files;
    this.path = path;
    this.withChecksum = withChecksum;
    files.remove(path);
    this.fd = files.open(path, OPEN.create);
    this.out.packs = packs;
    this.out.text(`REDIS${String(RDB_VERSION).padStart(4, '0')}`);
  }

  aux(name: string, value: string): void {
    this.out.byte(RDB_OPCODE.aux);
    this.out.stringText(name);
    this.out.stringText(value);
  }

  /** A library of functions: its code, one byte per character. */
  library(code: string): void {
    this.out.byte(RDB_OPCODE.function2);
    this.out.stringText(code);
  }

  /** The entries that follow belong to database `db`, which has so many keys, and so many with a deadline. */
  selectDb(db: number, keys: number, deadlines: number): void {
    this.out.byte(RDB_OPCODE.selectDb);
    this.out.length(db);
    this.out.byte(RDB_OPCODE.resizeDb);
    this.out.length(keys);
    this.out.length(deadlines);
  }

  /** Writes what is gathered if that is enough for a write. Throws the system's error. */
  flushIfLarge(): void {
    if (this.out.pos >= WRITE_BYTES) this.flush();
  }

  flush(): void {
    const { buf, pos } = this.out;
    this.writeThrough(buf.subarray(0, pos));
    this.out.clear();
  }

  /** Writes bytes that are not gathered, behind all that is. */
  writeThrough(bytes: Buffer): void {
    if (this.withChecksum) this.crc.update(bytes, 0, bytes.length);
    writeAllParts(this.files, this.fd, [bytes], this.fileBytes);
    this.fileBytes += bytes.length;
  }

  /** Ends the file, syncs it and gives it its name `finalPath` in the same folder `folder`. */
  finish(folder: string, finalPath: string): void {
    this.out.byte(RDB_OPCODE.eof);
    this.flush();
    const sum = Buffer.alloc(CHECKSUM_BYTES);
    if (this.withChecksum) this.crc.writeTo(sum, 0);
    writeAllParts(this.files, this.fd, [sum], this.fileBytes);
    this.fileBytes += CHECKSUM_BYTES;
    this.files.syncData(this.fd);
    this.close();
    this.files.rename(this.path, finalPath);
    this.files.syncFolder(folder);
  }

  /** Gives up, at whatever point: nothing stays behind. */
  abandon(): void {
    if (this.isOpen) closeQuietly(this.files, this.fd);
    removeQuietly(this.files, this.path);
  }

  private close(): void {
    this.isOpen = false;
    this.files.close(this.fd);
  }
}
