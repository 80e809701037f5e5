/** Writes the entries of large hashes in the forms of RDB files, through a view of their blocks (hash-fields.ts has the picture). */
import type { BlockView } from '../../native-free-shm/block-view.ts';
import { TableWalk } from '../../native-free-shm/table-walk.ts';
import type { RdbWriter } from '../datatypes/rdb-writer.ts';

const TWO_32 = 4294967296;
const FIELD_BYTES_MASK = 0xffffff;
const HAS_DEADLINE = 1 << 28;
const LARGE = 1 << 30;
const FIELD_AT = 12;
const LATER_FIELD_AT = 24;
const WORD_META = 1;
const WORD_VALUE = 2;
const WORD_DEADLINE_LOW = 3;
const WORD_DEADLINE_HIGH = 4;
/** Of a root block: the heap of the fields. Of a heap: count, directory, pages of the directory, room of the first page. */
const ROOT_HEAP = 1;
const HEAP_DIRECTORY = 1;
const HEAP_DIRECTORY_PAGES = 2;

export class RdbHashWriter {
  private readonly blocks: BlockView;
  private readonly out: RdbWriter;
  private readonly table: TableWalk;
  private isTimed = false;
  /** The earliest deadline of a field, unix ms. */
  private earliest = 0;

  constructor(blocks: BlockView, out: RdbWriter) {
    this.blocks = blocks;
    this.out = out;
    this.table = new TableWalk(blocks.another());
  }

  /** Begins with a hash table of fields, or (`isTimed`) with the root block of a hash whose fields have deadlines. */
  begin(root: number, isTimed: boolean): void {
    const { blocks, out } = this;
    this.isTimed = isTimed;
    let table = root;
    if (isTimed) {
      blocks.open(root);
      table = blocks.i32[blocks.byte >> 2];
      this.earliest = this.firstDeadline(blocks.i32[(blocks.byte >> 2) + ROOT_HEAP]);
      out.millis(this.earliest);
    }
    this.table.start(table);
    out.length(this.table.count);
  }

  /** The deadline at the top of a heap, whose first page begins with it. */
  private firstDeadline(heap: number): number {
    const { blocks } = this;
    blocks.open(heap);
    const w = blocks.byte >> 2;
    const directory = blocks.i32[w + HEAP_DIRECTORY];
    const isPage = blocks.i32[w + HEAP_DIRECTORY_PAGES] === 0;
    blocks.open(directory);
    if (!isPage) blocks.open(blocks.i32[blocks.byte >> 2]);
    return blocks.view.getFloat64(blocks.byte, true);
  }

  /** Writes up to `budget` more fields; true while there are more. */
  step(budget: number): boolean {
    while (budget-- > 0) {
      const entry = this.table.next();
      if (entry === 0) return false;
      this.field(entry);
    }
    return true;
  }

  private field(entry: number): void {
    const { blocks, out } = this;
    blocks.open(entry);
    const { i32 } = blocks;
    const w = blocks.byte >> 2;
    const meta = i32[w + WORD_META];
    const has = (meta & HAS_DEADLINE) !== 0;
    const valueBytes = i32[w + WORD_VALUE];
    if (this.isTimed) {
      const deadline = has ? i32[w + WORD_DEADLINE_HIGH] * TWO_32 + (i32[w + WORD_DEADLINE_LOW] >>> 0) : 0;
      out.length(has ? deadline - this.earliest + 1 : 0);
    }
    const start = blocks.byte + (has ? LATER_FIELD_AT : FIELD_AT);
    let value = start + (meta & FIELD_BYTES_MASK);
    out.string(blocks.buf, start, value);
    if ((meta & LARGE) !== 0) {
      blocks.open(i32[(value + 3) >> 2]);
      value = blocks.byte;
    }
    out.string(blocks.buf, value, value + valueBytes);
  }
}
