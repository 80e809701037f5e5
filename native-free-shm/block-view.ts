/**
 * How readers of structures find the bytes of a block: as they are (LiveView), or as they were at some moment (a snapshot's view).
 * What is written against BlockView serves both.
 */
import type { Arena } from './arena.ts';

const OFFSET_MASK = 0x3ffffff;

export abstract class BlockView {
  // ---- registers of `open`: the block's bytes begin at `byte` of these views, at word `byte >> 2` of `i32`
  buf: Buffer;
  view: DataView;
  i32: Int32Array;
  byte = 0;

  protected constructor(arena: Arena) {
    this.buf = arena.buf[0];
    this.view = arena.view[0];
    this.i32 = arena.i32[0];
  }

  /** Points the registers at a block. */
  abstract open(handle: number): void;
  /** Another view of the same moment, with registers of its own. */
  abstract another(): BlockView;
}

/** Blocks as they are now; used under the shard's latch. */
export class LiveView extends BlockView {
  private readonly arena: Arena;

  constructor(arena: Arena) {
    super(arena);
    this.arena = arena;
  }

  open(handle: number): void {
    const segment = handle >>> 26;
    this.buf = this.arena.buf[segment];
    this.view = this.arena.view[segment];
    this.i32 = this.arena.i32[segment];
    this.byte = (handle & OFFSET_MASK) << 4;
  }

  another(): BlockView {
    return new LiveView(this.arena);
  }
}
