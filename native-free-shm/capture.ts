/**
 * Who needs the bytes that blocks had before they change: a snapshot's cut, the undo of a script, later MVCC readers.
 *
 * While the control word `capture` of an arena is not 0, every thread that changes the arena tells its own sink
 * (Arena.captureSink) each allocation, change and release before it happens, under the shard's latch. While it is 0, nobody asks.
 *
 * Invariant 1: a block that was allocated during a capture has no old bytes; a sink may ignore its changes.
 * Invariant 2: a held block keeps its handle and bytes until the sink releases it through Arena.releaseHeld.
 */
export interface CaptureSink {
  /** A block was handed out. */
  allocated(handle: number): void;
  /** Bytes `start … start + bytes` of `buf` are the block's content and may change from now on; may be told repeatedly. */
  changing(handle: number, buf: Buffer, start: number, bytes: number): void;
  /** As `changing`, but of the block's content only `partBytes` behind its first `offset` may change. */
  changingPart(handle: number, buf: Buffer, start: number, bytes: number, offset: number, partBytes: number): void;
  /** The block is to be released. True: the sink keeps it and will call Arena.releaseHeld; false: it is released now. */
  releasing(handle: number, buf: Buffer, start: number, bytes: number): boolean;
}
