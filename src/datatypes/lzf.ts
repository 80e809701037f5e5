/**
 * LZF, the compression of strings in RDB files.
 *
 *   000LLLLL                      L + 1 literal bytes follow
 *   LLLddddd dddddddd             L + 2 bytes (L < 7) from d + 1 bytes before here
 *   111ddddd LLLLLLLL dddddddd    L + 9 bytes from d + 1 bytes before here
 */
const HASH_BITS = 14;
const MAX_DISTANCE = 8192;
const MAX_LITERALS = 32;
const MAX_MATCH = 264;

const lastSeen = new Int32Array(1 << HASH_BITS);

/** Compresses from[start, end) into `to` at 0; bytes written, or 0 if that would not be shorter than `to` has room. */
export function lzfCompress(from: Buffer, start: number, end: number, to: Buffer): number {
  lastSeen.fill(-1);
  let out = 1;
  let literals = 0;
  let i = start;
  const limit = to.length;
  while (i < end) {
    let match = 0;
    if (i + 2 < end) {
      const key = (from[i] << 16) | (from[i + 1] << 8) | from[i + 2];
      const slot = (Math.imul(key, 0x9e3779b1) >>> (32 - HASH_BITS)) | 0;
      const seen = lastSeen[slot];
      lastSeen[slot] = i;
      if (seen >= 0 && i - seen <= MAX_DISTANCE) match = matchLength(from, seen, i, end);
      if (match >= 3) {
        if (out + 4 >= limit) return 0;
        // the run of literals before it gets its length, or gives its length byte back
        if (literals > 0) to[out - literals - 1] = literals - 1;
        else out--;
        const distance = i - seen - 1;
        const length = match - 2;
        if (length < 7) {
          to[out++] = (length << 5) | (distance >> 8);
        } else {
          to[out++] = 0xe0 | (distance >> 8);
          to[out++] = length - 7;
        }
        to[out++] = distance & 255;
        out++;
        literals = 0;
        i += match;
        continue;
      }
    }
    if (out + 1 >= limit) return 0;
    to[out++] = from[i++];
    if (++literals === MAX_LITERALS) {
      to[out - MAX_LITERALS - 1] = MAX_LITERALS - 1;
      literals = 0;
      out++;
    }
  }
  if (literals > 0) to[out - literals - 1] = literals - 1;
  else out--;
  return out <= limit ? out : 0;
}

function matchLength(from: Buffer, a: number, b: number, end: number): number {
  const most = Math.min(MAX_MATCH, end - b);
  let n = 0;
  while (n < most && from[a + n] === from[b + n]) n++;
  return n;
}

/** Expands from[start, end) into exactly `length` bytes of `to` from 0; false: damaged. */
export function lzfExpand(from: Buffer, start: number, end: number, to: Buffer, length: number): boolean {
  let i = start;
  let out = 0;
  while (i < end) {
    const control = from[i++];
    if (control < 32) {
      const run = control + 1;
      if (i + run > end || out + run > length) return false;
      from.copy(to, out, i, i + run);
      i += run;
      out += run;
      continue;
    }
    let run = control >> 5;
    if (run === 7) {
      if (i >= end) return false;
      run += from[i++];
    }
    run += 2;
    if (i >= end) return false;
    let source = out - (((control & 31) << 8) | from[i++]) - 1;
    if (source < 0 || out + run > length) return false;
    for (let k = 0; k < run; k++) to[out++] = to[source++];
  }
  return out === length;
}
