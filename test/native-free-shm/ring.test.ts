/** The ring against a plain queue, and its edges. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DOORBELL_WORDS, Doorbell } from '../../native-free-shm/doorbell.ts';
import { createRingMemory, RING_MAX_KIND, RingReader, RingWriter } from '../../native-free-shm/ring.ts';

const MAX_MESSAGE = 5000;

interface Message {
  kind: number;
  bytes: Buffer;
}

/** Both ends over one memory in one thread, bells that only remember, and the model: what is written and what is published. */
class Bench {
  readonly memory: SharedArrayBuffer;
  readonly bells = new Int32Array(new SharedArrayBuffer(2 * DOORBELL_WORDS * 4));
  readonly writer: RingWriter;
  readonly reader: RingReader;
  readonly writerBell = new Doorbell(this.bells, 0);
  readonly readerBell = new Doorbell(this.bells, DOORBELL_WORDS);
  /** Fully written, not yet received. */
  readonly expected: Message[] = [];
  published = 0;
  /** Written in part. */
  pending: Message | null = null;
  blocked = false;
  seq = 0;

  constructor(capacityBytes: number, startPosition: number) {
    this.memory = createRingMemory(capacityBytes);
    const control = new Int32Array(this.memory);
    control[0] = control[32] = startPosition;
    this.writer = new RingWriter(this.memory, this.readerBell, MAX_MESSAGE);
    this.reader = new RingReader(this.memory, this.writerBell, MAX_MESSAGE);
  }

  message(length: number): Message {
    const seq = this.seq++;
    const bytes = Buffer.alloc(length);
    for (let i = 0; i < length; i++) bytes[i] = seq * 31 + i * 7;
    return { kind: (seq * 977) & RING_MAX_KIND, bytes };
  }

  /** One attempt to write, in two parts split at `split`. */
  write(length: number, split: number): void {
    const message = this.pending ?? this.message(length);
    const { kind, bytes } = message;
    const at = Math.min(split, bytes.length);
    if (this.writer.tryWrite(kind, bytes, 0, at, bytes, at, bytes.length)) {
      this.expected.push(message);
      this.pending = null;
    } else {
      this.pending = message;
      this.blocked = true;
      // A full ring publishes what is there
      this.published = this.expected.length;
    }
  }

  /** As write, but the bytes go straight into the ring. */
  writeReserved(length: number): void {
    if (this.pending !== null) return;
    const message = this.message(Math.min(length, this.writer.maxWholeBytes));
    const at = this.writer.reserve(message.kind, message.bytes.length);
    if (at < 0) {
      this.blocked = true;
      this.published = this.expected.length;
      return;
    }
    expect(at % 8).toBe(0);
    message.bytes.copy(this.writer.buf, at);
    this.expected.push(message);
  }

  publish(): void {
    this.writer.publish();
    this.published = this.expected.length;
  }

  drain(max: number): number {
    const before = this.expected.length;
    const records = this.reader.drain((kind, buf, start, end) => {
      const message = this.expected.shift();
      expect(message, 'nothing arrives that was not sent').toBeDefined();
      expect(kind).toBe(message!.kind);
      expect(buf.subarray(start, end).equals(message!.bytes)).toBe(true);
    }, max);
    const got = before - this.expected.length;
    this.published -= got;
    expect(this.published, 'nothing is received before it is published').toBeGreaterThanOrEqual(0);
    if (records < max) {
      expect(this.published, 'everything published is received').toBe(0);
      if (this.blocked) {
        expect(this.writerBell.waitSync(0), 'a blocked writer is rung when the ring is empty').toBe(true);
        this.blocked = false;
      }
    }
    return got;
  }
}

const step = fc.oneof(
  fc.record({ do: fc.constant('write' as const), a: fc.integer({ min: 0, max: 200 }), b: fc.nat(300) }),
  fc.record({ do: fc.constant('write' as const), a: fc.integer({ min: 0, max: MAX_MESSAGE }), b: fc.nat(MAX_MESSAGE) }),
  fc.record({ do: fc.constant('reserve' as const), a: fc.integer({ min: 0, max: 300 }), b: fc.constant(0) }),
  fc.record({ do: fc.constant('publish' as const), a: fc.constant(0), b: fc.constant(0) }),
  fc.record({ do: fc.constant('drain' as const), a: fc.integer({ min: 1, max: 20 }), b: fc.constant(0) }),
);

describe('against a queue', () => {
  test('every message arrives once, whole, in order, and never before it is published', () => {
    const starts = fc.constantFrom(0, 0x7fffff00, -8, 0x7ffffff8, -2048);
    fc.assert(
      fc.property(fc.constantFrom(1024, 4096), starts, fc.array(step, { maxLength: 120 }), (capacity, start, steps) => {
        const bench = new Bench(capacity, start);
        for (const { do: what, a, b } of steps) {
          if (what === 'write') bench.write(a, b);
          else if (what === 'reserve') bench.writeReserved(a);
          else if (what === 'publish') bench.publish();
          else bench.drain(a);
        }
        bench.publish();
        for (let n = 0; bench.pending !== null; n++) {
          expect(n).toBeLessThan(MAX_MESSAGE);
          bench.drain(1000);
          bench.write(0, 3);
          bench.publish();
        }
        bench.drain(1000);
        expect(bench.expected).toEqual([]);
        expect(bench.reader.pending()).toBe(false);
        expect(bench.writer.usedBytes()).toBe(0);
      }),
      { numRuns: 400 },
    );
  });
});

describe('edges', () => {
  test('publish rings the reader only when something is new', () => {
    const bench = new Bench(1024, 0);
    bench.publish();
    expect(bench.readerBell.waitSync(0)).toBe(false);
    bench.write(10, 0);
    expect(bench.readerBell.waitSync(0)).toBe(false);
    bench.publish();
    expect(bench.readerBell.waitSync(0)).toBe(true);
    expect(bench.drain(5)).toBe(1);
  });

  test('a record of the largest size always fits once half of the ring is free, wherever the positions stand', () => {
    for (let offset = 0; offset < 1024; offset += 8) {
      const bench = new Bench(1024, offset);
      for (let n = 0; n < 2; n++) {
        expect(bench.writer.reserve(1, bench.writer.maxWholeBytes)).toBeGreaterThanOrEqual(0);
        bench.writer.publish();
        expect(bench.reader.drain(() => {})).toBe(1);
      }
    }
  });

  test('a writer is not rung while more than half of the ring is used, and is rung as soon as it is not', () => {
    const bench = new Bench(1024, 0);
    for (let n = 0; n < 100 && !bench.blocked; n++) bench.write(56, 0);
    let drained = 0;
    while (!bench.writerBell.waitSync(0) && drained < 100) {
      bench.reader.drain(() => {}, 1);
      drained++;
    }
    expect(drained).toBe(8);
  });

  test('a message that is partly written must be finished before another', () => {
    const bench = new Bench(1024, 0);
    const long = Buffer.alloc(MAX_MESSAGE, 1);
    expect(bench.writer.tryWrite(1, long, 0, MAX_MESSAGE)).toBe(false);
    expect(() => bench.writer.reserve(2, 8)).toThrow(/partly written/);
    expect(() => bench.writer.tryWrite(2, long, 0, 8)).toThrow(/partly written/);
    expect(() => bench.writer.tryWrite(2, long, 0, MAX_MESSAGE)).toThrow(/partly written/);
    const got: number[] = [];
    let attempts = 0;
    do bench.reader.drain((kind, _buf, start, end) => got.push(kind, end - start));
    while (!bench.writer.tryWrite(1, long, 0, MAX_MESSAGE) && ++attempts < 100);
    bench.writer.publish();
    bench.reader.drain((kind, _buf, start, end) => got.push(kind, end - start));
    expect(got).toEqual([1, MAX_MESSAGE]);
    expect(bench.writer.tryWrite(2, long, 0, 8)).toBe(true);
  });

  test('faults of the caller are thrown', () => {
    const bench = new Bench(1024, 0);
    const bytes = Buffer.alloc(MAX_MESSAGE + 1);
    expect(() => bench.writer.tryWrite(1, bytes, 0, MAX_MESSAGE + 1)).toThrow(RangeError);
    expect(() => bench.writer.tryWrite(RING_MAX_KIND + 1, bytes, 0, 1)).toThrow(RangeError);
    expect(() => bench.writer.tryWrite(-1, bytes, 0, MAX_MESSAGE)).toThrow(RangeError);
    expect(() => bench.writer.reserve(1, bench.writer.maxWholeBytes + 1)).toThrow(RangeError);
    expect(() => createRingMemory(1000)).toThrow(RangeError);
    expect(() => createRingMemory(512)).toThrow(RangeError);
    bench.write(1, 0);
    bench.publish();
    expect(() => bench.reader.drain(() => bench.reader.drain(() => {}))).toThrow(/from within/);
  });

  test('both ends can be attached anew where the ring stands', () => {
    const bench = new Bench(1024, 0);
    for (let n = 0; n < 5; n++) bench.write(40, 7);
    bench.publish();
    bench.drain(2);
    const reader = new RingReader(bench.memory, null, MAX_MESSAGE);
    const writer = new RingWriter(bench.memory, null, MAX_MESSAGE);
    expect(writer.tryWrite(9, Buffer.from('hello'), 0, 5)).toBe(true);
    writer.publish();
    const texts: string[] = [];
    expect(reader.drain((_kind, buf, start, end) => texts.push(buf.toString('latin1', start, end)))).toBe(4);
    expect(texts[3]).toBe('hello');
  });
});
