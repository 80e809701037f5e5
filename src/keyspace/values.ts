/**
 * The structures of one shard: an object per type, and those values that no key names any more but that are too large to be
 * freed at once.
 *
 *   dropped value (16 bytes):  | next one | root | type | encoding |    a chain that begins in a root word of the shard
 *
 * Invariant 1: whoever walks or changes the chain holds the shard's latch.
 */
import type { Arena } from '../../native-free-shm/arena.ts';
import type { HalfSipHash } from '../../native-free-shm/half-siphash.ts';
import { Hashes } from '../datatypes/hash-value.ts';
import { Lists } from '../datatypes/list-value.ts';
import { Sets } from '../datatypes/set-value.ts';
import type { SizeLimits } from '../datatypes/size-limits.ts';
import { SortedSets } from '../datatypes/sorted-set-value.ts';
import { Streams } from '../datatypes/stream-value.ts';
import type { ValueKind } from '../datatypes/value-kind.ts';
import { TYPE_HASH, TYPE_LIST, TYPE_SET, TYPE_SORTED_SET, TYPE_STREAM } from './entry.ts';

const OFFSET_MASK = 0x3ffffff;
/** Values of up to so many blocks are freed by the command that drops them, larger ones in steps. */
const FREED_AT_ONCE_BLOCKS = 64;
const NODE_BYTES = 16;
const TYPES = 16;

export class Values {
  readonly lists: Lists;
  readonly hashes: Hashes;
  readonly sets: Sets;
  readonly sortedSets: SortedSets;
  readonly streams: Streams;
  /** Up to which sizes values keep their compact forms. */
  readonly limits: SizeLimits;
  private readonly arena: Arena;
  private readonly roots: Int32Array;
  private readonly firstDropped: number;
  private readonly kinds: (ValueKind | null)[] = Array.from({ length: TYPES }, () => null);

  /** `hasher`: the hash of members; `firstDropped`: index of the root word that names the first dropped value. */
  constructor(arena: Arena, hasher: HalfSipHash, limits: SizeLimits, roots: Int32Array, firstDropped: number) {
    this.limits = limits;
    this.arena = arena;
    this.roots = roots;
    this.firstDropped = firstDropped;
    this.kinds[TYPE_LIST] = this.lists = new Lists(arena, limits);
    this.kinds[TYPE_HASH] = this.hashes = new Hashes(arena, hasher, limits);
    this.kinds[TYPE_SET] = this.sets = new Sets(arena, hasher, limits);
    this.kinds[TYPE_SORTED_SET] = this.sortedSets = new SortedSets(arena, hasher, limits);
    this.kinds[TYPE_STREAM] = this.streams = new Streams(arena, hasher, limits);
  }

  /** What the structures of a type have in common. */
  kind(type: number): ValueKind {
    const kind = this.kinds[type];
    if (kind === null) throw new Error(`no structures of type ${type}`);
    return kind;
  }

  /** Frees a structure that no key names any more: a small one at once, a large one in steps by `freeStep`. */
  drop(type: number, root: number, encoding: number): void {
    const kind = this.kind(type);
    const isSmall = kind.freeEffort(root, encoding) <= FREED_AT_ONCE_BLOCKS;
    // in a full shard the first blocks that go make room for the note of the others
    while (isSmall || !this.arena.reserve(NODE_BYTES)) {
      if (!kind.releaseStep(root, encoding, FREED_AT_ONCE_BLOCKS)) return;
    }
    const node = this.arena.allocate(NODE_BYTES);
    const i32 = this.arena.i32[node >>> 26];
    const w = (node & OFFSET_MASK) << 2;
    i32[w] = this.roots[this.firstDropped];
    i32[w + 1] = root;
    i32[w + 2] = type;
    i32[w + 3] = encoding;
    this.roots[this.firstDropped] = node;
  }

  /** Frees up to about `budget` blocks of dropped values; true while there is more. */
  freeStep(budget: number): boolean {
    const node = this.roots[this.firstDropped];
    if (node === 0) return false;
    const i32 = this.arena.i32[node >>> 26];
    const w = (node & OFFSET_MASK) << 2;
    if (this.kind(i32[w + 2]).releaseStep(i32[w + 1], i32[w + 3], budget)) return true;
    this.roots[this.firstDropped] = i32[w];
    this.arena.release(node);
    return this.roots[this.firstDropped] !== 0;
  }
}
