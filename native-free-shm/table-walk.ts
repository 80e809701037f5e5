/**
 * Walks the entries of a HashTable, bucket by bucket, through a view of its blocks (hash-table.ts has the picture). The table must
 * not change in that view meanwhile.
 */
import type { BlockView } from './block-view.ts';

const COUNT = 0;
const MASK = 1;
const SPLIT = 2;
const DIRECTORY = 3;
const DIRECTORY_PAGES = 4;
const SLOTS = 12;
const HANDLES = 3;
const OVERFLOW = 15;
const BUCKET_SHIFT = 4;
const PAGE_BUCKETS_SHIFT = 10;
const PAGE_BUCKETS_MASK = 1023;

export class TableWalk {
  /** Entries of the table, and its buckets. */
  count = 0;
  buckets = 0;
  private readonly blocks: BlockView;
  private directory = 0;
  private hasPages = false;
  private bucket = 0;
  /** The block that the walk stands in, the word of its bucket in it, the next slot. */
  private block = 0;
  private word = 0;
  private slot = 0;

  /** `blocks`: used by this walk alone. */
  constructor(blocks: BlockView) {
    this.blocks = blocks;
  }

  /** Begins at the front of a table; root 0 is an empty one. */
  start(root: number): void {
    this.count = 0;
    this.buckets = 0;
    this.bucket = -1;
    this.block = 0;
    if (root === 0) return;
    const blocks = this.blocks;
    blocks.open(root);
    const { i32 } = blocks;
    const at = blocks.byte >> 2;
    this.directory = i32[at + DIRECTORY];
    if (this.directory === 0) return;
    this.count = i32[at + COUNT];
    this.buckets = i32[at + MASK] + 1 + i32[at + SPLIT];
    this.hasPages = i32[at + DIRECTORY_PAGES] !== 0;
  }

  /** The next entry, 0 at the end. */
  next(): number {
    const blocks = this.blocks;
    for (;;) {
      if (this.block === 0 && !this.openBucket()) return 0;
      blocks.open(this.block);
      const { i32 } = blocks;
      const at = (blocks.byte >> 2) + this.word;
      // the entries of a bucket stand in front
      const entry = this.slot < SLOTS ? i32[at + HANDLES + this.slot] : 0;
      if (entry !== 0) {
        this.slot++;
        return entry;
      }
      this.block = i32[at + OVERFLOW];
      this.word = 0;
      this.slot = 0;
    }
  }

  private openBucket(): boolean {
    if (++this.bucket >= this.buckets) return false;
    this.block = this.directory;
    if (this.hasPages) {
      this.blocks.open(this.directory);
      this.block = this.blocks.i32[(this.blocks.byte >> 2) + (this.bucket >>> PAGE_BUCKETS_SHIFT)];
    }
    this.word = (this.bucket & PAGE_BUCKETS_MASK) << BUCKET_SHIFT;
    this.slot = 0;
    return true;
  }
}
