/** Is an RDB file whole? Reads its bytes and compares the checksum, without making anything of them. */
import { Crc64 } from '../datatypes/crc64.ts';
import { type Files, OPEN, readFully } from '../env/files.ts';
import { DamageError } from './damage.ts';

const PIECE_BYTES = 1024 * 1024;
const MAGIC_BYTES = 9;
const CHECKSUM_BYTES = 8;
/** From this version on files end with a checksum. */
const CHECKSUM_SINCE = 5;
const EOF = 255;

/** Steps of a megabyte each. Throws DamageError, and the system's errors. A sum of 0 says that none was made. */
export function* checkRdbFile(files: Files, path: string): Generator<void, void, void> {
  const fd = files.open(path, OPEN.read);
  try {
    const size = files.size(fd);
    const buf = Buffer.alloc(PIECE_BYTES);
    const head = readFully(files, fd, buf, Math.min(MAGIC_BYTES, size), 0);
    const version = Number(buf.toString('latin1', 5, head));
    const tail = version >= CHECKSUM_SINCE ? CHECKSUM_BYTES : 0;
    if (!/^REDIS\d{4}$/.test(buf.toString('latin1', 0, head)) || size < MAGIC_BYTES + 1 + tail)
      throw new DamageError(path, 0, 'it is no whole RDB file');
    const crc = new Crc64();
    const end = size - tail;
    let last = 0;
    for (let at = 0; at < end; at += PIECE_BYTES) {
      const want = Math.min(PIECE_BYTES, end - at);
      if (readFully(files, fd, buf, want, at) < want) throw new DamageError(path, at, 'unexpected end');
      crc.update(buf, 0, want);
      last = buf[want - 1];
      yield;
    }
    if (last !== EOF) throw new DamageError(path, end - 1, 'unexpected end');
    if (tail === 0) return;
    readFully(files, fd, buf, CHECKSUM_BYTES, end);
    if (buf.readBigUInt64LE(0) !== 0n && !crc.equals(buf, 0))
      throw new DamageError(path, end, 'its checksum is wrong (RDB CRC error)');
  } finally {
    files.close(fd);
  }
}
