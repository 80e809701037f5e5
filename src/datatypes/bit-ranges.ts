/**
 * Counting and finding bits in ranges of bytes. Bit 0 is the most significant bit of the first byte, as in Redis bitmaps.
 *
 * Long ranges are copied piece by piece into one aligned block of words: the copy runs at the speed of memory, whatever the
 * alignment of the source, and the loop over words sees one array of one kind.
 */
const PIECE_BYTES = 16384;
/** Shorter ranges are looked at byte by byte: a call to copy costs as much. */
const SHORT_BYTES = 48;

const words = new Int32Array(PIECE_BYTES >> 2);
const bytes = Buffer.from(words.buffer);

/** Set bits of each byte value. */
const ONES = Uint8Array.from({ length: 256 }, (_, byte) => {
  let count = 0;
  for (let rest = byte; rest !== 0; rest &= rest - 1) count++;
  return count;
});

/** Copies a piece into `words`, filled up with `padding` to a multiple of four words; returns the number of words. */
function loadPiece(buf: Buffer, start: number, length: number, padding: number): number {
  buf.copy(bytes, 0, start, start + length);
  const padded = (length + 15) & ~15;
  if (padded !== length) bytes.fill(padding, length, padded);
  return padded >> 2;
}

/** Set bits in words[0, count), count a multiple of four. Four words share their last steps: sums of bytes stay below 256. */
function onesInWords(count: number): number {
  let ones = 0;
  for (let i = 0; i < count; i += 4) {
    let a = words[i];
    let b = words[i + 1];
    let c = words[i + 2];
    let d = words[i + 3];
    a -= (a >>> 1) & 0x55555555;
    b -= (b >>> 1) & 0x55555555;
    c -= (c >>> 1) & 0x55555555;
    d -= (d >>> 1) & 0x55555555;
    a = (a & 0x33333333) + ((a >>> 2) & 0x33333333) + (b & 0x33333333) + ((b >>> 2) & 0x33333333);
    c = (c & 0x33333333) + ((c >>> 2) & 0x33333333) + (d & 0x33333333) + ((d >>> 2) & 0x33333333);
    const sums = (a & 0x0f0f0f0f) + ((a >>> 4) & 0x0f0f0f0f) + (c & 0x0f0f0f0f) + ((c >>> 4) & 0x0f0f0f0f);
    ones += Math.imul(sums, 0x01010101) >>> 24;
  }
  return ones;
}

/** Set bits in the bytes buf[start, end). */
function onesInBytes(buf: Buffer, start: number, end: number): number {
  let ones = 0;
  if (end - start <= SHORT_BYTES) {
    for (let i = start; i < end; i++) ones += ONES[buf[i]];
    return ones;
  }
  for (let at = start; at < end; at += PIECE_BYTES) {
    ones += onesInWords(loadPiece(buf, at, Math.min(PIECE_BYTES, end - at), 0));
  }
  return ones;
}

/** Set bits among the bits `firstBit` to `lastBit` (both included, counted from buf[start]). */
export function countBits(buf: Buffer, start: number, firstBit: number, lastBit: number): number {
  if (firstBit > lastBit) return 0;
  const first = start + Math.floor(firstBit / 8);
  const last = start + Math.floor(lastBit / 8);
  const head = 0xff >> (firstBit & 7);
  const tail = (0xff00 >> ((lastBit & 7) + 1)) & 0xff;
  if (first === last) return ONES[buf[first] & head & tail];
  return ONES[buf[first] & head] + onesInBytes(buf, first + 1, last) + ONES[buf[last] & tail];
}

/** Index of the first byte of buf[start, end) that is not `skipped` (0 or 255), or `end`. */
function firstOther(buf: Buffer, start: number, end: number, skipped: number): number {
  const shortEnd = Math.min(end, start + SHORT_BYTES);
  for (let i = start; i < shortEnd; i++) if (buf[i] !== skipped) return i;
  const skippedWord = skipped === 0 ? 0 : -1;
  for (let at = shortEnd; at < end; at += PIECE_BYTES) {
    const length = Math.min(PIECE_BYTES, end - at);
    const count = loadPiece(buf, at, length, skipped);
    let i = 0;
    while (i < count && words[i] === skippedWord) i++;
    if (i === count) continue;
    for (i <<= 2; bytes[i] === skipped; ) i++;
    return at + i;
  }
  return end;
}

/**
 * Position of the first bit that is `bit` (0 or 1) among the bits `firstBit` to `lastBit` (both included, counted from
 * buf[start]), or -1.
 */
export function findBit(buf: Buffer, start: number, firstBit: number, lastBit: number, bit: number): number {
  if (firstBit > lastBit) return -1;
  // looking for a clear bit is looking for a set one in the complement
  const flip = bit === 1 ? 0 : 0xff;
  const first = start + Math.floor(firstBit / 8);
  const last = start + Math.floor(lastBit / 8);
  const head = (buf[first] ^ flip) & (0xff >> (firstBit & 7));
  let at = first;
  let byte = head;
  if (head === 0) {
    at = firstOther(buf, first + 1, last + 1, flip);
    if (at > last) return -1;
    byte = buf[at] ^ flip;
  }
  const position = (at - start) * 8 + Math.clz32(byte) - 24;
  return position > lastBit ? -1 : position;
}
