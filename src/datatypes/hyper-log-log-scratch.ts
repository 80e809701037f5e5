/** A HyperLogLog in private memory, where a command changes it before it goes into the data. One per thread. */
import {
  DENSE_BYTES,
  denseRegister,
  forgetCardinality,
  HEADER_BYTES,
  HLL_ENCODING,
  isDense,
  REGISTERS,
  setDenseRegister,
  setEncoding,
  writeHeader,
} from './hyper-log-log.ts';
import { MAX_SPARSE_BYTES, RAISE, raiseToSparse, SparseEditor, writeEmptyBody } from './hyper-log-log-sparse.ts';

const ROOM_BYTES = MAX_SPARSE_BYTES + 16;

export class HyperLogLogScratch {
  /** The value is buf[0, length). */
  readonly buf = Buffer.alloc(ROOM_BYTES);
  length = 0;
  private readonly editor = new SparseEditor();
  private readonly heights = new Uint8Array(REGISTERS);

  /** A value without elements. */
  clear(): void {
    writeHeader(this.buf, 0, HLL_ENCODING.sparse);
    this.length = writeEmptyBody(this.buf);
  }

  /** Takes a copy of a value; false: it is longer than any sound one. */
  load(bytes: Buffer, start: number, end: number): boolean {
    if (end - start > MAX_SPARSE_BYTES) return false;
    bytes.copy(this.buf, 0, start, end);
    this.length = end - start;
    return true;
  }

  get isDense(): boolean {
    return isDense(this.buf, 0);
  }

  /** Raises a register, in the dense form where the sparse one would be longer than `maxSparseBytes`; a RAISE, never tooLong. */
  raise(index: number, height: number, maxSparseBytes: number): number {
    if (!this.isDense) {
      const most = Math.min(maxSparseBytes, MAX_SPARSE_BYTES);
      const outcome = this.editor.raise(this.buf, this.length, index, height, most);
      this.length = this.editor.length;
      if (outcome !== RAISE.tooLong) return outcome;
      if (!this.makeDense()) return RAISE.damaged;
    }
    if (denseRegister(this.buf, 0, index) >= height) return RAISE.kept;
    setDenseRegister(this.buf, 0, index, height);
    return RAISE.raised;
  }

  /** Gives it the dense form; false: its runs are damaged. */
  makeDense(): boolean {
    if (this.isDense) return true;
    const { heights, buf } = this;
    heights.fill(0);
    if (!raiseToSparse(heights, buf, 0, this.length)) return false;
    buf.fill(0, HEADER_BYTES, DENSE_BYTES);
    setEncoding(buf, 0, HLL_ENCODING.dense);
    this.length = DENSE_BYTES;
    for (let i = 0; i < REGISTERS; i++) if (heights[i] > 0) setDenseRegister(buf, 0, i, heights[i]);
    return true;
  }

  forgetCardinality(): void {
    forgetCardinality(this.buf, 0);
  }
}
