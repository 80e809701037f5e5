/** Things that are due at some time, the earliest first, any of which may leave early: a binary heap that knows its places. */

export interface Due {
  /** Unix ms. */
  deadlineMs: number;
  /** Its place in the queue, -1: it is in none. Kept by the queue. */
  place: number;
}

export class DeadlineQueue<T extends Due> {
  private readonly heap: T[] = [];

  get size(): number {
    return this.heap.length;
  }

  /** What is due first; undefined: nothing is. */
  get first(): T | undefined {
    return this.heap[0];
  }

  add(item: T): void {
    item.place = this.heap.push(item) - 1;
    this.rise(item);
  }

  /** Takes an item out; nothing happens where it is not in. */
  remove(item: T): void {
    const { place } = item;
    if (place < 0) return;
    const last = this.heap.pop()!;
    item.place = -1;
    if (last === item) return;
    this.put(last, place);
    this.rise(last);
    this.sink(last);
  }

  private put(item: T, place: number): void {
    this.heap[place] = item;
    item.place = place;
  }

  private rise(item: T): void {
    while (item.place > 0) {
      const { place } = item;
      const parent = this.heap[(place - 1) >> 1];
      if (parent.deadlineMs <= item.deadlineMs) return;
      this.put(item, parent.place);
      this.put(parent, place);
    }
  }

  private sink(item: T): void {
    for (;;) {
      const { place } = item;
      const left = this.heap[place * 2 + 1];
      const right = this.heap[place * 2 + 2];
      if (left === undefined) return;
      const child = right !== undefined && right.deadlineMs < left.deadlineMs ? right : left;
      if (item.deadlineMs <= child.deadlineMs) return;
      this.put(item, child.place);
      this.put(child, place);
    }
  }
}
