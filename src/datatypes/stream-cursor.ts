/**
 * Walks over the entries of a stream from one id to another, forwards or backwards, and reads their fields.
 *
 * Registers are valid until the stream changes. One walk at a time: the cursor owns the position in the tree of nodes.
 */
import type { Arena } from '../../native-free-shm/arena.ts';
import type { OrderedTree } from '../../native-free-shm/ordered-tree.ts';
import { ElementReader } from './element-reader.ts';
import { type IdOrder, StreamId } from './stream-id.ts';
import { DELETED, SAME_FIELDS, type StreamNodes } from './stream-node.ts';

const OFFSET_MASK = 0x3ffffff;
const TWO_32 = 4294967296;

export class StreamCursor {
  // ---- the entry, after `next` said true
  readonly id = new StreamId();
  /** How many fields it has; `readName` and `readValue` take turns so often. */
  fields = 0;
  /** Its node, and the byte of its flags in the segment's buffer. */
  node = 0;
  flagsAt = 0;
  /** What `readName` and `readValue` found. */
  readonly names: ElementReader;
  readonly values: ElementReader;
  /** Deleted entries are visited as well. */
  showsDeleted = false;

  private readonly arena: Arena;
  private readonly nodes: StreamNodes;
  private readonly tree: OrderedTree;
  private readonly order: IdOrder;
  private readonly from = new StreamId();
  private readonly to = new StreamId();
  private readonly first = new StreamId();
  private reverse = false;
  private isOver = true;
  private flags = 0;
  private namesAt = 0;
  private masterFields = 0;
  private entriesAt = 0;
  /** Elements between the position of `values` and the next entry; forwards only. */
  private rest = 0;

  constructor(arena: Arena, nodes: StreamNodes, tree: OrderedTree, order: IdOrder) {
    this.arena = arena;
    this.nodes = nodes;
    this.tree = tree;
    this.order = order;
    this.names = new ElementReader(arena);
    this.values = new ElementReader(arena);
  }

  /** Starts a walk over the entries from <= id <= to of the tree of nodes `root`. */
  begin(root: number, from: StreamId, to: StreamId, reverse: boolean): void {
    const { tree, order } = this;
    this.from.copy(from);
    this.to.copy(to);
    this.reverse = reverse;
    this.showsDeleted = false;
    // the last node that begins at or before the id where the walk starts
    const start = reverse ? to : from;
    let found: boolean;
    if (start.isZero()) {
      found = tree.first(root);
    } else {
      order.probe.copy(start);
      if (tree.seek(root, start.treeKey(), true)) {
        found = tree.prev() || (!reverse && tree.first(root));
      } else {
        found = tree.last(root);
      }
    }
    this.isOver = !found;
    if (found) this.openNode();
  }

  private openNode(): void {
    const { nodes, names, values } = this;
    const node = (this.node = this.tree.entry());
    const segment = node >>> 26;
    nodes.openEntries(node);
    this.first.load(this.arena.i32[segment], (node & OFFSET_MASK) << 2);
    this.masterFields = nodes.masterFields;
    this.namesAt = nodes.namesAt;
    this.entriesAt = nodes.reader.p;
    this.rest = 0;
    names.open(segment, nodes.namesAt);
    values.open(segment, this.reverse ? nodes.base(node) + nodes.bytes(node) - 1 : this.entriesAt);
    this.flagsAt = values.p;
  }

  /** Goes to the next entry of the walk; false: there is none. */
  next(): boolean {
    while (!this.isOver) {
      if (!(this.reverse ? this.stepBack() : this.stepOn())) {
        this.isOver = true;
        return false;
      }
      if ((this.flags & DELETED) !== 0 && !this.showsDeleted) continue;
      if (this.reverse) {
        if (this.id.compare(this.to) > 0) continue;
        if (this.id.compare(this.from) < 0) this.isOver = true;
      } else {
        if (this.id.compare(this.from) < 0) continue;
        if (this.id.compare(this.to) > 0) this.isOver = true;
      }
      return !this.isOver;
    }
    return false;
  }

  private stepOn(): boolean {
    const values = this.values;
    values.skip(this.rest);
    if (values.atEnd()) {
      if (!this.tree.next()) return false;
      this.openNode();
    }
    this.readHead();
    return true;
  }

  private stepBack(): boolean {
    const values = this.values;
    values.p = this.flagsAt;
    if (values.p === this.entriesAt) {
      if (!this.tree.prev()) return false;
      this.openNode();
    }
    values.back(1);
    const countAt = values.p;
    const elements = values.nextInteger();
    values.p = countAt;
    values.back(elements);
    this.readHead();
    return true;
  }

  private readHead(): void {
    const { values, id, first } = this;
    this.flagsAt = values.p;
    this.flags = values.nextInteger();
    values.nextInteger();
    let low = first.msLow + values.low;
    id.msLow = low >>> 0;
    id.msHigh = (first.msHigh + values.high + (low >= TWO_32 ? 1 : 0)) >>> 0;
    values.nextInteger();
    low = first.seqLow + values.low;
    id.seqLow = low >>> 0;
    id.seqHigh = (first.seqHigh + values.high + (low >= TWO_32 ? 1 : 0)) >>> 0;
    if ((this.flags & SAME_FIELDS) !== 0) {
      this.fields = this.masterFields;
      this.names.p = this.namesAt;
      this.rest = this.fields + 1;
    } else {
      this.fields = values.nextInteger();
      this.rest = 2 * this.fields + 1;
    }
  }

  /** Reads the next field's name; which reader holds it is the result. */
  readName(): ElementReader {
    if ((this.flags & SAME_FIELDS) !== 0) {
      this.names.next();
      return this.names;
    }
    this.rest--;
    this.values.next();
    return this.values;
  }

  /** Reads the value of the field whose name was read. */
  readValue(): ElementReader {
    this.rest--;
    this.values.next();
    return this.values;
  }
}
