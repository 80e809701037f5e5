/**
 * Counted B+ tree in an arena: elements (key f64, entry int32) in order of their keys, equal keys in the order that the owner's
 * tie-break gives them. Finds by key, finds by rank, tells the rank of what it found.
 *
 *   root (32 bytes)      count, top node, height, first and last leaf, numbers of nodes                  TREE_ROOT_FIELDS
 *   inner (1024 bytes)   | n - - - | 50 first keys f64 | 50 first entries | 50 child handles | 50 element counts |
 *   leaf (768 bytes)     | n room previous next | `room` keys f64 | `room` entries |      room 62; an only leaf starts at 4
 *
 *   12 bytes per element in a full leaf; 12.7 with everything after ascending or descending inserts (a split at an end of the
 *   tree leaves the full node full), about 18.5 after random ones.
 *
 * Stateless but for the cursor: a tree is a root handle, everything lies in the arena, every method runs under the shard's latch.
 * The owner sets its probe (whatever tie.compare compares with) before each call that takes a key. The tree never looks into an
 * entry. Cursor registers are valid until the next change of that tree, or the next seek in any tree of this object.
 *
 * Invariant 1: all leaves are `height` inner nodes below the top; they are linked in order, 0 at both ends. No node is empty;
 *              an empty tree has top 0. A top that is an inner node has two children or more.
 * Invariant 2: slot i of an inner node names child i, the number of elements below it, and the key and entry of the first of these.
 * Invariant 3: elements are strictly ascending by (key, tie-break).
 * Invariant 4: a removal joins its leaf (then that one's parent …) with a neighbour under the same parent if both together fill
 *              no more than three quarters of a node; so two such neighbours hold more, or have never been removed from.
 * Invariant 5: only create and insert allocate: at most growthBytes(n, root) for n inserts. Every block that changes is announced.
 */
import { checkTree } from './tree-check.ts';
import {
  CHILDREN,
  COUNT,
  COUNTS,
  FILLED,
  FIRST_LEAF,
  FIRST_ROOM,
  FIRSTS,
  HEADER_F64,
  HEADER_WORDS,
  HEIGHT,
  INNER_BYTES,
  INNER_HALF,
  INNER_JOIN,
  INNER_ROOM,
  INNERS,
  LAST_LEAF,
  LEAF_BYTES,
  LEAF_HALF,
  LEAF_JOIN,
  LEAF_ROOM,
  LEAVES,
  MAX_HEIGHT,
  NEXT,
  PREVIOUS,
  ROOM,
  ROOT_BYTES,
  SECOND_ROOM,
  THIRD_ROOM,
  TOP,
  TreeNodes,
} from './tree-nodes.ts';

export { type TieBreak, TREE_ROOT_FIELDS } from './tree-nodes.ts';

const OFFSET_MASK = 0x3ffffff;

export class OrderedTree extends TreeNodes {
  /** Cursor. */
  private leaf = 0;
  private index = 0;
  private filled = 0;
  private position = 0;
  private keys: Float64Array = new Float64Array(0);
  private keysAt = 0;
  private entries: Int32Array = new Int32Array(0);
  private entriesAt = 0;

  /** A new, empty tree; returns its root. */
  create(): number {
    const root = this.arena.allocate(ROOT_BYTES);
    const r = this.i32[root >>> 26];
    const at = (root & OFFSET_MASK) << 2;
    for (let i = 0; i < ROOT_BYTES / 4; i++) r[at + i] = 0;
    return root;
  }

  /** Elements. */
  count(root: number): number {
    return this.i32[root >>> 26][((root & OFFSET_MASK) << 2) + COUNT];
  }

  /** Adds (key, entry), to which the owner has set its probe. Throws if it is there already, or if the key is NaN. */
  insert(root: number, key: number, entry: number): void {
    if (Number.isNaN(key)) throw new RangeError('tree: NaN is no key');
    const { arena, i32 } = this;
    const r = i32[root >>> 26];
    const rootAt = (root & OFFSET_MASK) << 2;
    let leaf = r[rootAt + TOP] === 0 ? 0 : this.descend(root, key);
    const place = leaf === 0 ? 0 : this.placeIn(leaf, key, false);
    if (leaf !== 0 && this.isProbe(leaf, place, key)) throw new Error('tree: the element is there already');
    arena.willChange(root);
    r[rootAt + COUNT]++;
    if (leaf === 0) leaf = this.openFirstLeaf(r, rootAt);
    this.addToCounts(1);
    const at = (leaf & OFFSET_MASK) << 2;
    const words = i32[leaf >>> 26];
    if (words[at + FILLED] === words[at + ROOM]) {
      if (words[at + ROOM] === LEAF_ROOM) {
        this.splitLeaf(root, leaf, place, key, entry);
        return;
      }
      leaf = this.growOnlyLeaf(r, rootAt, leaf);
    }
    this.putElement(leaf, place, key, entry);
    if (place === 0) this.setFirsts(this.depth - 1, key, entry);
  }

  /** Takes the element (key, probe) out; returns its entry, 0 if it is not there. */
  remove(root: number, key: number): number {
    if (this.count(root) === 0) return 0;
    const leaf = this.descend(root, key);
    const place = this.placeIn(leaf, key, false);
    return this.isProbe(leaf, place, key) ? this.takeOut(root, leaf, place) : 0;
  }

  /** Takes the element of that rank, 0 … count - 1, out and returns its entry. Asks for no probe. */
  removeRank(root: number, rank: number): number {
    const leaf = this.descendToRank(root, rank);
    return this.takeOut(root, leaf, rank - this.before);
  }

  /** Takes out the element at a place of the leaf to which the path leads; returns its entry. */
  private takeOut(root: number, leaf: number, place: number): number {
    const { arena, i32 } = this;
    const r = i32[root >>> 26];
    const rootAt = (root & OFFSET_MASK) << 2;
    arena.willChange(root);
    r[rootAt + COUNT]--;
    this.addToCounts(-1);
    const entry = this.takeElement(leaf, place);
    const words = i32[leaf >>> 26];
    const at = (leaf & OFFSET_MASK) << 2;
    if (words[at + FILLED] === 0) {
      this.dropLeaf(r, rootAt, leaf);
      this.settle(r, rootAt, this.takeChild(r, rootAt, this.depth - 1));
      return entry;
    }
    if (place === 0) {
      const first = words[at + HEADER_WORDS + words[at + ROOM] * 2];
      this.setFirsts(this.depth - 1, this.f64[leaf >>> 26][(at >> 1) + HEADER_F64], first);
    }
    if (words[at + FILLED] <= LEAF_HALF) this.settle(r, rootAt, this.depth);
    return entry;
  }

  /** The element (key, probe), whose present entry is still readable, gets another entry. Throws if it is not there. */
  replaceEntry(root: number, key: number, entry: number): void {
    const leaf = this.count(root) === 0 ? 0 : this.descend(root, key);
    const place = leaf === 0 ? 0 : this.placeIn(leaf, key, false);
    if (leaf === 0 || !this.isProbe(leaf, place, key)) throw new Error('tree: no such element');
    const words = this.i32[leaf >>> 26];
    const at = (leaf & OFFSET_MASK) << 2;
    this.arena.willChange(leaf);
    words[at + HEADER_WORDS + words[at + ROOM] * 2 + place] = entry;
    if (place === 0) this.setFirsts(this.depth - 1, this.f64[leaf >>> 26][(at >> 1) + HEADER_F64], entry);
  }

  // ---- cursor

  /** Puts the cursor on the first element >= (key, probe), `after`: > (key, probe). False: there is none. */
  seek(root: number, key: number, after: boolean): boolean {
    if (this.count(root) === 0) return false;
    const leaf = this.descend(root, key);
    const place = this.placeIn(leaf, key, after);
    const words = this.i32[leaf >>> 26];
    const at = (leaf & OFFSET_MASK) << 2;
    if (place < words[at + FILLED]) this.setCursor(leaf, place, this.before + place);
    else if (words[at + NEXT] !== 0) this.setCursor(words[at + NEXT], 0, this.before + place);
    else return false;
    return true;
  }

  /** Puts the cursor on the element of that rank, 0 … count - 1. False: there is none. */
  seekRank(root: number, rank: number): boolean {
    const r = this.i32[root >>> 26];
    const rootAt = (root & OFFSET_MASK) << 2;
    if (!(rank >= 0 && rank < r[rootAt + COUNT])) return false;
    let node = r[rootAt + TOP];
    let left = rank;
    for (let level = r[rootAt + HEIGHT]; level > 0; level--) {
      const words = this.i32[node >>> 26];
      const at = (node & OFFSET_MASK) << 2;
      let child = 0;
      while (left >= words[at + COUNTS + child]) left -= words[at + COUNTS + child++];
      node = words[at + CHILDREN + child];
    }
    this.setCursor(node, left, rank);
    return true;
  }

  /** Rank of the cursor's element. */
  rank(_root: number): number {
    return this.position;
  }

  first(root: number): boolean {
    const leaf = this.i32[root >>> 26][((root & OFFSET_MASK) << 2) + FIRST_LEAF];
    if (leaf === 0) return false;
    this.setCursor(leaf, 0, 0);
    return true;
  }

  last(root: number): boolean {
    const r = this.i32[root >>> 26];
    const rootAt = (root & OFFSET_MASK) << 2;
    const leaf = r[rootAt + LAST_LEAF];
    if (leaf === 0) return false;
    this.setCursor(leaf, this.i32[leaf >>> 26][((leaf & OFFSET_MASK) << 2) + FILLED] - 1, r[rootAt + COUNT] - 1);
    return true;
  }

  /** To the next element; false: there is none, and the cursor stays. */
  next(): boolean {
    if (this.index + 1 < this.filled) {
      this.index++;
      this.position++;
      return true;
    }
    const next = this.i32[this.leaf >>> 26][((this.leaf & OFFSET_MASK) << 2) + NEXT];
    if (next === 0) return false;
    this.setCursor(next, 0, this.position + 1);
    return true;
  }

  /** To the element before; false: there is none, and the cursor stays. */
  prev(): boolean {
    if (this.index > 0) {
      this.index--;
      this.position--;
      return true;
    }
    const previous = this.i32[this.leaf >>> 26][((this.leaf & OFFSET_MASK) << 2) + PREVIOUS];
    if (previous === 0) return false;
    const filled = this.i32[previous >>> 26][((previous & OFFSET_MASK) << 2) + FILLED];
    this.setCursor(previous, filled - 1, this.position - 1);
    return true;
  }

  /** The cursor's element. */
  entry(): number {
    return this.entries[this.entriesAt + this.index];
  }

  key(): number {
    return this.keys[this.keysAt + this.index];
  }

  // ---- the whole tree

  /**
   * Frees a tree that nobody uses any more, up to `budget` leaves per call, and looks at no entry. False when all is freed, the
   * root included.
   */
  releaseStep(root: number, budget: number): boolean {
    const { arena, i32, pathNode } = this;
    const r = i32[root >>> 26];
    const rootAt = (root & OFFSET_MASK) << 2;
    for (; budget > 0 && r[rootAt + TOP] !== 0; budget--) {
      let node = r[rootAt + TOP];
      let depth = 0;
      for (; depth < r[rootAt + HEIGHT]; depth++) {
        const at = (node & OFFSET_MASK) << 2;
        pathNode[depth] = node;
        node = i32[node >>> 26][at + CHILDREN + i32[node >>> 26][at + FILLED] - 1];
      }
      for (;;) {
        arena.release(node);
        if (--depth < 0) break;
        node = pathNode[depth];
        arena.willChange(node);
        if (--i32[node >>> 26][((node & OFFSET_MASK) << 2) + FILLED] > 0) break;
      }
      if (depth >= 0) continue;
      arena.willChange(root);
      r[rootAt + TOP] = 0;
    }
    if (r[rootAt + TOP] !== 0) return true;
    arena.release(root);
    return false;
  }

  /** Bytes of root and nodes. */
  bytes(root: number): number {
    const r = this.i32[root >>> 26];
    const rootAt = (root & OFFSET_MASK) << 2;
    if (r[rootAt + TOP] === 0) return ROOT_BYTES;
    if (r[rootAt + HEIGHT] === 0) return ROOT_BYTES + this.arena.blockBytes(r[rootAt + TOP]);
    return ROOT_BYTES + r[rootAt + LEAVES] * LEAF_BYTES + r[rootAt + INNERS] * INNER_BYTES;
  }

  /**
   * Bytes that `inserts` inserts may allocate at most: into the tree `root`, 0: into a tree to be created. Without a root: into
   * any tree, which is much more for many inserts, because each could meet a full leaf of its own.
   */
  growthBytes(inserts: number, root?: number): number {
    let fullNodes = inserts;
    if (root === 0) {
      fullNodes = 0;
    } else if (root !== undefined) {
      const r = this.i32[root >>> 26];
      const rootAt = (root & OFFSET_MASK) << 2;
      fullNodes = Math.min(inserts, r[rootAt + LEAVES] + r[rootAt + INNERS]);
    }
    // a node that has split takes half its room in inserts until it splits again; a split at the end leaves two such nodes
    const splits = fullNodes + Math.ceil(inserts / (LEAF_HALF / 2));
    return (
      ROOT_BYTES + 64 + 160 + 384 + 2 * LEAF_BYTES + splits * (LEAF_BYTES + INNER_BYTES) + MAX_HEIGHT * INNER_BYTES
    );
  }

  /** Throws on a broken invariant; `visit` gets the elements in order. For tests and DEBUG. */
  check(root: number, visit: (key: number, entry: number) => void = () => {}): void {
    checkTree(this.arena, root, visit);
  }

  private setCursor(leaf: number, index: number, position: number): void {
    const words = this.i32[leaf >>> 26];
    const at = (leaf & OFFSET_MASK) << 2;
    this.leaf = leaf;
    this.index = index;
    this.position = position;
    this.filled = words[at + FILLED];
    this.keys = this.f64[leaf >>> 26];
    this.keysAt = (at >> 1) + HEADER_F64;
    this.entries = words;
    this.entriesAt = at + HEADER_WORDS + words[at + ROOM] * 2;
  }

  // ---- growth

  private openFirstLeaf(r: Int32Array, rootAt: number): number {
    const leaf = this.newLeaf(FIRST_ROOM);
    r[rootAt + TOP] = leaf;
    r[rootAt + FIRST_LEAF] = leaf;
    r[rootAt + LAST_LEAF] = leaf;
    r[rootAt + LEAVES] = 1;
    this.depth = 0;
    return leaf;
  }

  private growOnlyLeaf(r: Int32Array, rootAt: number, leaf: number): number {
    const room = this.i32[leaf >>> 26][((leaf & OFFSET_MASK) << 2) + ROOM];
    const wide = this.newLeaf(room < SECOND_ROOM ? SECOND_ROOM : room < THIRD_ROOM ? THIRD_ROOM : LEAF_ROOM);
    this.copyElements(leaf, 0, room, wide, 0);
    this.i32[wide >>> 26][((wide & OFFSET_MASK) << 2) + FILLED] = room;
    this.arena.release(leaf);
    r[rootAt + TOP] = wide;
    r[rootAt + FIRST_LEAF] = wide;
    r[rootAt + LAST_LEAF] = wide;
    return wide;
  }

  /** Divides a full leaf for a new element at `place`; at an end of the tree the full one stays as it is. */
  private splitLeaf(root: number, leaf: number, place: number, key: number, entry: number): void {
    const { arena, i32 } = this;
    const right = this.newLeaf(LEAF_ROOM);
    const words = i32[leaf >>> 26];
    const at = (leaf & OFFSET_MASK) << 2;
    const rightWords = i32[right >>> 26];
    const rightAt = (right & OFFSET_MASK) << 2;
    const next = words[at + NEXT];
    const isAscending = next === 0 && place === LEAF_ROOM;
    const isDescending = words[at + PREVIOUS] === 0 && place === 0;
    const keep = isAscending ? LEAF_ROOM : isDescending ? 0 : LEAF_HALF;
    this.copyElements(leaf, keep, LEAF_ROOM, right, 0);
    arena.willChange(leaf);
    words[at + FILLED] = keep;
    rightWords[rightAt + FILLED] = LEAF_ROOM - keep;
    words[at + NEXT] = right;
    rightWords[rightAt + PREVIOUS] = leaf;
    rightWords[rightAt + NEXT] = next;
    const r = i32[root >>> 26];
    const rootAt = (root & OFFSET_MASK) << 2;
    if (next === 0) {
      r[rootAt + LAST_LEAF] = right;
    } else {
      arena.willChange(next);
      i32[next >>> 26][((next & OFFSET_MASK) << 2) + PREVIOUS] = right;
    }
    r[rootAt + LEAVES]++;
    if (place > keep || place === LEAF_ROOM) this.putElement(right, place - keep, key, entry);
    else this.putElement(leaf, place, key, entry);
    if (place === 0) this.setFirsts(this.depth - 1, key, entry);
    this.addChild(r, rootAt, leaf, right, isAscending, isDescending);
  }

  /** Gives `right`, divided off `left`, its place in the path's nodes, which divide in turn where they are full. */
  private addChild(
    r: Int32Array,
    rootAt: number,
    left: number,
    right: number,
    isAscending: boolean,
    isDescending: boolean,
  ): void {
    const { arena, i32, pathNode, pathAt } = this;
    let height = 0;
    for (let depth = this.depth - 1; depth >= 0; depth--, height++) {
      const node = pathNode[depth];
      const words = i32[node >>> 26];
      const at = (node & OFFSET_MASK) << 2;
      const slot = pathAt[depth] + 1;
      arena.willChange(node);
      words[at + COUNTS + slot - 1] = this.elementsOf(left, height);
      if (words[at + FILLED] < INNER_ROOM) {
        this.putChild(node, slot, right, height);
        return;
      }
      const sibling = arena.allocate(INNER_BYTES);
      r[rootAt + INNERS]++;
      const keep = isAscending ? INNER_ROOM : isDescending ? 1 : INNER_HALF;
      this.moveChildren(node, keep, sibling);
      if (slot > keep || slot === INNER_ROOM) this.putChild(sibling, slot - keep, right, height);
      else this.putChild(node, slot, right, height);
      left = node;
      right = sibling;
    }
    if (height >= MAX_HEIGHT) throw new Error('tree: too high');
    const top = arena.allocate(INNER_BYTES);
    i32[top >>> 26][((top & OFFSET_MASK) << 2) + FILLED] = 0;
    this.putChild(top, 0, left, height);
    this.putChild(top, 1, right, height);
    r[rootAt + INNERS]++;
    r[rootAt + TOP] = top;
    r[rootAt + HEIGHT] = height + 1;
  }

  // ---- shrinking

  /** Takes a leaf out of the chain of leaves and frees it. */
  private dropLeaf(r: Int32Array, rootAt: number, leaf: number): void {
    const { arena, i32 } = this;
    const at = (leaf & OFFSET_MASK) << 2;
    const previous = i32[leaf >>> 26][at + PREVIOUS];
    const next = i32[leaf >>> 26][at + NEXT];
    if (previous === 0) {
      r[rootAt + FIRST_LEAF] = next;
    } else {
      arena.willChange(previous);
      i32[previous >>> 26][((previous & OFFSET_MASK) << 2) + NEXT] = next;
    }
    if (next === 0) {
      r[rootAt + LAST_LEAF] = previous;
    } else {
      arena.willChange(next);
      i32[next >>> 26][((next & OFFSET_MASK) << 2) + PREVIOUS] = previous;
    }
    r[rootAt + LEAVES]--;
    arena.release(leaf);
  }

  /**
   * The path's child at `depth` is gone: closes its slot, and frees nodes that have none left. Returns the depth of the node that
   * lost a slot and still has some; -1: the tree is empty.
   */
  private takeChild(r: Int32Array, rootAt: number, depth: number): number {
    const { arena, i32, f64, pathNode, pathAt } = this;
    for (; depth >= 0; depth--) {
      const node = pathNode[depth];
      const words = i32[node >>> 26];
      const at = (node & OFFSET_MASK) << 2;
      this.closeSlot(node, pathAt[depth]);
      if (words[at + FILLED] > 0) {
        if (pathAt[depth] === 0)
          this.setFirsts(depth - 1, f64[node >>> 26][(at >> 1) + HEADER_F64], words[at + FIRSTS]);
        return depth;
      }
      arena.release(node);
      r[rootAt + INNERS]--;
    }
    r[rootAt + TOP] = 0;
    r[rootAt + HEIGHT] = 0;
    return -1;
  }

  /** The path's node at `depth` (the leaf: the path's length) has become smaller: joins it with a neighbour, then those above. */
  private settle(r: Int32Array, rootAt: number, depth: number): void {
    const { arena, i32, pathNode, pathAt } = this;
    for (; depth > 0; depth--) {
      const parent = pathNode[depth - 1];
      const index = pathAt[depth - 1];
      const isLeaf = depth === r[rootAt + HEIGHT];
      const most = isLeaf ? LEAF_JOIN : INNER_JOIN;
      if (index > 0 && this.filledBoth(parent, index - 1) <= most) this.join(r, rootAt, parent, index - 1, isLeaf);
      else if (this.filledBoth(parent, index) <= most) this.join(r, rootAt, parent, index, isLeaf);
      else break;
    }
    while (r[rootAt + HEIGHT] > 0) {
      const top = r[rootAt + TOP];
      const at = (top & OFFSET_MASK) << 2;
      if (i32[top >>> 26][at + FILLED] > 1) return;
      r[rootAt + TOP] = i32[top >>> 26][at + CHILDREN];
      r[rootAt + HEIGHT]--;
      r[rootAt + INNERS]--;
      arena.release(top);
    }
  }

  /** Moves all of child `slot` + 1 into child `slot`. */
  private join(r: Int32Array, rootAt: number, parent: number, slot: number, isLeaf: boolean): void {
    const { arena, i32 } = this;
    const words = i32[parent >>> 26];
    const at = (parent & OFFSET_MASK) << 2;
    const left = words[at + CHILDREN + slot];
    const right = words[at + CHILDREN + slot + 1];
    const leftAt = (left & OFFSET_MASK) << 2;
    arena.willChange(left);
    arena.willChange(parent);
    words[at + COUNTS + slot] += words[at + COUNTS + slot + 1];
    if (isLeaf) {
      const filled = i32[left >>> 26][leftAt + FILLED];
      const moving = i32[right >>> 26][((right & OFFSET_MASK) << 2) + FILLED];
      this.copyElements(right, 0, moving, left, filled);
      i32[left >>> 26][leftAt + FILLED] = filled + moving;
      this.dropLeaf(r, rootAt, right);
    } else {
      this.appendChildren(right, 0, left);
      arena.release(right);
      r[rootAt + INNERS]--;
    }
    this.closeSlot(parent, slot + 1);
  }
}
