/**
 * The large form of a sorted set: members found by their bytes, and kept in order of (score, member bytes).
 *
 *   root (16 bytes)   | hash table root | ordered tree root | 1 = the table is freed | - |
 *   entry             | hash | bits 0..23 member bytes | score f64 | member from byte 16 |      both structures name it
 *
 * Who holds the shard's latch reads and writes; nobody else does.
 *
 * Invariant 1: table and tree hold the same entries; the score of an entry is its key in the tree, and is not NaN.
 * Invariant 2: an entry changes its score only while it is out of the tree.
 */
import type { Arena } from '../../native-free-shm/arena.ts';
import { copyInto, LastView } from '../../native-free-shm/bytes.ts';
import type { HalfSipHash } from '../../native-free-shm/half-siphash.ts';
import { HashTable } from '../../native-free-shm/hash-table.ts';
import { OrderedTree, type TieBreak } from '../../native-free-shm/ordered-tree.ts';
import { compareViews, LEX_END, type LexRange, type ScoreRange } from './score-range.ts';

const OFFSET_MASK = 0x3ffffff;
const MEMBER_BYTES_MASK = 0xffffff;
const MEMBER_AT = 16;
const ROOT_BYTES = 16;
/** The longest member, in bytes. */
export const MAX_MEMBER_BYTES = 0xfffffe;

/** What the tie-break compares with. */
const PROBE_BYTES = 0;
const PROBE_BEFORE_ALL = 1;
const PROBE_BEHIND_ALL = -1;

export class SortedSetIndex implements TieBreak {
  readonly tree: OrderedTree;
  readonly table: HashTable;
  /** Hash of the member that `find` looked for last. */
  private hash = 0;
  private readonly arena: Arena;
  private readonly hasher: HalfSipHash;
  private probeView: DataView;
  private readonly views = new LastView();
  private probeStart = 0;
  private probeEnd = 0;
  private probe: number = PROBE_BYTES;

  constructor(arena: Arena, hasher: HalfSipHash) {
    this.arena = arena;
    this.hasher = hasher;
    this.table = new HashTable(arena, MEMBER_AT, MEMBER_AT);
    this.tree = new OrderedTree(arena, this);
    this.probeView = arena.view[0];
  }

  create(): number {
    const root = this.arena.allocate(ROOT_BYTES);
    const words = this.arena.i32[root >>> 26];
    const at = (root & OFFSET_MASK) << 2;
    words[at] = this.table.create();
    words[at + 1] = this.tree.create();
    words[at + 2] = 0;
    words[at + 3] = 0;
    return root;
  }

  tableOf(root: number): number {
    return this.arena.i32[root >>> 26][(root & OFFSET_MASK) << 2];
  }

  treeOf(root: number): number {
    return this.arena.i32[root >>> 26][((root & OFFSET_MASK) << 2) + 1];
  }

  count(root: number): number {
    return this.tree.count(this.treeOf(root));
  }

  /** The entry of a member, 0 where it is absent. */
  find(root: number, buf: Buffer, start: number, end: number): number {
    this.hash = this.hasher.hash(buf, start, end);
    return this.table.find(this.tableOf(root), this.hash, buf, start, end);
  }

  /** Adds the member that `find` has just not found. */
  insertMissing(root: number, buf: Buffer, start: number, end: number, score: number): void {
    this.link(root, this.newEntry(this.hash, buf, start, end, score), buf, start, end, score);
  }

  /** Adds a member that is known to be absent. */
  insert(root: number, buf: Buffer, start: number, end: number, score: number): void {
    this.hash = this.hasher.hash(buf, start, end);
    this.insertMissing(root, buf, start, end, score);
  }

  private link(root: number, entry: number, buf: Buffer, start: number, end: number, score: number): void {
    this.probeMember(buf, start, end);
    this.tree.insert(this.treeOf(root), score, entry);
    this.table.insert(this.tableOf(root), this.hash, entry);
  }

  private newEntry(hash: number, buf: Buffer, start: number, end: number, score: number): number {
    const length = end - start;
    const entry = this.arena.allocate(MEMBER_AT + length);
    const segment = entry >>> 26;
    const granule = entry & OFFSET_MASK;
    const words = this.arena.i32[segment];
    words[granule << 2] = hash;
    words[(granule << 2) + 1] = length;
    this.arena.f64[segment][(granule << 1) + 1] = score;
    copyInto(this.arena.buf[segment], (granule << 4) + MEMBER_AT, buf, start, length);
    return entry;
  }

  /** Gives an entry another score. */
  setScore(root: number, entry: number, score: number): void {
    const tree = this.treeOf(root);
    this.probeEntry(entry);
    if (this.tree.remove(tree, this.scoreOf(entry)) !== entry)
      throw new Error('sorted set: a member is not in the tree');
    this.arena.willChange(entry);
    this.arena.f64[entry >>> 26][((entry & OFFSET_MASK) << 1) + 1] = score;
    this.tree.insert(tree, score, entry);
  }

  /** Takes an entry out and frees it. */
  remove(root: number, entry: number): void {
    this.probeEntry(entry);
    if (this.tree.remove(this.treeOf(root), this.scoreOf(entry)) !== entry)
      throw new Error('sorted set: a member is not in the tree');
    this.drop(root, entry);
  }

  /** The same with the element of that rank, which exists. */
  removeRank(root: number, rank: number): void {
    this.drop(root, this.tree.removeRank(this.treeOf(root), rank));
  }

  /** Takes an entry that is not in the tree any more out of the table, and frees it. */
  private drop(root: number, entry: number): void {
    const hash = this.arena.i32[entry >>> 26][(entry & OFFSET_MASK) << 2];
    this.table.remove(this.tableOf(root), hash, entry);
    this.arena.release(entry);
  }

  scoreOf(entry: number): number {
    return this.arena.f64[entry >>> 26][((entry & OFFSET_MASK) << 1) + 1];
  }

  /** Byte where the member begins in the buffer of the entry's segment. */
  memberStart(entry: number): number {
    return ((entry & OFFSET_MASK) << 4) + MEMBER_AT;
  }

  memberBytes(entry: number): number {
    return this.arena.i32[entry >>> 26][((entry & OFFSET_MASK) << 2) + 1] & MEMBER_BYTES_MASK;
  }

  // ---- places

  /** How many elements stand before this one. */
  rankOf(root: number, entry: number): number {
    const tree = this.treeOf(root);
    this.probeEntry(entry);
    if (!this.tree.seek(tree, this.scoreOf(entry), false)) throw new Error('sorted set: a member is not in the tree');
    return this.tree.rank(tree);
  }

  /** How many elements stand before a range of scores. */
  countBelow(root: number, range: ScoreRange): number {
    if (range.min === Number.NEGATIVE_INFINITY && !range.minExcluded) return 0;
    this.probe = range.minExcluded ? PROBE_BEHIND_ALL : PROBE_BEFORE_ALL;
    return this.rankAt(root, range.min, false);
  }

  /** How many elements stand before the end of a range of scores. */
  countUpTo(root: number, range: ScoreRange): number {
    if (range.max === Number.POSITIVE_INFINITY && !range.maxExcluded) return this.count(root);
    this.probe = range.maxExcluded ? PROBE_BEFORE_ALL : PROBE_BEHIND_ALL;
    return this.rankAt(root, range.max, false);
  }

  /** The same for a range of members; meaningful where all scores are equal. */
  countBelowLex(root: number, range: LexRange): number {
    if (range.minKind === LEX_END.first) return 0;
    if (range.minKind === LEX_END.last) return this.count(root);
    this.probeMember(range.buf, range.minStart, range.minEnd);
    return this.rankAt(root, this.firstScore(root), range.minKind === LEX_END.excluded);
  }

  countUpToLex(root: number, range: LexRange): number {
    if (range.maxKind === LEX_END.first) return 0;
    if (range.maxKind === LEX_END.last) return this.count(root);
    this.probeMember(range.buf, range.maxStart, range.maxEnd);
    return this.rankAt(root, this.firstScore(root), range.maxKind === LEX_END.included);
  }

  private firstScore(root: number): number {
    return this.tree.first(this.treeOf(root)) ? this.tree.key() : 0;
  }

  private rankAt(root: number, score: number, after: boolean): number {
    const tree = this.treeOf(root);
    return this.tree.seek(tree, score, after) ? this.tree.rank(tree) : this.tree.count(tree);
  }

  private probeMember(buf: Buffer, start: number, end: number): void {
    this.probeBytes(this.views.of(buf), start, end);
  }

  private probeBytes(view: DataView, start: number, end: number): void {
    this.probe = PROBE_BYTES;
    this.probeView = view;
    this.probeStart = start;
    this.probeEnd = end;
  }

  private probeEntry(entry: number): void {
    const start = this.memberStart(entry);
    this.probeBytes(this.arena.view[entry >>> 26], start, start + this.memberBytes(entry));
  }

  /** For the tree. */
  compare(entry: number): number {
    if (this.probe !== PROBE_BYTES) return this.probe;
    const start = ((entry & OFFSET_MASK) << 4) + MEMBER_AT;
    const end = start + this.memberBytes(entry);
    return compareViews(this.arena.view[entry >>> 26], start, end, this.probeView, this.probeStart, this.probeEnd);
  }

  // ---- the whole set

  /** Bytes that adding `members` members of `memberBytes` bytes in all may allocate at most; root 0: to a new set. */
  growthBytes(root: number, members: number, memberBytes: number): number {
    const table = root === 0 ? 0 : this.tableOf(root);
    const tree = root === 0 ? 0 : this.treeOf(root);
    // blocks up to 512 bytes come in steps of 16, longer ones are at most an eighth too long, up to a page
    const blocks = members * (MEMBER_AT + 16) + memberBytes * 1.25 + Math.min(members, memberBytes / 4096) * 4096;
    return (
      Math.ceil(blocks) + this.table.growthBytes(table, members) + this.tree.growthBytes(members, tree) + ROOT_BYTES
    );
  }

  /** Frees up to about `budget` blocks; false when all is freed. */
  releaseStep(root: number, budget: number): boolean {
    const words = this.arena.i32[root >>> 26];
    const at = (root & OFFSET_MASK) << 2;
    if (words[at + 2] === 0) {
      // a bucket has about nine entries
      if (this.table.releaseStep(words[at], Math.ceil(budget / 8), this.releaseEntry)) return true;
      this.arena.willChange(root);
      words[at + 2] = 1;
      return true;
    }
    if (this.tree.releaseStep(words[at + 1], budget)) return true;
    this.arena.release(root);
    return false;
  }

  private readonly releaseEntry = (entry: number): void => this.arena.release(entry);

  memoryBytes(root: number, samples: number): number {
    const tree = this.treeOf(root);
    const count = this.tree.count(tree);
    const looked = samples === 0 ? count : Math.min(samples, count);
    let bytes = 0;
    if (looked > 0) this.tree.first(tree);
    for (let i = 0; i < looked; i++) {
      bytes += this.arena.blockBytes(this.tree.entry());
      this.tree.next();
    }
    const entries = looked === 0 ? 0 : (bytes / looked) * count;
    return Math.round(ROOT_BYTES + entries + this.table.bytes(this.tableOf(root)) + this.tree.bytes(tree));
  }

  /** Throws on a broken invariant. For tests and DEBUG. */
  check(root: number): void {
    this.table.check(this.tableOf(root));
    let last = 0;
    let elements = 0;
    this.tree.check(this.treeOf(root), (key, entry) => {
      const start = this.memberStart(entry);
      const buf = this.arena.buf[entry >>> 26];
      if (this.scoreOf(entry) !== key)
        throw new Error(`sorted set: an entry of score ${this.scoreOf(entry)} at ${key}`);
      if (this.find(root, buf, start, start + this.memberBytes(entry)) !== entry)
        throw new Error('sorted set: a member of the tree is not in the table');
      if (last !== 0 && this.scoreOf(last) === key) {
        this.probeEntry(last);
        if (this.compare(entry) <= 0) throw new Error('sorted set: members of one score out of order');
      }
      last = entry;
      elements++;
    });
    if (this.table.count(this.tableOf(root)) !== elements) throw new Error('sorted set: table and tree differ');
  }
}
