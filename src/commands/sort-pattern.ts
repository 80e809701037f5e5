/**
 * Patterns of SORT: the first star stands for an element, and what comes out names a string; or, with "->field" behind the star,
 * a field of a hash. The keys may lie in any shard, all of which the unit holds.
 */
import { COUNTER } from '../admin/server-counters.ts';
import type { Unit } from '../dispatch/unit.ts';
import { TYPE_HASH, TYPE_STRING } from '../keyspace/entry.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';
import { slotMap, slotOf } from '../keyspace/slot.ts';
import type { Args } from '../resp/args.ts';

const ARROW = Buffer.from('->', 'latin1');
const STAR = 42;
const HASH_SIGN = 35;

let shardOfSlot = slotMap(1);
let mappedShards = 1;

export class SortPattern {
  /** Registers of `look`: the bytes. */
  vBuf: Buffer = Buffer.alloc(0);
  vStart = 0;
  vEnd = 0;
  /** It is "#": the element itself. */
  private isElement = false;
  private hasStar = false;
  private prefix: Buffer = Buffer.alloc(0);
  private suffix: Buffer = Buffer.alloc(0);
  private field: Buffer = Buffer.alloc(0);
  private key = Buffer.alloc(256);

  /** Takes argument `i` as the pattern. */
  read(args: Args, i: number): void {
    const text = args.bytes(i);
    const star = text.indexOf(STAR);
    this.isElement = text.length === 1 && text[0] === HASH_SIGN;
    this.hasStar = star >= 0;
    if (star < 0) return;
    const arrow = text.indexOf(ARROW, star + 1);
    const hasField = arrow >= 0 && arrow + ARROW.length < text.length;
    this.prefix = text.subarray(0, star);
    this.suffix = text.subarray(star + 1, hasField ? arrow : text.length);
    this.field = hasField ? text.subarray(arrow + ARROW.length) : text.subarray(0, 0);
  }

  /** Finds what the pattern means for the element bytes[start, end); false: there is no such thing. */
  look(unit: Unit, bytes: Buffer, start: number, end: number): boolean {
    if (this.isElement) {
      this.vBuf = bytes;
      this.vStart = start;
      this.vEnd = end;
      return true;
    }
    if (!this.hasStar) return false;
    const h = this.find(unit, this.makeKey(bytes, start, end));
    unit.counters[h === 0 ? COUNTER.keyspaceMisses : COUNTER.keyspaceHits]++;
    return h !== 0 && this.load(unit, unit.ks, h);
  }

  /** Puts the element between prefix and suffix; the length of that key. */
  private makeKey(bytes: Buffer, start: number, end: number): number {
    const { prefix, suffix } = this;
    const length = prefix.length + end - start + suffix.length;
    if (this.key.length < length) this.key = Buffer.alloc(length * 2);
    prefix.copy(this.key, 0);
    bytes.copy(this.key, prefix.length, start, end);
    suffix.copy(this.key, length - suffix.length);
    return length;
  }

  /** The entry of the key that was made, in `unit.ks`; 0: there is none, or its time is over. */
  private find(unit: Unit, length: number): number {
    if (mappedShards !== unit.shards) {
      shardOfSlot = slotMap(unit.shards);
      mappedShards = unit.shards;
    }
    const shard = shardOfSlot[slotOf(this.key, 0, length)];
    if (!unit.holds(shard)) throw new Error(`SORT looks into shard ${shard}, which it does not hold`);
    const ks = (unit.ks = unit.spaceOf(shard));
    const h = ks.find(unit.db, ks.hasher.hash(this.key, 0, length), this.key, 0, length);
    if (h === 0 || unit.isExpired(ks, h)) return 0;
    if (!unit.noTouch) ks.touch(h);
    return h;
  }

  private load(unit: Unit, ks: Keyspace, h: number): boolean {
    const { field } = this;
    if (field.length === 0) {
      if (ks.typeOf(h) !== TYPE_STRING) return false;
      ks.value(h);
      this.vBuf = ks.vBuf;
      this.vStart = ks.vStart;
      this.vEnd = ks.vEnd;
      return true;
    }
    if (ks.typeOf(h) !== TYPE_HASH) return false;
    const { hashes } = ks.values;
    hashes.open(ks.structure(h), ks.encodingOf(h), unit.nowMs);
    const place = hashes.find(field, 0, field.length);
    if (place === 0) return false;
    hashes.loadValue(place);
    this.vBuf = hashes.vBuf;
    this.vStart = hashes.vStart;
    this.vEnd = hashes.vEnd;
    return true;
  }
}
