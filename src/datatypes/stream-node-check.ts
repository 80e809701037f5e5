/** Does a compact list that came from outside have the form of a stream's node (stream-node.ts)? Pure over bytes. */
import { elementBytes } from './compact-element.ts';
import { DELETED, SAME_FIELDS } from './stream-node.ts';

const LIST_HEADER_BYTES = 6;
const END = 0xff;
/** Elements of an entry besides its values: flags and two differences, and what counts them; with names of its own one more. */
const SHORT_ENTRY = 3;
const LONG_ENTRY = 4;

/** Walks the elements; NaN stands for an element that is no integer, or is not there. */
class NodeWalk {
  p: number;
  private readonly buf: Buffer;

  constructor(buf: Buffer, start: number) {
    this.buf = buf;
    this.p = start + LIST_HEADER_BYTES;
  }

  atEnd(): boolean {
    return this.buf[this.p] === END;
  }

  /** Steps over so many elements; false: there are fewer. */
  skip(elements: number): boolean {
    for (; elements > 0; elements--) {
      if (this.atEnd()) return false;
      this.p += elementBytes(this.buf, this.p);
    }
    return true;
  }

  integer(): number {
    if (this.atEnd()) return Number.NaN;
    const { buf, p } = this;
    const first = buf[p];
    this.p += elementBytes(buf, p);
    if (first < 0x80) return first;
    if ((first & 0xe0) === 0xc0) return ((((first & 31) << 8) | buf[p + 1]) << 19) >> 19;
    if (first === 0xf1) return buf.readInt16LE(p + 1);
    if (first === 0xf2) return buf.readIntLE(p + 1, 3);
    if (first === 0xf3) return buf.readInt32LE(p + 1);
    return first === 0xf4 ? Number(buf.readBigInt64LE(p + 1)) : Number.NaN;
  }

  /** A number of elements or entries. */
  count(): number {
    const value = this.integer();
    return value >= 0 ? value : Number.NaN;
  }
}

/** `buf` holds a sound compact list from `start` on (`isSoundCompactList`). */
export function isSoundStreamNode(buf: Buffer, start: number): boolean {
  const walk = new NodeWalk(buf, start);
  const live = walk.count();
  const deleted = walk.count();
  const masterFields = walk.count();
  if (!(live > 0) || !(deleted >= 0) || !(masterFields >= 0)) return false;
  if (!walk.skip(masterFields) || walk.integer() !== 0) return false;
  let entries = 0;
  let removed = 0;
  while (!walk.atEnd()) {
    const flags = walk.integer();
    if (!(flags >= 0 && flags <= (DELETED | SAME_FIELDS))) return false;
    if (Number.isNaN(walk.integer()) || Number.isNaN(walk.integer())) return false;
    const same = (flags & SAME_FIELDS) !== 0;
    const fields = same ? masterFields : walk.count();
    if (!(fields >= 0) || !walk.skip(same ? fields : 2 * fields)) return false;
    if (walk.integer() !== (same ? fields + SHORT_ENTRY : 2 * fields + LONG_ENTRY)) return false;
    entries++;
    if ((flags & DELETED) !== 0) removed++;
  }
  return entries === live + deleted && removed === deleted;
}
