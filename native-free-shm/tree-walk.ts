/**
 * Walks the elements of an OrderedTree in order through a view of its blocks (ordered-tree.ts has the picture). The tree must not
 * change in that view meanwhile.
 */
import type { BlockView } from './block-view.ts';

const COUNT = 0;
const FIRST_LEAF = 3;
const FILLED = 0;
const ROOM = 1;
const NEXT = 3;
const HEADER_WORDS = 4;

export class TreeWalk {
  /** Elements of the tree. */
  count = 0;
  /** Register of `next`. */
  key = 0;
  private readonly blocks: BlockView;
  private leaf = 0;
  private index = 0;

  /** `blocks`: used by this walk alone. */
  constructor(blocks: BlockView) {
    this.blocks = blocks;
  }

  /** Begins at the front of a tree; root 0 is an empty one. */
  start(root: number): void {
    this.count = 0;
    this.leaf = 0;
    this.index = 0;
    if (root === 0) return;
    this.blocks.open(root);
    const at = this.blocks.byte >> 2;
    this.count = this.blocks.i32[at + COUNT];
    this.leaf = this.blocks.i32[at + FIRST_LEAF];
  }

  /** The next entry, its key in `key`; 0 at the end. */
  next(): number {
    const blocks = this.blocks;
    while (this.leaf !== 0) {
      blocks.open(this.leaf);
      const { i32 } = blocks;
      const at = blocks.byte >> 2;
      const index = this.index;
      if (index < i32[at + FILLED]) {
        this.index = index + 1;
        this.key = blocks.view.getFloat64(blocks.byte + (HEADER_WORDS << 2) + (index << 3), true);
        return i32[at + HEADER_WORDS + (i32[at + ROOM] << 1) + index];
      }
      this.leaf = i32[at + NEXT];
      this.index = 0;
    }
    return 0;
  }
}
