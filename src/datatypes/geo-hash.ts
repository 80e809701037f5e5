/**
 * Places on earth as cells of a grid, and cells as numbers: what Redis keeps in the scores of a geo set.
 *
 *   grid of step s: 2^s cells from longitude -180 to 180, 2^s from latitude -85.05112878 to 85.05112878
 *   score of step 26: 52 bits, from the lowest on: latitude bit 0, longitude bit 0, latitude bit 1, longitude bit 1, …
 *
 * At the very end of a range the index is 2^s, one bit more; scores then have up to 54 bits, and are doubles still.
 */
export const MAX_LONGITUDE = 180;
export const MAX_LATITUDE = 85.05112878;
/** Scores nearer to 0 are decoded in two halves of 32 bits. */
const MOST_QUICK = 2 ** 57;
/** Step of scores. */
export const SCORE_STEP = 26;

const EARTH_RADIUS_METERS = 6372797.560856;
const DEGREE = Math.PI / 180;
const HALF_BITS = 2 ** 26;
const TEXT_LATITUDE = 90;
const ALPHABET = '0123456789bcdefghjkmnpqrstuvwxyz';
/** Characters of a geohash text. */
const TEXT_CHARACTERS = 11;

/** Spreads 16 bits over the even ones of 32. */
function spread(n: number): number {
  let bits = n & 0xffff;
  bits = (bits | (bits << 8)) & 0x00ff00ff;
  bits = (bits | (bits << 4)) & 0x0f0f0f0f;
  bits = (bits | (bits << 2)) & 0x33333333;
  return (bits | (bits << 1)) & 0x55555555;
}

/** Gathers the even bits of 32 into 16. */
function gather(n: number): number {
  let bits = n & 0x55555555;
  bits = (bits | (bits >>> 1)) & 0x33333333;
  bits = (bits | (bits >>> 2)) & 0x0f0f0f0f;
  bits = (bits | (bits >>> 4)) & 0x00ff00ff;
  return (bits | (bits >>> 8)) & 0xffff;
}

/** Latitude index in the even bits, longitude index in the odd ones; both up to 2^26. */
export function interleave(latitudeIndex: number, longitudeIndex: number): number {
  const low = spread(latitudeIndex & 0x1fff) | (spread(longitudeIndex & 0x1fff) << 1);
  const high = spread(latitudeIndex >>> 13) | (spread(longitudeIndex >>> 13) << 1);
  return (high >>> 0) * HALF_BITS + low;
}

/** Index of the cell of step `step` in which `value` lies, in a range from -`limit` to `limit`. */
export function cellIndex(value: number, limit: number, step: number): number {
  return Math.trunc(((value + limit) / (limit + limit)) * 2 ** step);
}

/** Lower end of a cell. */
export function cellStart(index: number, limit: number, step: number): number {
  return -limit + (index / 2 ** step) * (limit + limit);
}

/** The score of a place. */
export function scoreOf(longitude: number, latitude: number): number {
  return interleave(cellIndex(latitude, MAX_LATITUDE, SCORE_STEP), cellIndex(longitude, MAX_LONGITUDE, SCORE_STEP));
}

/** The place that a score stands for: the middle of its cell. */
export class GeoPlace {
  longitude = 0;
  latitude = 0;

  decode(score: number): void {
    const bits = Math.trunc(score);
    if (!(Math.abs(bits) < MOST_QUICK)) return this.decodeFar(bits);
    const high = Math.floor(bits / HALF_BITS);
    const low = bits - high * HALF_BITS;
    const latitudeIndex = gather(low) + gather(high | 0) * 0x2000;
    const longitudeIndex = gather(low >>> 1) + gather(high >>> 1) * 0x2000;
    this.longitude = middle(longitudeIndex, MAX_LONGITUDE);
    this.latitude = middle(latitudeIndex, MAX_LATITUDE);
  }

  /** A score that is no place's: as Redis on x86 has it, which takes its 64 bits; what has more of them is 0, or the lowest number. */
  private decodeFar(score: number): void {
    let bits = 0n;
    if (score <= -(2 ** 63)) bits = 1n << 63n;
    else if (score < 2 ** 64) bits = BigInt.asUintN(64, BigInt(score));
    let latitudeIndex = 0;
    let longitudeIndex = 0;
    for (let i = 0; i < 32; i++, bits >>= 2n) {
      latitudeIndex += Number(bits & 1n) * 2 ** i;
      longitudeIndex += Number((bits >> 1n) & 1n) * 2 ** i;
    }
    this.longitude = middle(longitudeIndex, MAX_LONGITUDE);
    this.latitude = middle(latitudeIndex, MAX_LATITUDE);
  }
}

function middle(index: number, limit: number): number {
  const value = (cellStart(index, limit, SCORE_STEP) + cellStart(index + 1, limit, SCORE_STEP)) / 2;
  return Math.min(limit, Math.max(-limit, value));
}

export function isPlace(longitude: number, latitude: number): boolean {
  return Math.abs(longitude) <= MAX_LONGITUDE && Math.abs(latitude) <= MAX_LATITUDE;
}

/** Great-circle distance in meters. */
export function distanceMeters(longitude1: number, latitude1: number, longitude2: number, latitude2: number): number {
  const v = Math.sin((longitude2 * DEGREE - longitude1 * DEGREE) / 2);
  if (v === 0) return latitudeDistanceMeters(latitude1, latitude2);
  const from = latitude1 * DEGREE;
  const to = latitude2 * DEGREE;
  const u = Math.sin((to - from) / 2);
  return 2 * EARTH_RADIUS_METERS * Math.asin(Math.sqrt(u * u + Math.cos(from) * Math.cos(to) * v * v));
}

export function latitudeDistanceMeters(latitude1: number, latitude2: number): number {
  return EARTH_RADIUS_METERS * Math.abs(latitude2 * DEGREE - latitude1 * DEGREE);
}

/** The degrees of a great circle that are so many meters long. */
export function degreesOf(meters: number): number {
  return meters / EARTH_RADIUS_METERS / DEGREE;
}

export function cosine(degrees: number): number {
  return Math.cos(degrees * DEGREE);
}

/** The geohash text that the world knows (11 characters, latitudes up to 90) of a place. */
export function geohashText(place: GeoPlace): string {
  const bits = BigInt(
    interleave(
      cellIndex(place.latitude, TEXT_LATITUDE, SCORE_STEP),
      cellIndex(place.longitude, MAX_LONGITUDE, SCORE_STEP),
    ),
  );
  let text = '';
  for (let i = 1; i < TEXT_CHARACTERS; i++) text += ALPHABET[Number((bits >> BigInt(52 - i * 5)) & 31n)];
  // 52 bits are ten characters and a rest that nobody knows
  return text + ALPHABET[0];
}

/** A coordinate with up to 17 decimals, as Redis writes it; ties go to the even digit, as in C. */
export function coordinateText(degrees: number): string {
  let text = degrees.toFixed(17);
  const exact = degrees.toFixed(25);
  if (exact.endsWith('50000000') && Number(text[text.length - 1]) % 2 === 1) {
    const cut = exact.slice(0, -8);
    if (Number(cut[cut.length - 1]) % 2 === 0) text = cut;
  }
  const trimmed = text.replace(/\.?0+$/, '');
  return trimmed === '-0' ? '0' : trimmed;
}
