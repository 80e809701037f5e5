/**
 * The nodes of a long list (quick-list.ts): compact lists that grow and shrink at their front as cheaply as at their end.
 *
 *   block:  | previous node | next node | gap u32 | gap bytes, unused | compact list | unused |
 *
 * Redis moves up to 8 KiB of a node for every LPUSH and LPOP; so did this server, and it took a third of the command. A pop at the front
 * widens the gap, a push takes from it; only where there is no room on the side that needs it the list is moved, once for many.
 *
 * Invariant 1: whatever moves the start of a list keeps places: an element's place counts from there.
 */
import type { Arena } from '../../native-free-shm/arena.ts';
import { moveWithin } from '../../native-free-shm/bytes.ts';
import { elementBytes, isShortText, writeShortText } from './compact-element.ts';
import { CompactList } from './compact-list.ts';

const OFFSET_MASK = 0x3ffffff;
const GAP = 2;
/** Words of a node in front of its gap, and their bytes. */
export const LIST_NODE = { prev: 0, next: 1, gap: GAP } as const;
export const LIST_NODE_LEAD_BYTES = 12;
const LEAD_BYTES = LIST_NODE_LEAD_BYTES;
const FIRST_PLACE = 6;
const END = 0xff;
const MANY = 65535;

export class ListNodes extends CompactList {
  constructor(arena: Arena) {
    super(arena, LEAD_BYTES, true);
  }

  override prepend(h: number, bytes: Buffer, start: number, end: number): number {
    const isShort = isShortText(bytes, start, end);
    const size = isShort ? end - start + 2 : this.measure(bytes, start, end);
    const node = this.gap(h) >= size ? h : this.widenGap(h, size);
    const { arena } = this;
    arena.willChange(node);
    const view = arena.view[node >>> 26];
    const base = this.base(node);
    this.moveStart(node, -size, view.getUint32(base, true) + size, view.getUint16(base + 4, true));
    this.placed = FIRST_PLACE;
    if (isShort) writeShortText(view, this.base(node) + FIRST_PLACE, bytes, start, end);
    else this.writeElement(node, bytes, start, end);
    this.changeCount(node, 1);
    return node;
  }

  override remove(h: number, at: number, count = 1): number {
    const { arena } = this;
    const view = arena.view[h >>> 26];
    const base = this.base(h);
    const elements = view.getUint16(base + 4, true);
    if (elements === MANY || count >= elements) return super.remove(h, at, count);
    const u8 = arena.u8[h >>> 26];
    let p = base + at;
    let removed = 0;
    for (; removed < count && u8[p] !== END; removed++) p += elementBytes(u8, p);
    const isFront = at === FIRST_PLACE;
    if (!isFront && u8[p] !== END) return super.remove(h, at, count);
    arena.willChange(h);
    if (isFront) {
      const size = p - base - FIRST_PLACE;
      this.moveStart(h, size, view.getUint32(base, true) - size, elements - removed);
    } else {
      u8[base + at] = END;
      view.setUint32(base, at + 1, true);
      view.setUint16(base + 4, elements - removed, true);
    }
    return this.shrunk(h);
  }

  /** The list starts `by` bytes further back, or, below 0, further in front: its header is written there. The change is announced. */
  private moveStart(h: number, by: number, bytes: number, elements: number): void {
    const segment = h >>> 26;
    const { arena } = this;
    arena.i32[segment][((h & OFFSET_MASK) << 2) + GAP] += by;
    const view = arena.view[segment];
    const base = this.base(h);
    view.setUint32(base, bytes, true);
    view.setUint16(base + 4, elements, true);
  }

  private gap(h: number): number {
    return this.arena.i32[h >>> 26][((h & OFFSET_MASK) << 2) + GAP];
  }

  /** The node with a gap of `size` bytes at least: half of what is free if that is enough, else all that is in a longer block. */
  private widenGap(h: number, size: number): number {
    const { arena } = this;
    const total = this.bytes(h);
    const free = arena.blockBytes(h) - LEAD_BYTES - total;
    if (free >= size) {
      this.slide(h, size + ((free - size) >> 1));
      return h;
    }
    const next = arena.allocate(LEAD_BYTES + total + size);
    const from = arena.i32[h >>> 26];
    const to = arena.i32[next >>> 26];
    const fromAt = (h & OFFSET_MASK) << 2;
    const toAt = (next & OFFSET_MASK) << 2;
    for (let i = 0; i < GAP; i++) to[toAt + i] = from[fromAt + i];
    to[toAt + GAP] = arena.blockBytes(next) - LEAD_BYTES - total;
    const base = this.base(h);
    arena.buf[h >>> 26].copy(arena.buf[next >>> 26], this.base(next), base, base + total);
    arena.release(h);
    return next;
  }

  /** Moves the list within its block, so that it has a gap of so many bytes. */
  private slide(h: number, gap: number): void {
    const { arena } = this;
    const base = this.base(h);
    const total = this.bytes(h);
    arena.willChange(h);
    arena.i32[h >>> 26][((h & OFFSET_MASK) << 2) + GAP] = gap;
    moveWithin(arena.buf[h >>> 26], this.base(h), base, base + total);
  }

  protected override open(h: number, at: number, size: number): number {
    const total = this.bytes(h);
    if (total + size > this.roomFrom(h, this.base(h))) {
      const free = this.arena.blockBytes(h) - LEAD_BYTES - total;
      if (free >= size) this.slide(h, (free - size) >> 1);
    }
    return super.open(h, at, size);
  }

  /** Throws on a broken invariant. For tests and DEBUG. */
  override check(h: number): void {
    if (this.gap(h) < 0 || this.bytes(h) > this.roomFrom(h, this.base(h)))
      throw new Error('list node: its gap is too long');
    super.check(h);
  }
}
