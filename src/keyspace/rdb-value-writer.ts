/**
 * Writes values in the form of RDB files, for DUMP, snapshots and effects. Reads the blocks through a view, so that a value can
 * be written as it is or as it was; and in steps, so that a huge one stops nobody for long.
 *
 * The forms are those that Redis 7.0 knows, but for hashes whose fields have deadlines.
 */
import type { Arena } from '../../native-free-shm/arena.ts';
import type { BlockView } from '../../native-free-shm/block-view.ts';
import type { OldBlocks } from '../../native-free-shm/old-blocks.ts';
import { TreeWalk } from '../../native-free-shm/tree-walk.ts';
import { HASH_ENCODING } from '../datatypes/hash-value.ts';
import type { RdbWriter } from '../datatypes/rdb-writer.ts';
import {
  ENCODING_SHIFT,
  HAS_DEADLINE,
  HEADER_BYTES,
  HEADER_BYTES_WITH_DEADLINE,
  KEY_BYTES_MASK,
  LARGE,
  NO_DEADLINE,
  TYPE_HASH,
  TYPE_LIST,
  TYPE_MASK,
  TYPE_SET,
  TYPE_SHIFT,
  TYPE_SORTED_SET,
  TYPE_STREAM,
  TYPE_STRING,
  WORD_CLOCK,
  WORD_DEADLINE_HIGH,
  WORD_DEADLINE_LOW,
  WORD_META,
  WORD_VALUE,
} from './entry.ts';
import { RdbHashWriter } from './rdb-hash-writer.ts';
import { RdbListSetWriter } from './rdb-list-set-writer.ts';
import { RdbStreamWriter } from './rdb-stream-writer.ts';
import { RDB_TYPE } from './rdb-types.ts';

const TWO_32 = 4294967296;
const SMALL = 0;
/** Where a sorted set's entries keep score and member; see sorted-set-index.ts. */
const SCORE_AT = 8;
const SCORED_MEMBER_AT = 16;

/** What `step` goes on with. */
const MODE = { done: 0, sortedSet: 1, hash: 2, list: 3, set: 4, stream: 5 } as const;

export class RdbValueWriter {
  readonly out: RdbWriter;
  /** Registers of `entry`: the entry's key, what it holds, its deadline in unix ms or NO_DEADLINE, its access clock. */
  keyBuf: Buffer;
  keyStart = 0;
  keyEnd = 0;
  type = 0;
  encoding = 0;
  deadline = NO_DEADLINE;
  clock = 0;
  /** Nobody else reads what is written: forms that Redis 7.0 does not know may be used. */
  isForUs = false;
  private readonly blocks: BlockView;
  private readonly listSet: RdbListSetWriter;
  private readonly stream: RdbStreamWriter;
  private readonly hash: RdbHashWriter;
  private readonly tree: TreeWalk;
  private meta = 0;
  private word = 0;
  private mode: number = MODE.done;

  constructor(blocks: BlockView, out: RdbWriter) {
    this.blocks = blocks;
    this.out = out;
    this.stream = new RdbStreamWriter(blocks.another(), out);
    this.listSet = new RdbListSetWriter(blocks.another(), out);
    this.hash = new RdbHashWriter(blocks.another(), out);
    this.tree = new TreeWalk(blocks.another());
    this.keyBuf = blocks.buf;
  }

  /** Fills the registers with what the entry `h` is. */
  entry(h: number): void {
    const { blocks } = this;
    blocks.open(h);
    const { i32 } = blocks;
    const w = blocks.byte >> 2;
    const meta = (this.meta = i32[w + WORD_META]);
    const has = (meta & HAS_DEADLINE) !== 0;
    this.type = (meta >>> TYPE_SHIFT) & TYPE_MASK;
    this.word = i32[w + WORD_VALUE];
    this.encoding = i32[w + WORD_CLOCK] >>> ENCODING_SHIFT;
    this.clock = i32[w + WORD_CLOCK] & 0xffffff;
    this.deadline = has ? i32[w + WORD_DEADLINE_HIGH] * TWO_32 + (i32[w + WORD_DEADLINE_LOW] >>> 0) : NO_DEADLINE;
    this.keyBuf = blocks.buf;
    this.keyStart = blocks.byte + (has ? HEADER_BYTES_WITH_DEADLINE : HEADER_BYTES);
    this.keyEnd = this.keyStart + (meta & KEY_BYTES_MASK);
  }

  /** Number of the form in which the entry that `entry` looked at is written. */
  rdbType(): number {
    switch (this.type) {
      case TYPE_STRING:
        return RDB_TYPE.string;
      case TYPE_STREAM:
        return this.isForUs ? RDB_TYPE.streamListpacks3 : RDB_TYPE.streamListpacks2;
      case TYPE_LIST:
        return RDB_TYPE.listQuicklist2;
      case TYPE_SET:
        return this.listSet.setType(this.encoding);
      case TYPE_SORTED_SET:
        return this.encoding === SMALL ? RDB_TYPE.sortedSetListpack : RDB_TYPE.sortedSet2;
      case TYPE_HASH:
        if (this.encoding === SMALL) return RDB_TYPE.hashListpack;
        return this.encoding === HASH_ENCODING.timed ? RDB_TYPE.hashWithDeadlines : RDB_TYPE.hash;
    }
    throw new Error(`no RDB form for values of type ${this.type}`);
  }

  /** Begins to write the value of the entry that `entry` looked at. `step` writes the rest. */
  begin(): void {
    this.mode = MODE.done;
    switch (this.type) {
      case TYPE_STRING:
        return this.string();
      case TYPE_STREAM:
        this.mode = MODE.stream;
        return this.stream.begin(this.word, this.isForUs);
      case TYPE_LIST:
        if (this.listSet.beginList(this.word, this.encoding)) this.mode = MODE.list;
        return;
      case TYPE_SET:
        if (this.listSet.beginSet(this.word, this.encoding)) this.mode = MODE.set;
        return;
      case TYPE_SORTED_SET:
        return this.encoding === SMALL ? this.compactList(this.word, 0) : this.beginSortedSet();
      case TYPE_HASH:
        if (this.encoding === SMALL) return this.compactList(this.word, 0);
        this.mode = MODE.hash;
        return this.hash.begin(this.word, this.encoding === HASH_ENCODING.timed);
    }
  }

  /** Writes up to `budget` more elements; true while there are more. */
  step(budget: number): boolean {
    switch (this.mode) {
      case MODE.stream:
        return this.stream.step(budget);
      case MODE.list:
        return this.listSet.listStep(budget);
      case MODE.set:
        return this.listSet.setStep(budget);
      case MODE.sortedSet:
        return this.sortedSetStep(budget);
      case MODE.hash:
        return this.hash.step(budget);
    }
    return false;
  }

  // ---- long strings, which a snapshot writes from where they lie

  /** Registers of `pinString`: the bytes. */
  stringBuf!: Buffer;
  stringStart = 0;
  stringEnd = 0;
  private pinnedBlock = 0;

  /** Is the entry a string of more than `bytes` bytes in a block of its own? */
  isLongString(bytes: number): boolean {
    return this.type === TYPE_STRING && (this.meta & LARGE) !== 0 && this.word > bytes;
  }

  /** Fills the registers; the bytes stay what they are until `unpinString`. Under the latch. */
  pinString(arena: Arena, past: OldBlocks): void {
    const { blocks } = this;
    const block = blocks.i32[(this.keyEnd + 3) >> 2];
    this.pinnedBlock = 0;
    if (past.copyOf(block) === 0) {
      arena.pin(block);
      this.pinnedBlock = block;
    }
    blocks.open(block);
    this.stringBuf = blocks.buf;
    this.stringStart = blocks.byte;
    this.stringEnd = blocks.byte + this.word;
  }

  /** With or without the latch. */
  unpinString(arena: Arena): void {
    if (this.pinnedBlock !== 0) arena.unpin(this.pinnedBlock);
    this.pinnedBlock = 0;
  }

  private string(): void {
    const { blocks, out } = this;
    let start = this.keyEnd;
    if ((this.meta & LARGE) !== 0) {
      blocks.open(blocks.i32[(start + 3) >> 2]);
      start = blocks.byte;
    }
    out.string(blocks.buf, start, start + this.word);
  }

  /** A compact list as it is; `lead`: bytes before it in its block. */
  private compactList(handle: number, lead: number): void {
    const { blocks, out } = this;
    blocks.open(handle);
    const start = blocks.byte + lead;
    out.string(blocks.buf, start, start + blocks.view.getUint32(start, true));
  }

  private beginSortedSet(): void {
    const { blocks, tree } = this;
    blocks.open(this.word);
    tree.start(blocks.i32[(blocks.byte >> 2) + 1]);
    this.out.length(tree.count);
    this.mode = MODE.sortedSet;
  }

  private sortedSetStep(budget: number): boolean {
    const { blocks, tree, out } = this;
    while (budget-- > 0) {
      const entry = tree.next();
      if (entry === 0) {
        this.mode = MODE.done;
        return false;
      }
      blocks.open(entry);
      const start = blocks.byte + SCORED_MEMBER_AT;
      out.string(blocks.buf, start, start + (blocks.i32[(blocks.byte >> 2) + 1] & KEY_BYTES_MASK));
      out.double(blocks.view.getFloat64(blocks.byte + SCORE_AT, true));
    }
    return true;
  }
}
