/**
 * Loads an RDB file into the shards of one thread, in steps. Every thread reads the whole file and takes what is its own; what is
 * not is stepped over.
 */
import type { HalfSipHash } from '../../native-free-shm/half-siphash.ts';
import type { Latch } from '../../native-free-shm/latch.ts';
import { DamagedRdbError } from '../datatypes/rdb-reader.ts';
import type { Files } from '../env/files.ts';
import { MAX_KEY_BYTES, NO_DEADLINE, TYPE_STRING } from '../keyspace/entry.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';
import { RDB_OPCODE, RDB_TYPE } from '../keyspace/rdb-types.ts';
import { RdbValueReader, READ } from '../keyspace/rdb-value-reader.ts';
import { skipRdbValue } from '../keyspace/rdb-value-skip.ts';
import { slotMap, slotOf } from '../keyspace/slot.ts';
import { RdbFileReader, type ShareSum, type SumShare } from './rdb-file-reader.ts';
import { RdbWalk } from './rdb-walk.ts';
import { PUT, StringBatch } from './string-batch.ts';
import { TablePlan } from './table-plan.ts';

/** What a step may cost: a plain string costs 1, anything else so much. */
const COST_PER_STEP = 512;
const COST_OF_OTHERS = 8;
/** A step that has passed so many bytes ends. */
const BYTES_PER_STEP = 1 << 20;
/** Lengths of one byte are below the first, of two bytes below the second. */
const ONE_BYTE_LENGTHS = 64;
const TWO_BYTE_LENGTHS = 128;
/** Forms of values that are numbers of 1, 2 and 4 bytes. */
const INT_8 = 0xc0;
const INT_32 = 0xc2;
/** Opcode and eight bytes of a deadline, form, and two lengths. */
const MAX_HEAD_BYTES = 14;
const TWO_32 = 4294967296;
const SPIN_MICROS = 20;
/** So many keys without a value are named in the log. */
const EMPTY_KEYS_NAMED = 20;
const CLOCK_MASK = 0xffffff;
/** Room for an entry, a string value in it, and growth of the table. */
const ENTRY_ROOM_BYTES = 1 << 20;

export interface RdbLoadParts {
  files: Files;
  /** Where other threads load the same file: which blocks are summed up here. `checkShares` must be told what all of them made of it. */
  sumShare?: SumShare;
  spaces: readonly Keyspace[];
  latches: readonly Latch[];
  hasher: HalfSipHash;
  /** Is this shard loaded by this thread? */
  owns: (shard: number) => boolean;
  /** Unix ms: keys whose deadline has passed are left out. 0: none is, for records that follow may prolong their lives. */
  nowMs: number;
  /** Unix ms for the access clocks. */
  clockMs: number;
  /** A library of functions, for the thread that owns shard 0: its code, one byte per character. */
  library: (code: string) => void;
  /** So many more bytes of the file are behind us, and so many entries, whoever takes them. */
  progress: (bytes: number, entries: number) => void;
}

/** The memory cannot take what the file holds. */
export class NoRoomForFileError extends Error {}

/** What a file gave. */
export interface RdbLoaded {
  /** Keys that were taken, and those of these shards that were left out because their time was over. */
  keys: number;
  expired: number;
  /** Keys without a value, which faults of old servers have made: left out. How many, and the names of the first ones. */
  empty: number;
  emptyKeys: string[];
  /** Libraries of functions that the file has. */
  libraries: number;
  /** Of a share of the file's blocks; null: none was to be made, the sum was checked, or the file has none. */
  shareSum: ShareSum | null;
  /** Offset behind the end of the RDB data: records of an append-only file may follow. */
  endOffset: number;
}

/** Loads the file. Throws DamageError, NoRoomForFileError and the system's errors. */
export function* rdbLoadSteps(path: string, parts: RdbLoadParts): Generator<void, RdbLoaded, void> {
  const reader = new RdbFileReader(parts.files, path, parts.sumShare);
  try {
    const load = new RdbLoad(reader, parts);
    while (!load.step()) yield;
    const { keys, expired, empty, emptyKeys, libraries } = load;
    return { keys, expired, empty, emptyKeys, libraries, shareSum: reader.shareSum, endOffset: reader.offset };
  } catch (error) {
    if (error instanceof DamagedRdbError) throw reader.damage(error.message);
    throw error;
  } finally {
    reader.close();
  }
}

class RdbLoad extends RdbWalk {
  keys = 0;
  expired = 0;
  empty = 0;
  readonly emptyKeys: string[] = [];
  private readonly parts: RdbLoadParts;
  private readonly values: RdbValueReader[];
  private readonly shardOfSlot: Uint8Array;
  /** By shard; null: another thread loads it. */
  private readonly batches: (StringBatch | null)[];
  /** Database of what is in the batches, and where its bytes lie. */
  private batchDb = 0;
  private batchBuf: Buffer;
  /** Is a latch held? Then no batch can be put. */
  private holds = false;
  private readonly plan: TablePlan;
  private readonly clock: number;
  /** Bytes that `progress` knows of, entries that it does not know of. */
  private told = 0;
  private entries = 0;
  private key = Buffer.alloc(256);

  constructor(reader: RdbFileReader, parts: RdbLoadParts) {
    super(reader, parts.spaces[0].databases);
    this.parts = parts;
    this.values = parts.spaces.map((space) => new RdbValueReader(space));
    this.shardOfSlot = slotMap(parts.spaces.length);
    const { spaces, latches, hasher, owns } = parts;
    this.batches = spaces.map((ks, shard) => (owns(shard) ? new StringBatch(ks, latches[shard], hasher) : null));
    this.plan = new TablePlan(spaces, latches, owns);
    this.clock = Math.floor(parts.clockMs / 1000) & CLOCK_MASK;
    this.batchBuf = reader.buf;
    reader.beforeMove = () => this.holds || this.putAll();
  }

  /** Reads some entries; true: the file is done. */
  step(): boolean {
    if (this.plan.step()) return false;
    let done = false;
    const { reader } = this;
    for (let left = COST_PER_STEP; left > 0 && !done; left -= COST_OF_OTHERS) {
      left -= this.strings(left);
      if (left > 0) done = this.next();
      if (reader.offset - this.told > BYTES_PER_STEP) break;
    }
    if (done) this.putAll();
    this.parts.progress(reader.offset - this.told, this.entries);
    this.told = reader.offset;
    this.entries = 0;
    return done;
  }

  /**
   * Takes plain strings and numbers, up to `most`, as long as they follow one another whole in the reader's buffer; how many there were. The same as
   * `next` for each of them, without a call where the entry is another thread's.
   */
  private strings(most: number): number {
    if (this.deadline !== NO_DEADLINE || this.idleSeconds >= 0) return 0;
    const { reader, parts, batches, shardOfSlot, plan } = this;
    const { buf, end } = reader;
    if (this.batchBuf !== buf) this.putAll();
    this.batchBuf = buf;
    let { pos } = reader;
    let count = 0;
    for (; count < most && pos + MAX_HEAD_BYTES <= end; count++) {
      let at = pos;
      let deadline = NO_DEADLINE;
      if (buf[at] === RDB_OPCODE.expireTimeMs) {
        deadline = buf.readInt32LE(at + 5) * TWO_32 + buf.readUInt32LE(at + 1);
        at += 9;
      }
      if (buf[at++] !== RDB_TYPE.string) break;
      let length = buf[at++];
      if (length >= ONE_BYTE_LENGTHS) {
        if (length >= TWO_BYTE_LENGTHS) break;
        length = ((length & 63) << 8) | buf[at++];
      }
      const keyStart = at;
      const keyEnd = keyStart + length;
      if (keyEnd + 2 > end) break;
      at = keyEnd;
      const form = buf[at++];
      length = form;
      if (form >= ONE_BYTE_LENGTHS) {
        if (form < TWO_BYTE_LENGTHS) length = ((form & 63) << 8) | buf[at++];
        else if (form >= INT_8 && form <= INT_32) length = 1 << (form - INT_8);
        else break;
      }
      if (at + length > end) break;
      pos = at + length;
      const shard = shardOfSlot[slotOf(buf, keyStart, keyEnd)];
      plan.met[shard] = 1;
      const batch = batches[shard];
      if (batch === null) continue;
      reader.pos = pos;
      if (deadline !== NO_DEADLINE && deadline <= parts.nowMs) this.expired++;
      else if (form >= INT_8) this.addNumber(batch, keyStart, keyEnd, at, deadline);
      else if (batch.add(keyStart, keyEnd, at, pos, deadline)) this.put(batch);
    }
    reader.pos = pos;
    this.entries += count;
    plan.note(count);
    return count;
  }

  /** The value is a number of 1, 2 or 4 bytes, from `at` up to where the reader stands. */
  private addNumber(batch: StringBatch, keyStart: number, keyEnd: number, at: number, deadline: number): void {
    const { buf, pos } = this.reader;
    const shift = 32 - ((pos - at) << 3);
    let value = buf[at];
    for (let i = 1; at + i < pos; i++) value |= buf[at + i] << (i << 3);
    if (batch.addNumber(keyStart, keyEnd, (value << shift) >> shift, deadline)) this.put(batch);
  }

  private put(batch: StringBatch): void {
    const count = batch.size;
    const outcome = batch.put(this.batchDb, this.batchBuf, this.clock);
    if (outcome !== PUT.ok) this.refuse(outcome === PUT.twice);
    this.keys += count;
  }

  /** Always false: nothing needs the buffer's bytes any more. */
  private putAll(): boolean {
    for (const batch of this.batches) if (batch !== null) this.put(batch);
    return false;
  }

  private refuse(twice: boolean): never {
    if (twice) throw new DamagedRdbError('a key stands twice');
    const { path, offset } = this.reader;
    throw new NoRoomForFileError(`${path}: the memory is full at byte ${offset}`);
  }

  protected override selected(): void {
    this.putAll();
    this.batchDb = this.db;
  }

  protected override expect(keys: number): void {
    this.plan.expect(this.db, keys, this.reader.bytesLeft);
  }

  protected override library(code: string): void {
    if (this.parts.owns(0)) this.parts.library(code);
  }

  protected override entry(rdbType: number): void {
    const { reader, parts } = this;
    this.entries++;
    reader.string();
    const length = reader.sEnd - reader.sStart;
    if (length > MAX_KEY_BYTES) throw new DamagedRdbError(`a key of ${length} bytes is too long`);
    if (this.key.length < length) this.key = Buffer.alloc(length * 2);
    reader.sBuf.copy(this.key, 0, reader.sStart, reader.sEnd);
    const shard = this.shardOfSlot[slotOf(this.key, 0, length)];
    this.plan.met[shard] = 1;
    this.plan.note(1);
    const expired = this.deadline !== NO_DEADLINE && this.deadline <= parts.nowMs;
    if (expired && parts.owns(shard)) this.expired++;
    if (!parts.owns(shard) || expired) skipRdbValue(rdbType, reader);
    else this.load(rdbType, shard, length);
  }

  private load(rdbType: number, shard: number, keyBytes: number): void {
    const { reader, parts, key, db } = this;
    const ks = parts.spaces[shard];
    const latch = parts.latches[shard];
    const value = this.values[shard];
    const hash = parts.hasher.hash(key, 0, keyBytes);
    while (!latch.acquireSpin(SPIN_MICROS));
    this.holds = true;
    const outcome = value.read(rdbType, reader);
    const room = outcome !== READ.noRoom && ks.reserve(keyBytes + ENTRY_ROOM_BYTES);
    const twice = ks.find(db, hash, key, 0, keyBytes) !== 0;
    if (outcome === READ.ok && room && !twice) this.link(ks, value, hash, keyBytes);
    latch.release();
    this.holds = false;
    if (outcome === READ.damaged) throw new DamagedRdbError(value.damage);
    if (outcome === READ.empty) return this.noteEmpty(keyBytes);
    if (twice || !room) this.refuse(twice);
  }

  private noteEmpty(keyBytes: number): void {
    if (this.empty++ < EMPTY_KEYS_NAMED) this.emptyKeys.push(this.key.toString('latin1', 0, keyBytes));
  }

  private link(ks: Keyspace, value: RdbValueReader, hash: number, keyBytes: number): void {
    const { reader, key, db, deadline } = this;
    ks.clock = this.clock;
    const h =
      value.type === TYPE_STRING
        ? ks.setString(db, hash, key, 0, keyBytes, reader.sBuf, reader.sStart, reader.sEnd, deadline, 0)
        : ks.createStructure(db, hash, key, 0, keyBytes, value.type, value.root, value.encoding, deadline, 0);
    if (this.idleSeconds >= 0) ks.setClock(h, (ks.clock - this.idleSeconds) & CLOCK_MASK);
    this.keys++;
  }
}
