/**
 * Small copies and comparisons between ranges of Buffers, whether they lie in shared or in private memory.
 *
 * Measured on Node 24 (bench/micro-table.ts): Buffer.copy and Buffer.compare cost about 40 and 110 ns whatever the length, an
 * unrolled loop over bytes 0.8 ns per byte. Making a view or subarray costs 20 to 48 ns, so none is made.
 */

/**
 * The DataViews of the two buffers that were asked for last: commands come out of the same read buffer again and again, loaders take
 * keys from one buffer and values from another, and making a view costs more than what it saves on one key.
 */
export class LastView {
  private bytes: Uint8Array | null = null;
  private view: DataView = new DataView(new ArrayBuffer(0));
  private earlierBytes: Uint8Array | null = null;
  private earlierView: DataView = this.view;

  of(bytes: Uint8Array): DataView {
    return bytes === this.bytes ? this.view : this.another(bytes);
  }

  private another(bytes: Uint8Array): DataView {
    const isEarlier = bytes === this.earlierBytes;
    const view = isEarlier ? this.earlierView : new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.earlierBytes = this.bytes;
    this.earlierView = this.view;
    this.bytes = bytes;
    this.view = view;
    return view;
  }
}

/** Shorter copies go byte by byte, longer ones through Buffer.copy. */
const MIN_VIEW_COPY = 8;
export const MAX_VIEW_COPY = 256;

/** Copies 8 … MAX_VIEW_COPY bytes, eight at a time, the last eight overlapping those before them. */
export function copyByView(dst: DataView, dstStart: number, src: DataView, srcStart: number, length: number): void {
  if (length < MIN_VIEW_COPY) {
    for (let i = 0; i < length; i++) dst.setUint8(dstStart + i, src.getUint8(srcStart + i));
    return;
  }
  const last = length - 8;
  for (let i = 0; i < last; i += 8) dst.setBigInt64(dstStart + i, src.getBigInt64(srcStart + i, true), true);
  dst.setBigInt64(dstStart + last, src.getBigInt64(srcStart + last, true), true);
}

const COPY_LOOP_LIMIT = 48;
const COMPARE_LOOP_LIMIT = 128;

/** Fewer bytes, mostly the end mark of a list, are moved before copyWithin has looked at its arguments. */
const MOVE_LOOP_LIMIT = 8;
/** Up to here copyWithin is as fast; beyond, it moves shared memory at two bytes a nanosecond where Buffer.copy makes seventy. */
const MOVE_WITHIN_LIMIT = 32;

/** Moves buf[start, end) to `to`; the ranges may overlap. */
export function moveWithin(buf: Buffer, to: number, start: number, end: number): void {
  if (end - start <= MOVE_LOOP_LIMIT) {
    if (to < start) while (start < end) buf[to++] = buf[start++];
    else for (let i = end - start - 1; i >= 0; i--) buf[to + i] = buf[start + i];
  } else if (end - start <= MOVE_WITHIN_LIMIT) buf.copyWithin(to, start, end);
  else buf.copy(buf, to, start, end);
}

/** Copies `length` bytes from `src` to `dst`. Ranges of the same buffer must not overlap. */
export function copyInto(dst: Buffer, dstStart: number, src: Buffer, srcStart: number, length: number): void {
  if (length > COPY_LOOP_LIMIT) {
    src.copy(dst, dstStart, srcStart, srcStart + length);
    return;
  }
  let i = 0;
  for (; i + 8 <= length; i += 8) {
    const to = dstStart + i;
    const from = srcStart + i;
    dst[to] = src[from];
    dst[to + 1] = src[from + 1];
    dst[to + 2] = src[from + 2];
    dst[to + 3] = src[from + 3];
    dst[to + 4] = src[from + 4];
    dst[to + 5] = src[from + 5];
    dst[to + 6] = src[from + 6];
    dst[to + 7] = src[from + 7];
  }
  for (; i < length; i++) dst[dstStart + i] = src[srcStart + i];
}

/** True: the `length` bytes of `a` and `b` at these places are the same. */
export function equalBytes(a: Buffer, aStart: number, b: Buffer, bStart: number, length: number): boolean {
  if (length > COMPARE_LOOP_LIMIT) return a.compare(b, bStart, bStart + length, aStart, aStart + length) === 0;
  let i = 0;
  for (; i + 4 <= length; i += 4) {
    const x = aStart + i;
    const y = bStart + i;
    if (((a[x] ^ b[y]) | (a[x + 1] ^ b[y + 1]) | (a[x + 2] ^ b[y + 2]) | (a[x + 3] ^ b[y + 3])) !== 0) return false;
  }
  for (; i < length; i++) if (a[aStart + i] !== b[bStart + i]) return false;
  return true;
}
