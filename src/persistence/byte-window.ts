/** A window that slides over an open file: ranges of it as bytes, read ahead in large pieces. */
import { type Files, readFully } from '../env/files.ts';

const WINDOW_BYTES = 1024 * 1024;

export class ByteWindow {
  readonly size: number;
  private readonly files: Files;
  private readonly fd: number;
  private readonly buf: Buffer;
  private start = 0;
  private end = 0;

  constructor(files: Files, fd: number) {
    this.files = files;
    this.fd = fd;
    this.size = files.size(fd);
    this.buf = Buffer.alloc(Math.min(WINDOW_BYTES, this.size));
  }

  /**
   * Bytes of the file from `offset` on: `length` of them, fewer at the end of the file or beyond 1 MiB. Valid until the next call.
   */
  view(offset: number, length: number): Buffer {
    length = Math.min(length, this.size - offset, WINDOW_BYTES);
    if (offset < this.start || offset + length > this.end) {
      this.start = offset;
      this.end = offset + readFully(this.files, this.fd, this.buf, Math.min(WINDOW_BYTES, this.size - offset), offset);
    }
    return this.buf.subarray(offset - this.start, Math.min(offset - this.start + length, this.end - this.start));
  }
}
