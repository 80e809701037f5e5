/**
 * The nodes of an ordered tree, one at a time: how to find a place in them, and how slots move. ordered-tree.ts has the picture.
 */
import type { Arena } from './arena.ts';
import type { LayoutField } from './arena-layout.ts';

const OFFSET_MASK = 0x3ffffff;

export const COUNT = 0;
export const TOP = 1;
export const HEIGHT = 2;
export const FIRST_LEAF = 3;
export const LAST_LEAF = 4;
export const LEAVES = 5;
export const INNERS = 6;
export const ROOT_BYTES = 32;

/** Elements of a leaf, children of an inner node. */
export const FILLED = 0;
export const ROOM = 1;
export const PREVIOUS = 2;
export const NEXT = 3;
export const HEADER_WORDS = 4;
export const HEADER_F64 = 2;
export const LEAF_ROOM = 62;
export const LEAF_HALF = 31;
export const LEAF_JOIN = 46;
export const LEAF_BYTES = 768;
/** Rooms of an only leaf: blocks of 64, 160, 384 and 768 bytes. */
export const FIRST_ROOM = 4;
export const SECOND_ROOM = 12;
export const THIRD_ROOM = 30;

export const INNER_ROOM = 50;
export const INNER_HALF = 25;
export const INNER_JOIN = 37;
export const INNER_BYTES = 1024;
export const FIRSTS = HEADER_WORDS + INNER_ROOM * 2;
export const CHILDREN = FIRSTS + INNER_ROOM;
export const COUNTS = CHILDREN + INNER_ROOM;

/** Neighbours hold more than 37 of 50, so a level has at most 1 / 18 of the nodes below it, and one more. */
export const MAX_HEIGHT = 16;

export const TREE_ROOT_FIELDS: readonly LayoutField[] = [
  { at: COUNT, name: 'count', text: 'elements' },
  { at: TOP, name: 'top', text: 'handle of the top node, 0 = empty' },
  { at: HEIGHT, name: 'height', text: 'levels of inner nodes above the leaves' },
  { at: FIRST_LEAF, name: 'first leaf', text: 'handle, 0 = empty' },
  { at: LAST_LEAF, name: 'last leaf', text: 'handle, 0 = empty' },
  { at: LEAVES, name: 'leaves', text: 'how many there are' },
  { at: INNERS, name: 'inner nodes', text: 'how many there are' },
];

/** How elements with equal keys stand to each other; the owner's probe is whatever the owner has set before the call. */
export interface TieBreak {
  /** < 0: `entry` stands before the probe; 0: it is the probed element; > 0: it stands behind. */
  compare(entry: number): number;
}

export class TreeNodes {
  protected readonly arena: Arena;
  protected readonly i32: Int32Array[];
  protected readonly f64: Float64Array[];
  private readonly tie: TieBreak;
  /** The last descent: inner nodes from the top, the child taken in each, how many there were, elements before the leaf. */
  protected readonly pathNode = new Int32Array(MAX_HEIGHT);
  protected readonly pathAt = new Int32Array(MAX_HEIGHT);
  protected depth = 0;
  protected before = 0;
  /** Registers of `readFirst`. */
  private firstKey = 0;
  private firstEntry = 0;

  constructor(arena: Arena, tie: TieBreak) {
    this.arena = arena;
    this.i32 = arena.i32;
    this.f64 = arena.f64;
    this.tie = tie;
  }

  /** Goes down to the leaf where (key, probe) is or would be; fills the path. The tree is not empty. */
  protected descend(root: number, key: number): number {
    const { i32, f64, tie, pathNode, pathAt } = this;
    const r = i32[root >>> 26];
    const rootAt = (root & OFFSET_MASK) << 2;
    const height = r[rootAt + HEIGHT];
    let node = r[rootAt + TOP];
    let before = 0;
    for (let depth = 0; depth < height; depth++) {
      const words = i32[node >>> 26];
      const at = (node & OFFSET_MASK) << 2;
      const keys = f64[node >>> 26];
      const keysAt = (at >> 1) + HEADER_F64;
      // the last child whose first element does not stand behind the probe, else the first child
      let low = 1;
      let high = words[at + FILLED];
      while (low < high) {
        const middle = (low + high) >>> 1;
        const k = keys[keysAt + middle];
        if (k < key || (k === key && tie.compare(words[at + FIRSTS + middle]) <= 0)) low = middle + 1;
        else high = middle;
      }
      const child = low - 1;
      for (let i = 0; i < child; i++) before += words[at + COUNTS + i];
      pathNode[depth] = node;
      pathAt[depth] = child;
      node = words[at + CHILDREN + child];
    }
    this.depth = height;
    this.before = before;
    return node;
  }

  /** Goes down to the leaf that has the element of that rank, 0 … count - 1; fills the path. */
  protected descendToRank(root: number, rank: number): number {
    const { i32, pathNode, pathAt } = this;
    const r = i32[root >>> 26];
    const rootAt = (root & OFFSET_MASK) << 2;
    const height = r[rootAt + HEIGHT];
    let node = r[rootAt + TOP];
    let left = rank;
    for (let depth = 0; depth < height; depth++) {
      const words = i32[node >>> 26];
      const at = (node & OFFSET_MASK) << 2;
      let child = 0;
      while (left >= words[at + COUNTS + child]) left -= words[at + COUNTS + child++];
      pathNode[depth] = node;
      pathAt[depth] = child;
      node = words[at + CHILDREN + child];
    }
    this.depth = height;
    this.before = rank - left;
    return node;
  }

  /** Number of elements of the leaf before (key, probe), `after`: or equal to it. */
  protected placeIn(leaf: number, key: number, after: boolean): number {
    const words = this.i32[leaf >>> 26];
    const at = (leaf & OFFSET_MASK) << 2;
    const keys = this.f64[leaf >>> 26];
    const keysAt = (at >> 1) + HEADER_F64;
    const entriesAt = at + HEADER_WORDS + words[at + ROOM] * 2;
    let low = 0;
    let high = words[at + FILLED];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const k = keys[keysAt + middle];
      let isBefore = k < key;
      if (k === key) {
        const order = this.tie.compare(words[entriesAt + middle]);
        isBefore = order < 0 || (after && order === 0);
      }
      if (isBefore) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  protected isProbe(leaf: number, place: number, key: number): boolean {
    const words = this.i32[leaf >>> 26];
    const at = (leaf & OFFSET_MASK) << 2;
    if (place >= words[at + FILLED] || this.f64[leaf >>> 26][(at >> 1) + HEADER_F64 + place] !== key) return false;
    return this.tie.compare(words[at + HEADER_WORDS + words[at + ROOM] * 2 + place]) === 0;
  }

  /** Announces the whole path and adds to its counts. */
  protected addToCounts(change: number): void {
    const { arena, i32, pathNode, pathAt } = this;
    for (let depth = 0; depth < this.depth; depth++) {
      const node = pathNode[depth];
      arena.willChange(node);
      i32[node >>> 26][((node & OFFSET_MASK) << 2) + COUNTS + pathAt[depth]] += change;
    }
  }

  /** The child that the path takes at `depth` begins with another element now; so may those above. */
  protected setFirsts(depth: number, key: number, entry: number): void {
    const { arena, i32, f64, pathNode, pathAt } = this;
    for (; depth >= 0; depth--) {
      const node = pathNode[depth];
      const at = (node & OFFSET_MASK) << 2;
      arena.willChange(node);
      f64[node >>> 26][(at >> 1) + HEADER_F64 + pathAt[depth]] = key;
      i32[node >>> 26][at + FIRSTS + pathAt[depth]] = entry;
      if (pathAt[depth] !== 0) return;
    }
  }

  protected readFirst(node: number, height: number): void {
    const words = this.i32[node >>> 26];
    const at = (node & OFFSET_MASK) << 2;
    this.firstKey = this.f64[node >>> 26][(at >> 1) + HEADER_F64];
    this.firstEntry = words[height === 0 ? at + HEADER_WORDS + words[at + ROOM] * 2 : at + FIRSTS];
  }

  protected newLeaf(room: number): number {
    const leaf = this.arena.allocate((HEADER_WORDS + room * 3) * 4);
    const words = this.i32[leaf >>> 26];
    const at = (leaf & OFFSET_MASK) << 2;
    words[at + FILLED] = 0;
    words[at + ROOM] = room;
    words[at + PREVIOUS] = 0;
    words[at + NEXT] = 0;
    return leaf;
  }

  protected elementsOf(node: number, height: number): number {
    const words = this.i32[node >>> 26];
    const at = (node & OFFSET_MASK) << 2;
    const filled = words[at + FILLED];
    if (height === 0) return filled;
    let sum = 0;
    for (let i = 0; i < filled; i++) sum += words[at + COUNTS + i];
    return sum;
  }

  /** Moves the children from slot `keep` on behind those of `sibling`, whose words may be undefined if `keep` begins a division. */
  protected moveChildren(node: number, keep: number, sibling: number): void {
    const words = this.i32[node >>> 26];
    const at = (node & OFFSET_MASK) << 2;
    this.i32[sibling >>> 26][((sibling & OFFSET_MASK) << 2) + FILLED] = 0;
    this.appendChildren(node, keep, sibling);
    words[at + FILLED] = keep;
  }

  protected appendChildren(node: number, from: number, to: number): void {
    const words = this.i32[node >>> 26];
    const at = (node & OFFSET_MASK) << 2;
    const keys = this.f64[node >>> 26];
    const toWords = this.i32[to >>> 26];
    const toAt = (to & OFFSET_MASK) << 2;
    const toKeys = this.f64[to >>> 26];
    let slot = toWords[toAt + FILLED];
    for (let i = from; i < words[at + FILLED]; i++, slot++) {
      toKeys[(toAt >> 1) + HEADER_F64 + slot] = keys[(at >> 1) + HEADER_F64 + i];
      toWords[toAt + FIRSTS + slot] = words[at + FIRSTS + i];
      toWords[toAt + CHILDREN + slot] = words[at + CHILDREN + i];
      toWords[toAt + COUNTS + slot] = words[at + COUNTS + i];
    }
    toWords[toAt + FILLED] = slot;
  }

  /** Puts `child`, of that height, into an announced node that has room. */
  protected putChild(node: number, slot: number, child: number, height: number): void {
    const words = this.i32[node >>> 26];
    const at = (node & OFFSET_MASK) << 2;
    const keys = this.f64[node >>> 26];
    const keysAt = (at >> 1) + HEADER_F64;
    for (let i = words[at + FILLED]; i > slot; i--) {
      keys[keysAt + i] = keys[keysAt + i - 1];
      words[at + FIRSTS + i] = words[at + FIRSTS + i - 1];
      words[at + CHILDREN + i] = words[at + CHILDREN + i - 1];
      words[at + COUNTS + i] = words[at + COUNTS + i - 1];
    }
    this.readFirst(child, height);
    keys[keysAt + slot] = this.firstKey;
    words[at + FIRSTS + slot] = this.firstEntry;
    words[at + CHILDREN + slot] = child;
    words[at + COUNTS + slot] = this.elementsOf(child, height);
    words[at + FILLED]++;
  }

  protected copyElements(from: number, start: number, end: number, to: number, toStart: number): void {
    const words = this.i32[from >>> 26];
    const at = (from & OFFSET_MASK) << 2;
    const keys = this.f64[from >>> 26];
    const keysAt = (at >> 1) + HEADER_F64;
    const entriesAt = at + HEADER_WORDS + words[at + ROOM] * 2;
    const toWords = this.i32[to >>> 26];
    const toAt = (to & OFFSET_MASK) << 2;
    const toKeys = this.f64[to >>> 26];
    const toKeysAt = (toAt >> 1) + HEADER_F64 + toStart - start;
    const toEntriesAt = toAt + HEADER_WORDS + toWords[toAt + ROOM] * 2 + toStart - start;
    for (let i = start; i < end; i++) {
      toKeys[toKeysAt + i] = keys[keysAt + i];
      toWords[toEntriesAt + i] = words[entriesAt + i];
    }
  }

  protected putElement(leaf: number, place: number, key: number, entry: number): void {
    const words = this.i32[leaf >>> 26];
    const at = (leaf & OFFSET_MASK) << 2;
    const keys = this.f64[leaf >>> 26];
    const keysAt = (at >> 1) + HEADER_F64;
    const entriesAt = at + HEADER_WORDS + words[at + ROOM] * 2;
    this.arena.willChange(leaf);
    for (let i = words[at + FILLED]; i > place; i--) {
      keys[keysAt + i] = keys[keysAt + i - 1];
      words[entriesAt + i] = words[entriesAt + i - 1];
    }
    keys[keysAt + place] = key;
    words[entriesAt + place] = entry;
    words[at + FILLED]++;
  }

  protected takeElement(leaf: number, place: number): number {
    const words = this.i32[leaf >>> 26];
    const at = (leaf & OFFSET_MASK) << 2;
    const keys = this.f64[leaf >>> 26];
    const keysAt = (at >> 1) + HEADER_F64;
    const entriesAt = at + HEADER_WORDS + words[at + ROOM] * 2;
    const entry = words[entriesAt + place];
    this.arena.willChange(leaf);
    const last = --words[at + FILLED];
    for (let i = place; i < last; i++) {
      keys[keysAt + i] = keys[keysAt + i + 1];
      words[entriesAt + i] = words[entriesAt + i + 1];
    }
    return entry;
  }

  protected closeSlot(node: number, slot: number): void {
    const words = this.i32[node >>> 26];
    const at = (node & OFFSET_MASK) << 2;
    const keys = this.f64[node >>> 26];
    const keysAt = (at >> 1) + HEADER_F64;
    this.arena.willChange(node);
    const last = --words[at + FILLED];
    for (let i = slot; i < last; i++) {
      keys[keysAt + i] = keys[keysAt + i + 1];
      words[at + FIRSTS + i] = words[at + FIRSTS + i + 1];
      words[at + CHILDREN + i] = words[at + CHILDREN + i + 1];
      words[at + COUNTS + i] = words[at + COUNTS + i + 1];
    }
  }

  /** Filled slots of the children `slot` and `slot` + 1 together; Infinity if the second is not there. */
  protected filledBoth(parent: number, slot: number): number {
    const words = this.i32[parent >>> 26];
    const at = (parent & OFFSET_MASK) << 2;
    if (slot + 1 >= words[at + FILLED]) return Number.POSITIVE_INFINITY;
    const left = words[at + CHILDREN + slot];
    const right = words[at + CHILDREN + slot + 1];
    return (
      this.i32[left >>> 26][((left & OFFSET_MASK) << 2) + FILLED] +
      this.i32[right >>> 26][((right & OFFSET_MASK) << 2) + FILLED]
    );
  }
}
