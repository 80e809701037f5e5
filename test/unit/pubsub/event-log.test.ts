import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  createEventLog,
  EVENT,
  EventLog,
  type EventLogMemory,
  READ_ALL,
  READ_LOST,
  READ_MORE,
  WANT,
} from '../../../src/pubsub/event-log.ts';

const RING_BYTES = 4096;

function open(memory: EventLogMemory, worker: number, rung: number[] = []): EventLog {
  return new EventLog(memory, worker, 2, (one) => rung.push(one));
}

function append(log: EventLog, a: string, b = ''): number {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return log.append(EVENT.message, 3, -7, 1.5, left, 0, left.length, right, 0, right.length);
}

/** What `read` shows until there is no more; 'LOST' where it says so. */
function readAll(log: EventLog): string[] {
  const seen: string[] = [];
  for (;;) {
    const outcome = log.read((record) => {
      expect([record.kind, record.shard, record.number, record.extra]).toEqual([EVENT.message, 3, -7, 1.5]);
      const a = record.buf.toString('latin1', record.aStart, record.aEnd);
      seen.push(`${record.position}:${a}|${record.buf.toString('latin1', record.bStart, record.bEnd)}`);
    });
    if (outcome === READ_LOST) seen.push('LOST');
    if (outcome === READ_ALL) return seen;
  }
}

describe('the event log', () => {
  test('is read by each worker at its own cursor, from where it began to listen', () => {
    const memory = createEventLog(2, RING_BYTES);
    const [first, second] = [open(memory, 0), open(memory, 1)];
    append(first, 'before');
    first.want(WANT.monitor, true);
    const at = append(second, 'one', 'message');
    second.want(WANT.subscriptions, true);
    const behind = append(first, 'two');
    expect(readAll(first)).toEqual([`${at}:one|message`, `${behind}:two|`]);
    expect(first.hasNews()).toBe(false);
    expect(second.hasNews()).toBe(true);
    expect(readAll(second)).toEqual([`${behind}:two|`]);
  });

  test('rings who listens, once per batch, and counts who wants what', () => {
    const memory = createEventLog(2, RING_BYTES);
    const rung: number[] = [];
    const [first, second] = [open(memory, 0, rung), open(memory, 1)];
    append(first, 'x');
    first.ringListeners();
    expect(rung).toEqual([]);
    second.want(WANT.subscriptions, true);
    second.want(WANT.subscriptions, true);
    expect([first.wanted(WANT.subscriptions), first.wanted(WANT.tracking)]).toEqual([true, false]);
    append(first, 'y');
    append(first, 'z');
    first.ringListeners();
    first.ringListeners();
    expect(rung).toEqual([1]);
    second.want(WANT.subscriptions, false);
    expect([first.wanted(WANT.subscriptions), second.listening]).toEqual([false, false]);
    first.want(WANT.monitor, true);
    expect(second.anyMonitor).toBe(true);
  });

  test('says to a reader that lags that it has lost records, and never waits for it', () => {
    const memory = createEventLog(2, RING_BYTES);
    const [writer, reader] = [open(memory, 0), open(memory, 1)];
    reader.want(WANT.subscriptions, true);
    for (let i = 0; i < 100; i++) append(writer, 'x'.repeat(100));
    expect(readAll(reader)).toEqual(['LOST']);
    const at = append(writer, 'after');
    expect(readAll(reader)).toEqual([`${at}:after|`]);
  });

  test('refuses what is longer than half of it', () => {
    const log = open(createEventLog(1, RING_BYTES), 0);
    expect(() => append(log, 'x'.repeat(log.maxBytes + 1))).toThrow('event log');
    log.want(WANT.subscriptions, true);
    append(log, 'x'.repeat(log.maxBytes));
    expect(readAll(log)).toHaveLength(1);
  });

  test('gives a long record whole, in several slices', () => {
    const memory = createEventLog(2, 1 << 20);
    const [writer, reader] = [open(memory, 0), open(memory, 1)];
    reader.want(WANT.subscriptions, true);
    const texts = ['a'.repeat(300_000), 'b', 'c'.repeat(200_000)];
    for (const text of texts) append(writer, text);
    let outcome = READ_MORE;
    const seen: string[] = [];
    while (outcome === READ_MORE) {
      outcome = reader.read((record) => seen.push(record.buf.toString('latin1', record.aStart, record.aEnd)));
    }
    expect(seen.map((text) => text.length)).toEqual([300_000, 1, 200_000]);
    expect(seen).toEqual(texts);
  });

  test('is a queue to a reader that keeps up, whatever the lengths', () => {
    const steps = fc.array(fc.oneof(fc.constant('read' as const), fc.nat(1500)), { maxLength: 60 });
    fc.assert(
      fc.property(steps, (all) => {
        const memory = createEventLog(2, RING_BYTES);
        const [writer, reader] = [open(memory, 0), open(memory, 1)];
        reader.want(WANT.subscriptions, true);
        let owed: string[] = [];
        let owedBytes = 0;
        for (const step of all) {
          if (step === 'read' || owedBytes + step + 48 > RING_BYTES) {
            expect(readAll(reader)).toEqual(owed);
            owed = [];
            owedBytes = 0;
          }
          if (step === 'read') continue;
          const text = String(step).padEnd(step, '.');
          owed.push(`${append(writer, text, 'b')}:${text}|b`);
          owedBytes += text.length + 48;
        }
        expect(readAll(reader)).toEqual(owed);
      }),
      { numRuns: 200 },
    );
  });
});
