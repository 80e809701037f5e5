/**
 * An RDB file as a reader of its bytes: fetches them as they are needed, sums them up for the checksum at the end. Where several
 * threads read the same file, each sums up some blocks of it, as if all others were zeros; all these sums together are the file's.
 *
 * Invariant 1: what a register of the reader names stays there until the next call that reads; `heldString` longer.
 */
import { Crc64 } from '../datatypes/crc64.ts';
import { RdbReader } from '../datatypes/rdb-reader.ts';
import { type Files, OPEN, readFully } from '../env/files.ts';
import { NEWEST_RDB_VERSION } from '../keyspace/rdb-types.ts';
import { DamageError } from './damage.ts';

const READ_BYTES = 1024 * 1024;
const SUM_BLOCK_BYTES = 1024 * 1024;
const MAGIC_BYTES = 9;
const CHECKSUM_BYTES = 8;
/** From this version on files end with a checksum. */
const CHECKSUM_SINCE = 5;

/** Which blocks are summed up: those with number % of = part. */
export interface SumShare {
  part: number;
  of: number;
}

const WHOLE: SumShare = { part: 0, of: 1 };

/** What a share of the blocks gave, and the sum that the file says it has: halves of 64 bits. */
export interface ShareSum {
  low: number;
  high: number;
  fileLow: number;
  fileHigh: number;
}

export class RdbFileReader extends RdbReader {
  readonly path: string;
  readonly version: number;
  private readonly files: Files;
  private readonly fd: number;
  private readonly size: number;
  private readonly share: SumShare;
  /** Of a share of the blocks, once `checkSum` was called; null: the file has no sum, or it was all of them. */
  shareSum: ShareSum | null = null;
  /** File offset of buf[0]; bytes of buf before `summed` are in the checksum. */
  private base = 0;
  private summed = 0;
  private readonly crc = new Crc64();
  /** Called before the bytes of `buf` move. True: they are still needed where they are, reading goes on in another buffer. */
  beforeMove: (() => boolean) | null = null;

  /** Opens the file and reads its first bytes. Throws DamageError, and the system's errors. */
  constructor(files: Files, path: string, share: SumShare = WHOLE) {
    super(Buffer.alloc(READ_BYTES), 0, 0);
    this.share = share;
    this.path = path;
    this.files = files;
    this.fd = files.open(path, OPEN.read);
    this.size = files.size(this.fd);
    this.need(MAGIC_BYTES);
    const magic = this.buf.toString('latin1', 0, MAGIC_BYTES);
    this.version = /^REDIS\d{4}$/.test(magic) ? Number(magic.slice(5)) : -1;
    this.pos = MAGIC_BYTES;
    if (this.version < 1) throw this.damage('wrong signature, it is no RDB file');
    if (this.version > NEWEST_RDB_VERSION) throw this.damage(`RDB version ${this.version} is not known`);
  }

  close(): void {
    this.files.close(this.fd);
  }

  damage(problem: string): DamageError {
    return new DamageError(this.path, this.offset, problem);
  }

  /** Bytes of the file behind the next one. */
  get bytesLeft(): number {
    return this.size - this.offset;
  }

  /** Offset in the file of the next byte. */
  get offset(): number {
    return this.base + this.pos;
  }

  override need(bytes: number): void {
    if (this.pos + bytes <= this.end) return;
    if (this.offset + bytes > this.size) throw this.damage('unexpected end');
    const isKept = this.beforeMove?.() ?? false;
    this.sumUp();
    const left = this.end - this.pos;
    const isShort = bytes > this.buf.length;
    const target = isShort || isKept ? Buffer.allocUnsafeSlow((isShort ? bytes : 0) + READ_BYTES) : this.buf;
    this.buf.copy(target, 0, this.pos, this.end);
    this.base += this.pos;
    this.pos = 0;
    this.summed = 0;
    this.buf = target;
    const want = Math.min(target.length, this.size - this.base) - left;
    this.end = left + readFully(this.files, this.fd, target.subarray(left), want, this.base + left);
    if (this.end < bytes) throw this.damage('the file became shorter while it was read');
  }

  /** Takes the bytes of the buffer up to `pos` into the sum. */
  private sumUp(): void {
    const { part, of } = this.share;
    while (this.summed < this.pos) {
      const block = Math.floor((this.base + this.summed) / SUM_BLOCK_BYTES);
      const end = of === 1 ? this.pos : Math.min((block + 1) * SUM_BLOCK_BYTES - this.base, this.pos);
      if (block % of === part) this.crc.update(this.buf, this.summed, end);
      else this.crc.skip(end - this.summed);
      this.summed = end;
    }
  }

  /** Behind the end mark: checks the sum. A sum of 0 says that none was made. */
  checkSum(): void {
    if (this.version < CHECKSUM_SINCE) return;
    this.sumUp();
    this.need(CHECKSUM_BYTES);
    const fileLow = this.buf.readInt32LE(this.pos);
    const fileHigh = this.buf.readInt32LE(this.pos + 4);
    if ((fileLow | fileHigh) !== 0) {
      const { low, high } = this.crc;
      if (this.share.of > 1) this.shareSum = { low, high, fileLow, fileHigh };
      else if (low !== fileLow || high !== fileHigh) throw wrongSum(this.path, this.offset);
    }
    this.pos += CHECKSUM_BYTES;
    this.summed = this.pos;
  }
}

/** The sum at this offset of the file is not that of its bytes. */
function wrongSum(path: string, offset: number): DamageError {
  return new DamageError(path, offset, 'its checksum is wrong (RDB CRC error)');
}

/** What all threads made of their shares: throws DamageError if it is not the file's sum, which stands before `endOffset`. */
export function checkShares(path: string, endOffset: number, sums: readonly (ShareSum | null)[]): void {
  let low = 0;
  let high = 0;
  let isSummed = false;
  for (const sum of sums) {
    if (sum === null) continue;
    if (!isSummed) [low, high] = [sum.fileLow, sum.fileHigh];
    isSummed = true;
    low ^= sum.low;
    high ^= sum.high;
  }
  if ((low | high) !== 0) throw wrongSum(path, endOffset - CHECKSUM_BYTES);
}

/** Does the file begin like an RDB file? */
export function isRdbFile(files: Files, path: string): boolean {
  const fd = files.open(path, OPEN.read);
  try {
    const head = Buffer.alloc(5);
    return readFully(files, fd, head, 5, 0) === 5 && head.toString('latin1') === 'REDIS';
  } finally {
    files.close(fd);
  }
}
