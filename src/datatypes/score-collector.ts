/**
 * Members with scores that a command gathers before it changes or answers anything: private memory of the thread, filled again
 * for every command.
 *
 *   slots   open addressing: 1 + number of the element, 0 = free; at most half full
 *   element hash, score, and its bytes bytes[starts[i], starts[i] + lengths[i])
 */
import type { HalfSipHash } from '../../native-free-shm/half-siphash.ts';
import { compareBytes } from './score-range.ts';

const FIRST_ELEMENTS = 256;
const FIRST_BYTES = 8192;
/** What a huge result made it grow to is given back. */
const KEPT_ELEMENTS = 65536;
const KEPT_BYTES = 4 * 1024 * 1024;

export class ScoreCollector {
  count = 0;
  /** Bytes of all members. */
  memberBytes = 0;
  bytes: Buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  scores: Float64Array = new Float64Array(FIRST_ELEMENTS);
  starts: Float64Array = new Float64Array(FIRST_ELEMENTS);
  lengths: Int32Array = new Int32Array(FIRST_ELEMENTS);
  /** Numbers of the elements in order, after `sort`. */
  order: Uint32Array = new Uint32Array(0);
  private hashes: Int32Array = new Int32Array(FIRST_ELEMENTS);
  private slots: Int32Array = new Int32Array(FIRST_ELEMENTS * 2);
  private hash = 0;

  /** Empties it. */
  clear(): void {
    this.order = new Uint32Array(0);
    if (this.scores.length > KEPT_ELEMENTS || this.bytes.length > KEPT_BYTES) {
      this.resize(FIRST_ELEMENTS);
      this.bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
      this.slots = new Int32Array(FIRST_ELEMENTS * 2);
    } else if (this.count > 0) {
      this.slots.fill(0);
    }
    this.count = 0;
    this.memberBytes = 0;
  }

  /** Number of the element with this member, -1 where there is none. */
  find(hasher: HalfSipHash, buf: Buffer, start: number, end: number): number {
    const hash = (this.hash = hasher.hash(buf, start, end));
    const { slots, hashes, lengths, starts, bytes } = this;
    const mask = slots.length - 1;
    for (let slot = hash & mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const i = slots[slot] - 1;
      if (hashes[i] !== hash || lengths[i] !== end - start) continue;
      if (compareBytes(bytes, starts[i], starts[i] + lengths[i], buf, start, end) === 0) return i;
    }
    return -1;
  }

  /** Adds the member that `find` has just not found. */
  addMissing(buf: Buffer, start: number, end: number, score: number): void {
    const i = this.append(buf, start, end, score);
    this.hashes[i] = this.hash;
    this.occupy(this.hash, i);
  }

  /** Adds a member that is known to be absent, for those who never look one up. Returns its number. */
  append(buf: Buffer, start: number, end: number, score: number): number {
    const i = this.count;
    if (i === this.scores.length) this.grow();
    const length = end - start;
    const at = this.memberBytes;
    if (at + length > this.bytes.length) this.growBytes(at + length);
    buf.copy(this.bytes, at, start, end);
    this.count = i + 1;
    this.memberBytes = at + length;
    this.scores[i] = score;
    this.starts[i] = at;
    this.lengths[i] = length;
    return i;
  }

  /** Takes back the last `append`. */
  dropLast(): void {
    this.memberBytes -= this.lengths[--this.count];
  }

  private occupy(hash: number, i: number): void {
    const { slots } = this;
    const mask = slots.length - 1;
    let slot = hash & mask;
    while (slots[slot] !== 0) slot = (slot + 1) & mask;
    slots[slot] = i + 1;
  }

  private grow(): void {
    const size = this.scores.length * 2;
    this.resize(size);
    this.slots = new Int32Array(size * 2);
    for (let i = 0; i < this.count; i++) this.occupy(this.hashes[i], i);
  }

  private resize(elements: number): void {
    const { scores, starts, lengths, hashes, count } = this;
    const kept = Math.min(count, elements);
    this.scores = new Float64Array(elements);
    this.starts = new Float64Array(elements);
    this.lengths = new Int32Array(elements);
    this.hashes = new Int32Array(elements);
    this.scores.set(scores.subarray(0, kept));
    this.starts.set(starts.subarray(0, kept));
    this.lengths.set(lengths.subarray(0, kept));
    this.hashes.set(hashes.subarray(0, kept));
  }

  private growBytes(needed: number): void {
    let size = this.bytes.length * 2;
    while (size < needed) size *= 2;
    const wider = Buffer.allocUnsafeSlow(size);
    this.bytes.copy(wider, 0, 0, this.memberBytes);
    this.bytes = wider;
  }

  /** Bytes of the longest member. */
  longestBytes(): number {
    let longest = 0;
    for (let i = 0; i < this.count; i++) if (this.lengths[i] > longest) longest = this.lengths[i];
    return longest;
  }

  /** Puts the numbers of all elements into `order`, by (score, member bytes). */
  sort(): void {
    const order = this.inGivenOrder();
    const { scores, starts, lengths, bytes } = this;
    order.sort((a, b) => {
      const difference = scores[a] - scores[b];
      if (difference !== 0 && !Number.isNaN(difference)) return difference;
      if (scores[a] !== scores[b]) return scores[a] < scores[b] ? -1 : 1;
      return compareBytes(bytes, starts[a], starts[a] + lengths[a], bytes, starts[b], starts[b] + lengths[b]);
    });
  }

  /** Puts the numbers of all elements into `order` as they came. */
  inGivenOrder(): Uint32Array {
    const order = new Uint32Array(this.count);
    for (let i = 0; i < order.length; i++) order[i] = i;
    this.order = order;
    return order;
  }
}
