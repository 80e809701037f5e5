/**
 * MurmurHash64A in 32-bit halves, for HyperLogLog: the registers that an element raises must be those that Redis raises.
 */

/** The multiplier 0xc6a4a7935bd1e995. */
const M_HIGH = 0xc6a4a793;
const M_LOW = 0x5bd1e995;
const M_LOW_TOP = M_LOW >>> 16;
const M_LOW_BOTTOM = M_LOW & 0xffff;

export class MurmurHash64 {
  /** Registers of `hash`: the halves, as int32. */
  high = 0;
  low = 0;
  private readonly seed: number;

  constructor(seed: number) {
    this.seed = seed | 0;
  }

  /** The hash of bytes[start, end). */
  hash(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    this.multiply(0, length | 0);
    let high = this.high;
    let low = this.low ^ this.seed;
    const whole = end - (length & 7);
    let at = start;
    for (; at < whole; at += 8) {
      const low8 = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
      const high8 = bytes[at + 4] | (bytes[at + 5] << 8) | (bytes[at + 6] << 16) | (bytes[at + 7] << 24);
      this.multiply(high8, low8);
      this.multiply(this.high, this.low ^ (this.high >>> 15));
      this.multiply(high ^ this.high, low ^ this.low);
      high = this.high;
      low = this.low;
    }
    if (at < end) {
      for (let i = 0; at < end; i++, at++) {
        if (i < 4) low ^= bytes[at] << (i << 3);
        else high ^= bytes[at] << ((i - 4) << 3);
      }
      this.multiply(high, low);
      high = this.high;
      low = this.low;
    }
    this.multiply(high, low ^ (high >>> 15));
    this.low ^= this.high >>> 15;
  }

  /** high, low = (high, low) times the multiplier, modulo 2^64. */
  private multiply(high: number, low: number): void {
    const top = low >>> 16;
    const bottom = low & 0xffff;
    const lowest = bottom * M_LOW_BOTTOM;
    const middle = top * M_LOW_BOTTOM + (lowest >>> 16);
    const other = bottom * M_LOW_TOP + (middle & 0xffff);
    const carried = top * M_LOW_TOP + Math.floor(middle / 65536) + Math.floor(other / 65536);
    this.high = (carried + Math.imul(low, M_HIGH) + Math.imul(high, M_LOW)) | 0;
    this.low = Math.imul(low, M_LOW);
  }
}
