/**
 * Sorted sets of one shard: members with scores, in order of (score, member bytes).
 *
 *   encoding 0, "listpack"   a compact list, up to the limits of the settings      sorted-set-list.ts
 *   encoding 1, "skiplist"   hash table and ordered tree over the same entries     sorted-set-index.ts
 *
 * Stateless but for registers. What changes a set leaves its root and encoding, which may be others, in `root` and `encoding`.
 * The cursor and the member registers are valid until the next change; looking members up does not move the cursor.
 *
 * Invariant 1: a set turns from encoding 0 to 1 and never back; only storing a whole new one chooses anew.
 * Invariant 2: no score is NaN.
 */
import type { Arena } from '../../native-free-shm/arena.ts';
import type { HalfSipHash } from '../../native-free-shm/half-siphash.ts';
import type { LexRange, ScoreRange } from './score-range.ts';
import type { SizeLimits } from './size-limits.ts';
import { SortedSetIndex } from './sorted-set-index.ts';
import { SortedSetList } from './sorted-set-list.ts';
import type { ValueKind } from './value-kind.ts';

const LIST = 0;
/** A compact list never grows beyond this. */
const MAX_LIST_BYTES = 2 ** 30;
/** Backward length and encoding of a member and its score, at most. */
const LIST_PAIR_BYTES = 48;

/** Fewer elements are always taken out one by one. */
const LEFT_BEHIND = 1024;
/** No block of a large set is longer: a member may have 16 MiB. */
const LARGEST_BLOCK = 1 << 25;

/** Conditions of `add`. */
export const ADD_FLAG = { increment: 1, onlyNew: 2, onlyPresent: 4, onlyGreater: 8, onlyLess: 16 } as const;
const { increment: INCREMENT, onlyNew: ONLY_NEW, onlyPresent: ONLY_PRESENT } = ADD_FLAG;
const { onlyGreater: ONLY_GREATER, onlyLess: ONLY_LESS } = ADD_FLAG;
/** Outcomes of `add`. `kept`: the member has that score already. */
export const ADD_RESULT = { refused: 0, kept: 1, updated: 2, added: 3, notANumber: 4 } as const;

export class SortedSets implements ValueKind {
  readonly index: SortedSetIndex;
  readonly small: SortedSetList;
  /** Registers of the changing methods. */
  root = 0;
  encoding = LIST;
  /** Register of `find`, `add` and `loadElement`. */
  score = 0;
  /** Registers of `loadMember` and `loadElement`: the member's bytes. */
  mBuf: Buffer;
  mView: DataView;
  mStart = 0;
  mEnd = 0;
  /** Registers of the range methods: ranks from … to - 1. */
  from = 0;
  to = 0;

  private readonly arena: Arena;
  private readonly limits: SizeLimits;
  private cursorRoot = 0;
  /** Place in the list; encoding 1 uses the tree's cursor. */
  private cursorAt = 0;
  private cursorEncoding = LIST;

  constructor(arena: Arena, hasher: HalfSipHash, limits: SizeLimits) {
    this.arena = arena;
    this.limits = limits;
    this.index = new SortedSetIndex(arena, hasher);
    this.small = new SortedSetList(arena);
    this.mBuf = arena.buf[0];
    this.mView = arena.view[0];
  }

  // ---- ValueKind

  encodingName(encoding: number): string {
    return encoding === LIST ? 'listpack' : 'skiplist';
  }

  count(root: number, encoding: number): number {
    return encoding === LIST ? this.small.count(root) : this.index.count(root);
  }

  freeEffort(root: number, encoding: number): number {
    return encoding === LIST ? 1 : this.index.count(root) + 4;
  }

  releaseStep(root: number, encoding: number, budget: number): boolean {
    if (encoding !== LIST) return this.index.releaseStep(root, budget);
    this.arena.release(root);
    return false;
  }

  memoryBytes(root: number, encoding: number, samples: number): number {
    return encoding === LIST ? this.arena.blockBytes(root) : this.index.memoryBytes(root, samples);
  }

  /** Throws on a broken invariant. For tests and DEBUG. */
  check(root: number, encoding: number): void {
    if (encoding === LIST) this.small.check(root);
    else this.index.check(root);
  }

  // ---- creation

  /** A new set in `root` and `encoding`, in the form that `members` members, the longest of so many bytes, will have. */
  create(members: number, longestBytes: number, allBytes = 0): void {
    const limits = this.limits;
    const isSmall =
      members <= limits.sortedSetMaxListpackEntries &&
      longestBytes <= limits.sortedSetMaxListpackValue &&
      allBytes + members * LIST_PAIR_BYTES < MAX_LIST_BYTES;
    this.encoding = isSmall ? LIST : 1;
    this.root = isSmall ? this.small.list.create() : this.index.create();
  }

  /** Adds a member that is absent and stands behind all others to the set in `root` and `encoding`, whose form it fits. */
  append(buf: Buffer, start: number, end: number, score: number): void {
    if (this.encoding === LIST) this.root = this.small.append(this.root, buf, start, end, score);
    else this.index.insert(this.root, buf, start, end, score);
  }

  /** Bytes that adding so many members of `memberBytes` bytes in all may allocate at most, a change of form included; root 0: a new set. */
  growthBytes(root: number, encoding: number, members: number, memberBytes: number): number {
    if (root === 0) return this.index.growthBytes(0, members, memberBytes) + memberBytes + members * LIST_PAIR_BYTES;
    if (encoding !== LIST) return this.index.growthBytes(root, members, memberBytes);
    const list = this.small.list.bytes(root);
    const all = this.small.count(root) + members;
    return this.index.growthBytes(0, all, list + memberBytes) + (list + memberBytes + members * LIST_PAIR_BYTES) * 2;
  }

  /** Turns a small set that is to get `members` members at once into a large one where they cannot fit. */
  expect(root: number, encoding: number, members: number): void {
    this.root = root;
    this.encoding = encoding;
    if (encoding === LIST && members > this.limits.sortedSetMaxListpackEntries) this.enlarge();
  }

  private enlarge(): void {
    const { small, index } = this;
    const list = small.list;
    const from = this.root;
    const to = index.create();
    for (let at = list.first(from); at !== 0; at = small.next(from, at)) {
      const score = small.scoreAt(from, at);
      list.read(from, at);
      index.insert(to, list.vBuf, list.vStart, list.vEnd, score);
    }
    this.arena.release(from);
    this.root = to;
    this.encoding = 1;
  }

  // ---- members

  /** Looks a member up; true: its score is in `score`. */
  find(root: number, encoding: number, buf: Buffer, start: number, end: number): boolean {
    if (encoding === LIST) {
      const at = this.small.find(root, buf, start, end);
      if (at === 0) return false;
      this.score = this.small.scoreAt(root, at);
      return true;
    }
    const entry = this.index.find(root, buf, start, end);
    if (entry === 0) return false;
    this.score = this.index.scoreOf(entry);
    return true;
  }

  /** Rank of a member, and its score in `score`; -1 where it is absent. */
  rankOf(root: number, encoding: number, buf: Buffer, start: number, end: number): number {
    if (encoding === LIST) {
      const at = this.small.find(root, buf, start, end);
      if (at === 0) return -1;
      this.score = this.small.scoreAt(root, at);
      return this.small.rankOf(root, at);
    }
    const entry = this.index.find(root, buf, start, end);
    if (entry === 0) return -1;
    this.score = this.index.scoreOf(entry);
    return this.index.rankOf(root, entry);
  }

  /**
   * Adds a member or changes its score, as the ADD_FLAGs in `flags` allow; an ADD_RESULT. The score that the member has then is in
   * `score`. The bytes must lie outside the arena.
   */
  add(root: number, encoding: number, buf: Buffer, start: number, end: number, score: number, flags: number): number {
    this.root = root;
    this.encoding = encoding;
    const place = encoding === LIST ? this.small.find(root, buf, start, end) : this.index.find(root, buf, start, end);
    if (place === 0) {
      if ((flags & ONLY_PRESENT) !== 0) return ADD_RESULT.refused;
      this.score = score;
      this.addMissing(buf, start, end, score);
      return ADD_RESULT.added;
    }
    if ((flags & ONLY_NEW) !== 0) return ADD_RESULT.refused;
    const present = encoding === LIST ? this.small.scoreAt(root, place) : this.index.scoreOf(place);
    if ((flags & INCREMENT) !== 0) {
      score += present;
      if (Number.isNaN(score)) return ADD_RESULT.notANumber;
    }
    this.score = score;
    if ((flags & ONLY_GREATER) !== 0 && score <= present) return ADD_RESULT.refused;
    if ((flags & ONLY_LESS) !== 0 && score >= present) return ADD_RESULT.refused;
    if (score === present) return ADD_RESULT.kept;
    if (encoding === LIST) this.root = this.small.insert(this.small.remove(root, place), buf, start, end, score);
    else this.index.setScore(root, place, score);
    return ADD_RESULT.updated;
  }

  private addMissing(buf: Buffer, start: number, end: number, score: number): void {
    if (this.encoding === LIST) {
      const { limits, small } = this;
      if (
        small.count(this.root) < limits.sortedSetMaxListpackEntries &&
        end - start <= limits.sortedSetMaxListpackValue &&
        small.list.bytes(this.root) + end - start + LIST_PAIR_BYTES < MAX_LIST_BYTES
      ) {
        this.root = small.insert(this.root, buf, start, end, score);
        return;
      }
      this.enlarge();
      this.index.insert(this.root, buf, start, end, score);
      return;
    }
    this.index.insertMissing(this.root, buf, start, end, score);
  }

  /** Takes a member out; false: it is absent. An emptied set stays, for its key's owner to remove. */
  remove(root: number, encoding: number, buf: Buffer, start: number, end: number): boolean {
    this.root = root;
    this.encoding = encoding;
    if (encoding === LIST) {
      const at = this.small.find(root, buf, start, end);
      if (at === 0) return false;
      this.root = this.small.remove(root, at);
      return true;
    }
    const entry = this.index.find(root, buf, start, end);
    if (entry === 0) return false;
    this.index.remove(root, entry);
    return true;
  }

  /** Takes out the `count` elements from rank `rank` on. */
  removeRange(root: number, encoding: number, rank: number, count: number): void {
    this.root = root;
    this.encoding = encoding;
    if (encoding === LIST) {
      const at = this.small.seek(root, rank);
      if (at !== 0 && count > 0) this.root = this.small.remove(root, at, count);
      return;
    }
    const { index } = this;
    for (let left = Math.min(count, index.count(root) - rank); left > 0; left--) index.removeRank(root, rank);
  }

  /**
   * The same for many elements of which fewer stay: a new set, in `root` and `encoding`, gets what stays, and the old one is the caller's
   * to drop. False: that is not worth it, or there is no room for it; nothing has changed.
   */
  leaveBehind(root: number, encoding: number, rank: number, count: number): boolean {
    const rest = this.count(root, encoding) - count;
    if (encoding === LIST || count < LEFT_BEHIND || rest > count) return false;
    const { index, arena } = this;
    const end = rank + count;
    const bytes = this.memberBytesOf(root, 0, rank) + this.memberBytesOf(root, end, rest - rank);
    const room = index.growthBytes(0, rest, bytes);
    if (!arena.reserve(room, Math.min(room, LARGEST_BLOCK))) return false;
    this.root = index.create();
    this.encoding = encoding;
    this.copyRange(root, 0, rank);
    this.copyRange(root, end, rest - rank);
    return true;
  }

  /** Bytes of `count` members from rank `rank` on, of encoding 1. */
  private memberBytesOf(root: number, rank: number, count: number): number {
    let bytes = 0;
    if (count > 0) this.seekRank(root, 1, rank);
    for (; count > 0; count--) {
      bytes += this.index.memberBytes(this.index.tree.entry());
      this.next();
    }
    return bytes;
  }

  /** Appends `count` elements of a set of encoding 1, from rank `rank` on, to the one in `root`. */
  private copyRange(from: number, rank: number, count: number): void {
    if (count > 0) this.seekRank(from, 1, rank);
    for (; count > 0; count--) {
      this.loadElement();
      this.index.insert(this.root, this.mBuf, this.mStart, this.mEnd, this.score);
      this.next();
    }
  }

  // ---- ranges

  /** Finds the ranks of a range of scores: `from` … `to` - 1. */
  scoreRange(root: number, encoding: number, range: ScoreRange): void {
    if (encoding !== LIST) {
      this.from = this.index.countBelow(root, range);
      this.to = Math.max(this.from, this.index.countUpTo(root, range));
      return;
    }
    const { small } = this;
    let rank = 0;
    let at = small.list.first(root);
    for (; at !== 0 && range.isBelow(small.scoreAt(root, at)); at = small.next(root, at)) rank++;
    this.from = rank;
    for (; at !== 0 && !range.isAbove(small.scoreAt(root, at)); at = small.next(root, at)) rank++;
    this.to = rank;
  }

  /** The same for a range of members. */
  lexRange(root: number, encoding: number, range: LexRange): void {
    this.from = 0;
    this.to = 0;
    if (range.isEmpty()) return;
    if (encoding !== LIST) {
      this.from = this.index.countBelowLex(root, range);
      this.to = Math.max(this.from, this.index.countUpToLex(root, range));
      return;
    }
    const { small } = this;
    const list = small.list;
    let rank = 0;
    let at = list.first(root);
    for (; at !== 0; at = small.next(root, at), rank++) {
      list.read(root, at);
      if (!range.isBelow(list.vBuf, list.vStart, list.vEnd)) break;
    }
    this.from = rank;
    for (; at !== 0; at = small.next(root, at), rank++) {
      list.read(root, at);
      if (range.isAbove(list.vBuf, list.vStart, list.vEnd)) break;
    }
    this.to = rank;
  }

  // ---- cursor

  /** Puts the cursor on the element of that rank; false: there is none. */
  seekRank(root: number, encoding: number, rank: number): boolean {
    this.cursorRoot = root;
    this.cursorEncoding = encoding;
    if (encoding !== LIST) return this.index.tree.seekRank(this.index.treeOf(root), rank);
    this.cursorAt = this.small.seek(root, rank);
    return this.cursorAt !== 0;
  }

  /** To the next element; false: there is none, and the cursor is void. */
  next(): boolean {
    if (this.cursorEncoding !== LIST) return this.index.tree.next();
    this.cursorAt = this.small.next(this.cursorRoot, this.cursorAt);
    return this.cursorAt !== 0;
  }

  prev(): boolean {
    if (this.cursorEncoding !== LIST) return this.index.tree.prev();
    this.cursorAt = this.small.prev(this.cursorRoot, this.cursorAt);
    return this.cursorAt !== 0;
  }

  /** Fills the member registers with the cursor's element. */
  loadMember(): void {
    if (this.cursorEncoding !== LIST) {
      const entry = this.index.tree.entry();
      this.loadEntry(entry);
      return;
    }
    const list = this.small.list;
    list.read(this.cursorRoot, this.cursorAt);
    this.mBuf = list.vBuf;
    this.mView = list.vView;
    this.mStart = list.vStart;
    this.mEnd = list.vEnd;
  }

  /** Fills the member registers and `score`. */
  loadElement(): void {
    if (this.cursorEncoding !== LIST) this.score = this.index.tree.key();
    else this.score = this.small.scoreAt(this.cursorRoot, this.cursorAt);
    this.loadMember();
  }

  /** Fills the member registers with the member of an entry of encoding 1. */
  loadEntry(entry: number): void {
    this.mBuf = this.arena.buf[entry >>> 26];
    this.mView = this.arena.view[entry >>> 26];
    this.mStart = this.index.memberStart(entry);
    this.mEnd = this.mStart + this.index.memberBytes(entry);
  }
}
