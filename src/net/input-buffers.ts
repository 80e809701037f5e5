/**
 * Buffers for input that connections of a thread keep from one turn to the next. One of either length is kept back when it is used up:
 * a client that sends a long pipeline leaves something over with every read.
 */

/** The rest of a usual frame. */
const SHORT_BYTES = 512;
/** Whatever a batch that ends early can leave over. */
const LONG_BYTES = 512 * 1024;
/** Less does not need a long one. */
const LONG_FROM_BYTES = 8 * 1024;

export class InputBuffers {
  private short: Buffer | null = null;
  private long: Buffer | null = null;

  /** Room for `bytes` bytes. `isSoon`: it is wanted for a moment only, and may be longer than it need be. */
  take(bytes: number, isSoon: boolean): Buffer {
    if (bytes <= SHORT_BYTES) {
      const { short } = this;
      this.short = null;
      return short ?? Buffer.allocUnsafeSlow(SHORT_BYTES);
    }
    if (!isSoon || bytes < LONG_FROM_BYTES || bytes > LONG_BYTES) return Buffer.allocUnsafeSlow(bytes);
    const { long } = this;
    this.long = null;
    return long ?? Buffer.allocUnsafeSlow(LONG_BYTES);
  }

  /** The buffer is used up. */
  give(buffer: Buffer): void {
    if (buffer.length === SHORT_BYTES) this.short = buffer;
    else if (buffer.length === LONG_BYTES) this.long = buffer;
  }
}
