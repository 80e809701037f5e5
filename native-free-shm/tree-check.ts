/** Walks a whole ordered tree and throws on a broken invariant. For tests and DEBUG. ordered-tree.ts has the picture. */
import type { Arena } from './arena.ts';
import {
  CHILDREN,
  COUNT,
  COUNTS,
  FILLED,
  FIRST_LEAF,
  FIRSTS,
  HEADER_F64,
  HEADER_WORDS,
  HEIGHT,
  INNER_ROOM,
  INNERS,
  LAST_LEAF,
  LEAVES,
  NEXT,
  PREVIOUS,
  ROOM,
  TOP,
} from './tree-nodes.ts';

const OFFSET_MASK = 0x3ffffff;

/** Checks the tree `root`; `visit` gets its elements in order. */
export function checkTree(arena: Arena, root: number, visit: (key: number, entry: number) => void): void {
  new TreeCheck(arena, visit).run(root);
}

class TreeCheck {
  private readonly arena: Arena;
  private readonly visit: (key: number, entry: number) => void;
  private leaves = 0;
  private inners = 0;
  private firstLeaf = 0;
  private lastLeaf = 0;
  private lastKey = Number.NEGATIVE_INFINITY;

  constructor(arena: Arena, visit: (key: number, entry: number) => void) {
    this.arena = arena;
    this.visit = visit;
  }

  run(root: number): void {
    const word = (at: number): number => this.word(root, at);
    const top = word(TOP);
    const height = word(HEIGHT);
    const count = top === 0 ? 0 : this.node(top, height);
    if (count !== word(COUNT)) throw new Error(`tree: ${count} elements, root says ${word(COUNT)}`);
    if (top !== 0 && height > 0 && this.word(top, FILLED) < 2) throw new Error('tree: a top with one child');
    if (top === 0 && height !== 0) throw new Error('tree: empty, but with a height');
    if (this.firstLeaf !== word(FIRST_LEAF)) throw new Error('tree: another first leaf');
    if (this.lastLeaf !== word(LAST_LEAF)) throw new Error('tree: another last leaf');
    if (this.lastLeaf !== 0 && this.word(this.lastLeaf, NEXT) !== 0)
      throw new Error('tree: the last leaf has a next one');
    if (this.leaves !== word(LEAVES) || this.inners !== word(INNERS)) throw new Error('tree: nodes miscounted');
  }

  private word(block: number, at: number): number {
    return this.arena.i32[block >>> 26][((block & OFFSET_MASK) << 2) + at];
  }

  private key(node: number, slot: number): number {
    return this.arena.f64[node >>> 26][((node & OFFSET_MASK) << 1) + HEADER_F64 + slot];
  }

  /** The entry of slot `slot` of a leaf. */
  private entry(leaf: number, slot: number): number {
    return this.word(leaf, HEADER_WORDS + this.word(leaf, ROOM) * 2 + slot);
  }

  /** Checks a node and what is below it; returns how many elements that is. */
  private node(node: number, height: number): number {
    const filled = this.word(node, FILLED);
    if (filled < 1 || filled > (height === 0 ? this.word(node, ROOM) : INNER_ROOM))
      throw new Error(`tree: node ${node} has ${filled} slots`);
    return height === 0 ? this.leaf(node, filled) : this.inner(node, filled, height);
  }

  private leaf(leaf: number, filled: number): number {
    if (this.word(leaf, PREVIOUS) !== this.lastLeaf) throw new Error('tree: broken back link');
    if (this.lastLeaf === 0) this.firstLeaf = leaf;
    else if (this.word(this.lastLeaf, NEXT) !== leaf) throw new Error('tree: broken link');
    this.lastLeaf = leaf;
    this.leaves++;
    for (let i = 0; i < filled; i++) {
      const key = this.key(leaf, i);
      if (!(key >= this.lastKey)) throw new Error(`tree: key ${key} behind ${this.lastKey}`);
      this.lastKey = key;
      this.visit(key, this.entry(leaf, i));
    }
    return filled;
  }

  private inner(node: number, filled: number, height: number): number {
    this.inners++;
    let count = 0;
    for (let i = 0; i < filled; i++) {
      const child = this.word(node, CHILDREN + i);
      const entry = height === 1 ? this.entry(child, 0) : this.word(child, FIRSTS);
      if (this.key(child, 0) !== this.key(node, i) || entry !== this.word(node, FIRSTS + i))
        throw new Error(`tree: node ${node} names another first element of child ${i}`);
      const below = this.node(child, height - 1);
      if (below !== this.word(node, COUNTS + i)) throw new Error(`tree: node ${node} miscounts child ${i}`);
      count += below;
    }
    return count;
  }
}
