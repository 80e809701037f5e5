/**
 * Takes back what one thread did to an arena under one hold of its latch: the undo of a script (R6, R8). One object per thread and arena.
 *
 *   begin ──► allocations are noted, blocks that change are copied, blocks that are released are held ──► keep, or undo
 *
 * The bookkeeping of the arena itself is never restored: undo puts old bytes back and releases what is new, keep releases what was held.
 *
 * Invariant 1: between begin and keep or undo no block that existed at begin becomes free, so every old handle stays what it was.
 * Invariant 2: a snapshot's sink, where one is active, hears of everything as if there were no undo log; releases reach it at keep.
 */
import type { Arena } from './arena.ts';
import type { CaptureSink } from './capture.ts';

const OFFSET_MASK = 0x3ffffff;

export class UndoLog implements CaptureSink {
  private readonly arena: Arena;
  private sinkBefore: CaptureSink | null = null;
  private snapshot: CaptureSink | null = null;
  private readonly fresh = new Set<number>();
  private readonly old = new Map<number, Buffer>();
  private readonly held = new Set<number>();

  constructor(arena: Arena) {
    this.arena = arena;
  }

  /** From now on changes can be taken back. Under the latch, as everything here. */
  begin(): void {
    const { arena } = this;
    this.sinkBefore = arena.captureSink;
    this.snapshot = arena.capturing() ? arena.captureSink : null;
    arena.captureSink = this;
    arena.beginCapture();
  }

  private end(): void {
    this.arena.endCapture();
    this.arena.captureSink = this.sinkBefore;
  }

  /** The changes stay. */
  keep(): void {
    this.end();
    for (const handle of this.held) this.arena.release(handle);
    this.forget();
  }

  /** All blocks are again what they were at `begin`. */
  undo(): void {
    this.end();
    const { arena } = this;
    for (const [handle, bytes] of this.old) bytes.copy(arena.buf[handle >>> 26], (handle & OFFSET_MASK) << 4);
    for (const handle of this.fresh) arena.release(handle);
    this.forget();
  }

  private forget(): void {
    this.fresh.clear();
    this.old.clear();
    this.held.clear();
    this.snapshot = null;
  }

  // ---- CaptureSink

  allocated(handle: number): void {
    this.fresh.add(handle);
    this.snapshot?.allocated(handle);
  }

  changing(handle: number, buf: Buffer, start: number, bytes: number): void {
    if (!this.fresh.has(handle) && !this.old.has(handle)) {
      this.old.set(handle, Buffer.from(buf.subarray(start, start + bytes)));
    }
    this.snapshot?.changing(handle, buf, start, bytes);
  }

  releasing(handle: number, buf: Buffer, start: number, bytes: number): boolean {
    if (this.fresh.delete(handle)) return this.snapshot?.releasing(handle, buf, start, bytes) ?? false;
    if (this.held.has(handle)) throw new Error(`undo log: block ${handle} is released twice`);
    this.held.add(handle);
    return true;
  }
}
