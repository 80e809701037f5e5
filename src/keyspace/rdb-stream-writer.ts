/** Writes streams in the form of RDB files (Redis 7.0, or 7.2), through a view of their blocks, in steps of some nodes. */
import type { BlockView } from '../../native-free-shm/block-view.ts';
import { TableWalk } from '../../native-free-shm/table-walk.ts';
import { TreeWalk } from '../../native-free-shm/tree-walk.ts';
import type { RdbWriter } from '../datatypes/rdb-writer.ts';
import {
  CONSUMER_ACTIVE_F64,
  CONSUMER_NAME_AT,
  CONSUMER_OWN,
  CONSUMER_SEEN_F64,
  GROUP_CONSUMERS,
  GROUP_ENTRIES_READ,
  GROUP_LAST_ID,
  GROUP_NAME_AT,
  GROUP_PENDING,
} from '../datatypes/stream-group.ts';
import { NODE_LEAD_BYTES } from '../datatypes/stream-node.ts';
import { PENDING_HIGHS, PENDING_MS_LOW, PENDING_TIMES_LOW } from '../datatypes/stream-pending.ts';
import {
  STREAM_ENTRIES_ADDED,
  STREAM_FIRST_ID,
  STREAM_GROUPS,
  STREAM_LAST_ID,
  STREAM_LENGTH_F64,
  STREAM_MAX_DELETED_ID,
  STREAM_NODES,
} from '../datatypes/stream-value.ts';

const NAME_BYTES_MASK = 0xffffff;
const ID_BYTES = 16;
const TWO_32 = 4294967296;
/** Elements that a node stands for when steps are counted. */
const ELEMENTS_PER_NODE = 32;

export class RdbStreamWriter {
  private readonly blocks: BlockView;
  private readonly out: RdbWriter;
  private readonly tree: TreeWalk;
  private readonly groups: TableWalk;
  private readonly consumers: TableWalk;
  private readonly id = Buffer.alloc(ID_BYTES);
  private root = 0;
  private withActive = false;

  constructor(blocks: BlockView, out: RdbWriter) {
    this.blocks = blocks;
    this.out = out;
    this.tree = new TreeWalk(blocks.another());
    this.groups = new TableWalk(blocks.another());
    this.consumers = new TableWalk(blocks.another());
  }

  /** `withActive`: in the form of 7.2, which also tells when consumers got something last. */
  begin(root: number, withActive: boolean): void {
    this.root = root;
    this.withActive = withActive;
    this.blocks.open(root);
    this.tree.start(this.word(STREAM_NODES));
    this.out.length(this.tree.count);
  }

  /** Writes nodes, and behind the last one the rest; true while there are more nodes. */
  step(budget: number): boolean {
    const { blocks, out, tree } = this;
    for (; budget > 0; budget -= ELEMENTS_PER_NODE) {
      const node = tree.next();
      if (node === 0) {
        this.rest();
        return false;
      }
      blocks.open(node);
      this.loadId(0);
      out.string(this.id, 0, ID_BYTES);
      const start = blocks.byte + NODE_LEAD_BYTES;
      out.string(blocks.buf, start, start + blocks.view.getUint32(start, true));
    }
    return true;
  }

  /** A word of the open block. */
  private word(index: number): number {
    return this.blocks.i32[(this.blocks.byte >> 2) + index];
  }

  /** Loads the id at a word of the open block, high bytes first. */
  private loadId(index: number): void {
    for (let i = 0; i < 4; i++) this.id.writeInt32BE(this.word(index + i), i * 4);
  }

  /** The id at a word of the open block as two numbers. */
  private idNumbers(index: number): void {
    this.loadId(index);
    this.out.bigLength(this.id.readBigUInt64BE(0));
    this.out.bigLength(this.id.readBigUInt64BE(8));
  }

  /** Two words of the open block, low first, as a number. */
  private number64(index: number): void {
    this.out.bigLength(((BigInt(this.word(index + 1)) & 0xffffffffn) << 32n) | BigInt(this.word(index) >>> 0));
  }

  private rest(): void {
    const { blocks, out, groups } = this;
    blocks.open(this.root);
    out.length(blocks.view.getFloat64(blocks.byte + STREAM_LENGTH_F64 * 8, true));
    this.idNumbers(STREAM_LAST_ID);
    this.idNumbers(STREAM_FIRST_ID);
    this.idNumbers(STREAM_MAX_DELETED_ID);
    this.number64(STREAM_ENTRIES_ADDED);
    groups.start(this.word(STREAM_GROUPS));
    out.length(groups.count);
    for (let group = groups.next(); group !== 0; group = groups.next()) this.group(group);
  }

  private name(at: number): void {
    const { blocks } = this;
    const start = blocks.byte + at;
    this.out.string(blocks.buf, start, start + (this.word(1) & NAME_BYTES_MASK));
  }

  private group(group: number): void {
    const { blocks, out, consumers } = this;
    blocks.open(group);
    this.name(GROUP_NAME_AT);
    this.idNumbers(GROUP_LAST_ID);
    this.number64(GROUP_ENTRIES_READ);
    const pending = this.word(GROUP_PENDING);
    const table = this.word(GROUP_CONSUMERS);
    this.pending(pending, true);
    consumers.start(table);
    out.length(consumers.count);
    for (let consumer = consumers.next(); consumer !== 0; consumer = consumers.next()) {
      blocks.open(consumer);
      this.name(CONSUMER_NAME_AT);
      out.millis(blocks.view.getFloat64(blocks.byte + CONSUMER_SEEN_F64 * 8, true));
      if (this.withActive) out.millis(blocks.view.getFloat64(blocks.byte + CONSUMER_ACTIVE_F64 * 8, true));
      this.pending(this.word(CONSUMER_OWN), false);
    }
  }

  /** Ids of a tree of pending entries; `whole`: with time and number of deliveries. */
  private pending(root: number, whole: boolean): void {
    const { blocks, out, tree } = this;
    tree.start(root);
    out.length(tree.count);
    for (let entry = tree.next(); entry !== 0; entry = tree.next()) {
      blocks.open(entry);
      this.loadId(0);
      out.raw(this.id, 0, ID_BYTES);
      if (!whole) continue;
      const highs = this.word(PENDING_HIGHS);
      out.millis((highs & 0xffff) * TWO_32 + (this.word(PENDING_MS_LOW) >>> 0));
      out.length((highs >>> 16) * TWO_32 + (this.word(PENDING_TIMES_LOW) >>> 0));
    }
  }
}
