/**
 * Hash slots: CRC16 (XMODEM) of the key, or of its `{hash tag}`, modulo 16 384, as Redis Cluster defines them.
 */
export const SLOTS = 16384;

const CRC16 = new Uint16Array(256);
for (let i = 0; i < 256; i++) {
  let crc = i << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  CRC16[i] = crc;
}

/** Slicing tables: CRC_BY_DISTANCE[d][b] is the contribution of byte b that stands d bytes before the end of a group of four. */
const T1 = new Uint16Array(256);
const T2 = new Uint16Array(256);
const T3 = new Uint16Array(256);
for (let i = 0; i < 256; i++) {
  const once = (crc: number): number => ((crc << 8) & 0xffff) ^ CRC16[crc >> 8];
  T1[i] = once(CRC16[i]);
  T2[i] = once(T1[i]);
  T3[i] = once(T2[i]);
}

/** CRC16/XMODEM of bytes[start, end). */
export function crc16(bytes: Uint8Array, start: number, end: number): number {
  let crc = 0;
  let i = start;
  for (; i + 4 <= end; i += 4) {
    crc = T3[(crc >> 8) ^ bytes[i]] ^ T2[(crc & 0xff) ^ bytes[i + 1]] ^ T1[bytes[i + 2]] ^ CRC16[bytes[i + 3]];
  }
  for (; i < end; i++) crc = ((crc << 8) & 0xffff) ^ CRC16[(crc >> 8) ^ bytes[i]];
  return crc;
}

/** The slot of the key bytes[start, end). */
export function slotOf(bytes: Uint8Array, start: number, end: number): number {
  for (let open = start; open < end; open++) {
    if (bytes[open] !== 123) continue;
    let close = open + 1;
    while (close < end && bytes[close] !== 125) close++;
    // an empty or unclosed tag does not count, and only the first '{' is looked at
    if (close < end && close > open + 1) return crc16(bytes, open + 1, close) & (SLOTS - 1);
    break;
  }
  return crc16(bytes, start, end) & (SLOTS - 1);
}

/** Which shard serves a slot: contiguous ranges of equal size, as Redis Cluster's own tools deal them out. */
export function slotMap(shards: number): Uint8Array {
  const map = new Uint8Array(SLOTS);
  for (let slot = 0; slot < SLOTS; slot++) map[slot] = Math.floor((slot * shards) / SLOTS);
  return map;
}
