/**
 * One element of a compact list as bytes: how long it is, and whether bytes from outside are a sound list.
 *
 *   first byte  0xxxxxxx  integer 0 … 127            | 10xxxxxx  string up to 63 bytes
 *               110xxxxx  integer of 13 bits (2)     | 1110xxxx  string up to 4095 bytes (2)
 *               0xf0      string (5)                 | 0xf1 … 0xf4  integer of 16, 24, 32, 64 bits (3, 4, 5, 9)
 *   behind it the length of all that in 1 to 5 bytes of 7 bits, the lowest last; all but the first have their top bit set
 */
const HEADER_BYTES = 6;
const END = 0xff;
const MANY = 65535;
const STRING_12 = 0xe0;
const STRING_32 = 0xf0;
const INT_16 = 0xf1;
const INT_24 = 0xf2;
const INT_32 = 0xf3;
const INT_64 = 0xf4;
const SHORT_TEXT = 0x80;
const MAX_SHORT_TEXT = 63;
const MINUS = 45;
const ZERO = 48;
/** Bytes of an empty list. */
export const EMPTY_COMPACT_BYTES = HEADER_BYTES + 1;

/** Bytes of the whole element that begins at u8[p]. */
export function elementBytes(u8: Uint8Array, p: number): number {
  const first = u8[p];
  if (first < 0x80) return 2;
  const size = encodedBytes(u8, p);
  return size + backBytes(size);
}

/** Bytes of encoding and data of the element that begins at u8[p]. */
function encodedBytes(u8: Uint8Array, p: number): number {
  const first = u8[p];
  if (first < 0x80) return 1;
  if (first < 0xc0) return 1 + (first & 63);
  if (first < 0xe0) return 2;
  if (first < 0xf0) return 2 + (((first & 15) << 8) | u8[p + 1]);
  switch (first) {
    case INT_16:
      return 3;
    case INT_24:
      return 4;
    case INT_32:
      return 5;
    case INT_64:
      return 9;
    case STRING_32:
      return 5 + u8[p + 1] + u8[p + 2] * 0x100 + u8[p + 3] * 0x10000 + u8[p + 4] * 0x1000000;
  }
  throw new Error(`compact list: byte ${first} begins no element`);
}

/** Bytes that the backward length of an element of `size` bytes takes. */
export function backBytes(size: number): number {
  if (size < 128) return 1;
  if (size < 16384) return 2;
  if (size < 2097152) return 3;
  return size < 268435456 ? 4 : 5;
}

export function sameBytes(a: Buffer, aStart: number, b: Buffer, bStart: number, length: number): boolean {
  if (length > 64) return a.compare(b, bStart, bStart + length, aStart, aStart + length) === 0;
  for (let i = 0; i < length; i++) if (a[aStart + i] !== b[bStart + i]) return false;
  return true;
}

/** Are these bytes, from a file or a client, a sound list? Checks every element. */
export function isSoundCompactList(bytes: Buffer, start: number, end: number): boolean {
  if (end - start < EMPTY_COMPACT_BYTES || bytes.readUInt32LE(start) !== end - start) return false;
  if (bytes[end - 1] !== END) return false;
  const last = end - 1;
  let count = 0;
  let p = start + HEADER_BYTES;
  while (p < last) {
    const size = soundElement(bytes, p, last);
    if (size === 0) return false;
    p += size;
    count++;
  }
  const told = bytes.readUInt16LE(start + 4);
  return p === last && (told === MANY || told === count);
}

/** Bytes of the element at p, 0 where it is not sound or does not end before `last`. */
function soundElement(bytes: Buffer, p: number, last: number): number {
  const first = bytes[p];
  const header = first === STRING_32 ? 5 : first >= STRING_12 ? 2 : 1;
  if (first > INT_64 || p + header > last) return 0;
  const data = encodedBytes(bytes, p);
  const back = backBytes(data);
  if (p + data + back > last) return 0;
  let length = 0;
  for (let i = 0; i < back; i++) {
    const byte = bytes[p + data + back - 1 - i];
    if (byte >= 128 !== i < back - 1) return 0;
    length += (byte & 127) * 2 ** (7 * i);
  }
  return length === data ? data + back : 0;
}

/** Is this a text whose length stands in its first byte, and that begins no number? So are most of those that are written. */
export function isShortText(bytes: Buffer, start: number, end: number): boolean {
  const length = end - start;
  const first = bytes[start];
  return length > 0 && length <= MAX_SHORT_TEXT && (first - ZERO) >>> 0 >= 10 && first !== MINUS;
}

/** Writes such a text as an element at `p`; how many bytes that takes. */
export function writeShortText(view: DataView, p: number, bytes: Buffer, start: number, end: number): number {
  const length = end - start;
  view.setUint8(p++, SHORT_TEXT | length);
  while (start < end) view.setUint8(p++, bytes[start++]);
  view.setUint8(p, length + 1);
  return length + 2;
}
