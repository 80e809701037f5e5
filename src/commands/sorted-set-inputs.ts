/** One input of a combination of sorted sets: a sorted set, or a set whose members count 1, or nothing. */
import type { HalfSipHash } from '../../native-free-shm/half-siphash.ts';
import { SetCursor } from '../datatypes/set-value.ts';
import type { Unit } from '../dispatch/unit.ts';
import { TYPE_SET, TYPE_SORTED_SET } from '../keyspace/entry.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';

/** What a member of a set counts. */
const MEMBER_SCORE = 1;

/** Gets elements one after the other; false: no more, please. Must look members up only by `find` of inputs. */
export interface ElementVisitor {
  element(buf: Buffer, start: number, end: number, score: number): boolean;
}

export class CombineInput {
  /** Members. */
  count = 0;
  weight = 1;
  /** Register of `find`. */
  score = 0;
  private ks: Keyspace | null = null;
  private root = 0;
  private encoding = 0;
  private type = TYPE_SORTED_SET;
  private readonly cursor = new SetCursor();

  /** Looks up key argument `arg`; false: it holds neither a set nor a sorted set. */
  open(unit: Unit, arg: number): boolean {
    const h = unit.findRead(arg);
    const { ks } = unit;
    this.ks = ks;
    this.weight = 1;
    this.count = 0;
    if (h === 0) return true;
    this.type = ks.typeOf(h);
    if (this.type !== TYPE_SORTED_SET && this.type !== TYPE_SET) return false;
    this.root = ks.structure(h);
    this.encoding = ks.encodingOf(h);
    this.count = ks.values.kind(this.type).count(this.root, this.encoding);
    return true;
  }

  private get space(): Keyspace {
    if (this.ks === null) throw new Error('the input was not opened');
    return this.ks;
  }

  /** The hash of members. */
  get hasher(): HalfSipHash {
    return this.space.hasher;
  }

  /** Visits all elements; the visitor may look members up in any input, this one included. */
  visit(visitor: ElementVisitor): void {
    if (this.count === 0) return;
    if (this.type === TYPE_SET) return this.visitMembers(visitor);
    const sets = this.space.values.sortedSets;
    sets.seekRank(this.root, this.encoding, 0);
    do sets.loadElement();
    while (visitor.element(sets.mBuf, sets.mStart, sets.mEnd, sets.score) && sets.next());
  }

  private visitMembers(visitor: ElementVisitor): void {
    const { cursor } = this;
    for (let more = cursor.open(this.space.values.sets, this.root, this.encoding); more; more = cursor.next()) {
      if (!visitor.element(cursor.mBuf, cursor.mStart, cursor.mEnd, MEMBER_SCORE)) return;
    }
  }

  /** Looks a member up; true: its score is in `score`. */
  find(buf: Buffer, start: number, end: number): boolean {
    if (this.count === 0) return false;
    const { values } = this.space;
    if (this.type === TYPE_SET) {
      this.score = MEMBER_SCORE;
      return values.sets.has(this.root, this.encoding, buf, start, end);
    }
    const sets = values.sortedSets;
    if (!sets.find(this.root, this.encoding, buf, start, end)) return false;
    this.score = sets.score;
    return true;
  }
}
