/** Writes lists and sets in the form of RDB files, through a view of their blocks, in steps. */
import type { BlockView } from '../../native-free-shm/block-view.ts';
import { TableWalk } from '../../native-free-shm/table-walk.ts';
import { CompactWalk } from '../datatypes/compact-walk.ts';
import { LIST_NODE, LIST_NODE_LEAD_BYTES } from '../datatypes/list-nodes.ts';
import { LIST_ENCODING } from '../datatypes/list-value.ts';
import { QUICK_ROOT } from '../datatypes/quick-list.ts';
import type { RdbWriter } from '../datatypes/rdb-writer.ts';
import { SET_ENCODING } from '../datatypes/set-value.ts';
import { RDB_TYPE } from './rdb-types.ts';

const MEMBER_BYTES_MASK = 0xffffff;
/** Where a set's entries keep the member; see set-value.ts. */
const MEMBER_AT = 8;
/** A node of a list that is a compact list. */
const PACKED_NODE = 2;
const INT_SET_HEADER_BYTES = 8;
const MANY = 65535;

export class RdbListSetWriter {
  private readonly blocks: BlockView;
  private readonly out: RdbWriter;
  private readonly table: TableWalk;
  private readonly walk = new CompactWalk();
  /** The list's next node to write; 0: none. */
  private node = 0;

  constructor(blocks: BlockView, out: RdbWriter) {
    this.blocks = blocks;
    this.out = out;
    this.table = new TableWalk(blocks.another());
  }

  /** Begins a list; true: `listStep` goes on with its nodes. */
  beginList(root: number, encoding: number): boolean {
    const { blocks, out } = this;
    if (encoding === LIST_ENCODING.compact) {
      out.length(1);
      blocks.open(root);
      this.listNode(blocks.byte);
      return false;
    }
    blocks.open(root);
    const at = blocks.byte >> 2;
    this.node = blocks.i32[at + QUICK_ROOT.first];
    out.length(blocks.i32[at + QUICK_ROOT.nodes]);
    return true;
  }

  /** Writes the compact list at `start` of the open block. */
  private listNode(start: number): void {
    const { blocks, out } = this;
    out.length(PACKED_NODE);
    out.string(blocks.buf, start, start + blocks.view.getUint32(start, true));
  }

  /** Writes nodes, about as many as make `budget` elements; true while there are more. */
  listStep(budget: number): boolean {
    const { blocks } = this;
    for (; this.node !== 0 && budget > 0; budget -= 16) {
      blocks.open(this.node);
      const words = blocks.byte >> 2;
      this.listNode(blocks.byte + LIST_NODE_LEAD_BYTES + blocks.i32[words + LIST_NODE.gap]);
      this.node = blocks.i32[words + LIST_NODE.next];
    }
    return this.node !== 0;
  }

  setType(encoding: number): number {
    return encoding === SET_ENCODING.integers ? RDB_TYPE.setIntset : RDB_TYPE.set;
  }

  /** Begins a set; true: `setStep` goes on with its members. */
  beginSet(root: number, encoding: number): boolean {
    const { blocks, out, table } = this;
    if (encoding === SET_ENCODING.table) {
      table.start(root);
      out.length(table.count);
      return true;
    }
    blocks.open(root);
    const start = blocks.byte;
    if (encoding === SET_ENCODING.integers) {
      const width = blocks.view.getUint32(start, true);
      const count = blocks.view.getUint32(start + 4, true);
      out.string(blocks.buf, start, start + INT_SET_HEADER_BYTES + width * count);
      return false;
    }
    // servers before 7.2 know no sets in this form
    const { walk } = this;
    let count = walk.begin(blocks.buf, start);
    if (count === MANY) for (count = 0; walk.next(); ) count++;
    out.length(count);
    for (walk.begin(blocks.buf, start); walk.next(); ) out.string(walk.vBuf, walk.vStart, walk.vEnd);
    return false;
  }

  setStep(budget: number): boolean {
    const { blocks, out, table } = this;
    while (budget-- > 0) {
      const entry = table.next();
      if (entry === 0) return false;
      blocks.open(entry);
      const start = blocks.byte + MEMBER_AT;
      out.string(blocks.buf, start, start + (blocks.i32[(blocks.byte >> 2) + 1] & MEMBER_BYTES_MASK));
    }
    return true;
  }
}
