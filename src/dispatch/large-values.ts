/**
 * Long values cross the latch by handle, their bytes outside of it (R4). One object per thread, used by its one unit.
 *
 *   out   handler notes a value, which pins its block ──► latches are released ──► finish copies it into the reply, unpins
 *   in    latches ──► prepare: private blocks ──► latches are released ──► fill copies the arguments ──► latches again ──►
 *         the handler links the block (privateOf, linked), or does not; finish gives up what was not linked
 *
 * Invariant 1: a block that is noted is pinned until finish; what the command does to its key meanwhile does not change it.
 * Invariant 2: between units `active` is false: pins and private blocks belong to the running command, or, while that waits,
 *              to its waiting item (leave, use).
 */
import type { Arena } from '../../native-free-shm/arena.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';

const OFFSET_MASK = 0x3ffffff;

/** Private blocks of one command: which argument each of them holds. Handle 0: linked, no longer private. */
export interface PrivateBlocks {
  readonly arenas: Arena[];
  readonly args: number[];
  readonly handles: number[];
  bytes: number;
}

export class LargeValues {
  /** Something is pinned or private. */
  active = false;
  private privates: PrivateBlocks | null = null;
  private outCount = 0;
  private readonly outArenas: Arena[] = [];
  private readonly outHandles: number[] = [];
  private readonly outSources: Buffer[] = [];
  private readonly outStarts: number[] = [];
  private readonly outEnds: number[] = [];
  private readonly outPlaces: number[] = [];

  /** Bytes of the arguments that lie in private blocks. */
  get privateBytes(): number {
    return this.privates === null ? 0 : this.privates.bytes;
  }

  // ---- out

  /**
   * Answers bytes [start, end) of `ks.vBuf`, part of the LARGE value of entry `h`, as a bulk string at the reply's present end;
   * they get there after the latches are released. Nothing may be put in front of what is answered afterwards.
   */
  reply(ks: Keyspace, h: number, start: number, end: number, reply: ReplyWriter): void {
    this.replyBlock(ks.arena, ks.largeBlock(h), ks.vBuf, start, end, reply);
  }

  /** The same for bytes source[start, end) in a long block `handle`. */
  replyBlock(arena: Arena, handle: number, source: Buffer, start: number, end: number, reply: ReplyWriter): void {
    arena.pin(handle);
    const i = this.outCount++;
    this.outArenas[i] = arena;
    this.outHandles[i] = handle;
    this.outSources[i] = source;
    this.outStarts[i] = start;
    this.outEnds[i] = end;
    this.outPlaces[i] = reply.pos;
    this.active = true;
  }

  /** How many values are noted. */
  get pinned(): number {
    return this.outCount;
  }

  /** Forgets what was to be answered beyond the first `kept` values, for the reply is another one. */
  dropReplies(kept = 0): void {
    for (let i = kept; i < this.outCount; i++) this.outArenas[i].unpin(this.outHandles[i]);
    this.outCount = kept;
    this.active = kept !== 0 || this.privates !== null;
  }

  // ---- in

  /** Under the latch of the shard: makes the private block for argument `arg`. False: there is no room. */
  prepare(arena: Arena, args: Args, arg: number): boolean {
    const bytes = args.length(arg);
    const handle = arena.allocatePrivate(bytes);
    if (handle === 0) return false;
    this.privates ??= { arenas: [], args: [], handles: [], bytes: 0 };
    this.privates.handles.push(handle);
    this.privates.arenas.push(arena);
    this.privates.args.push(arg);
    this.privates.bytes += bytes;
    this.active = true;
    return true;
  }

  /** Without latches: copies the arguments into their private blocks. */
  fill(args: Args): void {
    if (this.privates === null) return;
    const { arenas, handles, args: indices } = this.privates;
    for (let i = 0; i < handles.length; i++) {
      const handle = handles[i];
      const to = arenas[i].buf[handle >>> 26];
      args.buf.copy(to, (handle & OFFSET_MASK) << 4, args.starts[indices[i]], args.ends[indices[i]]);
    }
  }

  /** The private block with the bytes of argument `arg`, or 0. */
  privateOf(arg: number): number {
    if (this.privates === null) return 0;
    const i = this.privates.args.indexOf(arg);
    return i < 0 ? 0 : this.privates.handles[i];
  }

  /** The private block of argument `arg` is a key's value now. */
  linked(arg: number): void {
    this.privates!.handles[this.privates!.args.indexOf(arg)] = 0;
  }

  /** Hands the private blocks over to whoever keeps the command until it can run. */
  leave(): PrivateBlocks | null {
    const { privates } = this;
    this.privates = null;
    this.active = false;
    return privates;
  }

  /** Takes back what `leave` gave. */
  use(privates: PrivateBlocks | null): void {
    this.privates = privates;
    this.active = privates !== null;
  }

  /** Gives up the private blocks that were not linked. Needs no latch: they become free without their pin. */
  dropPrivates(): void {
    if (this.privates === null) return;
    const { arenas, handles } = this.privates;
    for (let i = 0; i < handles.length; i++) if (handles[i] !== 0) arenas[i].unpin(handles[i]);
    this.privates = null;
    this.active = this.outCount !== 0;
  }

  // ----

  /** After the latches are released: completes the reply and gives all pins back. Throws where the reply finds no memory. */
  finish(reply: ReplyWriter): void {
    this.dropPrivates();
    try {
      reply.insertBulks(this.outCount, this.outPlaces, this.outSources, this.outStarts, this.outEnds);
    } finally {
      this.dropReplies();
    }
  }
}
