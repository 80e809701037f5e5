/** Reads streams in all forms of RDB files. */
import { isSoundCompactList } from '../datatypes/compact-element.ts';
import { DamagedRdbError, type RdbReader } from '../datatypes/rdb-reader.ts';
import { StreamId } from '../datatypes/stream-id.ts';
import { entriesUpTo } from '../datatypes/stream-lag.ts';
import { isSoundStreamNode } from '../datatypes/stream-node-check.ts';
import { STREAM_LAST_ID, STREAM_MAX_DELETED_ID } from '../datatypes/stream-value.ts';
import type { Keyspace } from './keyspace.ts';
import { RDB_TYPE } from './rdb-types.ts';

const ID_BYTES = 16;

/** Makes room in the shard, or throws. */
type Room = (bytes: number) => void;

/** A stream: root of what was made, told to `made` before anything can go wrong. */
export function readRdbStream(
  ks: Keyspace,
  rdbType: number,
  from: RdbReader,
  room: Room,
  made: (root: number) => void,
): void {
  room(0);
  const root = ks.values.streams.create();
  made(root);
  new StreamRead(ks, root, rdbType, from, room).run();
}

class StreamRead {
  private readonly ks: Keyspace;
  private readonly root: number;
  private readonly rdbType: number;
  private readonly from: RdbReader;
  private readonly room: Room;
  private readonly id = new StreamId();
  private readonly words = new Int32Array(4);

  constructor(ks: Keyspace, root: number, rdbType: number, from: RdbReader, room: Room) {
    this.ks = ks;
    this.root = root;
    this.rdbType = rdbType;
    this.from = from;
    this.room = room;
  }

  run(): void {
    const { streams } = this.ks.values;
    const { from, root } = this;
    for (let left = from.length(); left > 0; left--) this.node();
    const length = from.length();
    if (length !== streams.length(root)) throw new DamagedRdbError('the length of a stream is not that of its nodes');
    this.idNumbers();
    streams.setId(root, STREAM_LAST_ID, this.id);
    if (this.rdbType === RDB_TYPE.streamListpacks) {
      streams.setEntriesAdded(root, BigInt(length));
    } else {
      // the first id follows from the entries
      this.idNumbers();
      this.idNumbers();
      streams.setId(root, STREAM_MAX_DELETED_ID, this.id);
      streams.setEntriesAdded(root, BigInt.asIntN(64, from.bigLength()));
    }
    if (!streams.finishLoad(root)) throw new DamagedRdbError('the ids of a stream are not in order');
    for (let left = from.length(); left > 0; left--) this.group();
  }

  private node(): void {
    const { from, root } = this;
    from.string();
    if (from.sEnd - from.sStart !== ID_BYTES) throw new DamagedRdbError('the id of a stream node is no id');
    this.takeId(from.sBuf, from.sStart);
    from.heldString();
    const { sBuf, sStart, sEnd } = from;
    if (!isSoundCompactList(sBuf, sStart, sEnd)) throw new DamagedRdbError('damaged listpack');
    if (!isSoundStreamNode(sBuf, sStart)) throw new DamagedRdbError('a stream node is damaged');
    this.room((sEnd - sStart) * 2);
    if (!this.ks.values.streams.addNode(root, this.id, sBuf, sStart, sEnd))
      throw new DamagedRdbError('a stream node is damaged or out of order');
  }

  private takeId(buf: Buffer, start: number): void {
    for (let i = 0; i < 4; i++) this.words[i] = buf.readInt32BE(start + i * 4);
    this.id.load(this.words, 0);
  }

  /** An id as two numbers. */
  private idNumbers(): void {
    const ms = this.from.bigLength();
    const seq = this.from.bigLength();
    const words = [ms >> 32n, ms & 0xffffffffn, seq >> 32n, seq & 0xffffffffn];
    words.forEach((word, i) => {
      this.words[i] = Number(word);
    });
    this.id.load(this.words, 0);
  }

  /** An id as 16 bytes; as text it is a key of the map. */
  private rawId(): string {
    const { from } = this;
    from.need(ID_BYTES);
    this.takeId(from.buf, from.pos);
    const text = from.buf.toString('latin1', from.pos, from.pos + ID_BYTES);
    from.pos += ID_BYTES;
    return text;
  }

  private group(): void {
    const { from, root, ks } = this;
    const { streams } = ks.values;
    const { groups } = streams;
    from.heldString();
    const name = Buffer.from(from.sBuf.subarray(from.sStart, from.sEnd));
    this.room(name.length);
    const table = streams.openGroups(root);
    if (groups.findGroup(table, name, 0, name.length) !== 0) throw new DamagedRdbError('a group stands twice');
    this.idNumbers();
    // before 7.0 nobody counted what a group had read
    const isOld = this.rdbType === RDB_TYPE.streamListpacks;
    const read = isOld ? entriesUpTo(streams, root, this.id) : BigInt.asIntN(64, from.bigLength());
    const group = groups.createGroup(table, name, 0, name.length, this.id, read);
    const pending = new Map<string, { deliveredMs: number; times: number }>();
    for (let left = from.length(); left > 0; left--) {
      const id = this.rawId();
      if (pending.has(id)) throw new DamagedRdbError('a pending entry stands twice');
      pending.set(id, { deliveredMs: from.millis(), times: from.length() });
    }
    for (let left = from.length(); left > 0; left--) this.consumer(group, pending);
    if (pending.size > 0) throw new DamagedRdbError('a pending entry has no consumer');
  }

  private consumer(group: number, pending: Map<string, { deliveredMs: number; times: number }>): void {
    const { from, ks } = this;
    const { groups } = ks.values.streams;
    from.heldString();
    const name = Buffer.from(from.sBuf.subarray(from.sStart, from.sEnd));
    this.room(name.length);
    if (groups.findConsumer(group, name, 0, name.length) !== 0) throw new DamagedRdbError('a consumer stands twice');
    const seenMs = from.millis();
    const consumer = groups.createConsumer(group, name, 0, name.length, seenMs);
    // before 7.2 nobody noted it: who was seen counts as active
    groups.setActiveMs(consumer, this.rdbType === RDB_TYPE.streamListpacks3 ? from.millis() : seenMs);
    for (let left = from.length(); left > 0; left--) {
      const key = this.rawId();
      const entry = pending.get(key);
      if (entry === undefined) throw new DamagedRdbError('a consumer has an entry that is not pending');
      pending.delete(key);
      this.room(0);
      const { deliveredMs, times } = entry;
      groups.pending.add(groups.pendingOf(group), groups.ownOf(consumer), consumer, this.id, deliveredMs, times);
    }
  }
}
