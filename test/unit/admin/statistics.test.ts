import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Counters } from '../../../native-free-shm/counters.ts';
import { CommandStats, createCommandStats } from '../../../src/admin/command-stats.ts';
import { createErrorStats, ErrorStats } from '../../../src/admin/error-stats.ts';
import { humanBytes } from '../../../src/admin/human-bytes.ts';
import { COUNTER, COUNTER_NAMES } from '../../../src/admin/server-counters.ts';
import { createServerSamples, ServerSamples } from '../../../src/admin/server-samples.ts';

describe('command statistics', () => {
  it('adds up what the threads counted, and starts anew after a reset', () => {
    const memory = createCommandStats(3, 2);
    const [a, b] = [new CommandStats(memory, 0), new CommandStats(memory, 1)];
    a.called(1, 10, false);
    a.called(1, 0, true);
    b.called(1, 30, false);
    b.rejected(2);
    expect(a.figures(1)).toEqual({ calls: 3, micros: 60, rejected: 0, failed: 1 });
    expect(a.figures(2)).toEqual({ calls: 0, micros: null, rejected: 1, failed: 0 });
    a.reset();
    a.called(1, 0, false);
    expect(b.figures(1)).toEqual({ calls: 1, micros: null, rejected: 0, failed: 0 });
    expect(b.figures(2)).toEqual({ calls: 0, micros: null, rejected: 0, failed: 0 });
    expect(() => new CommandStats(memory, 2)).toThrow('thread 2');
  });
});

describe('error statistics', () => {
  it('counts the first word of error replies over all threads', () => {
    const memory = createErrorStats(2);
    const [a, b] = [new ErrorStats(memory, 0), new ErrorStats(memory, 1)];
    const text = Buffer.from('-WRONGTYPE Operation against\r\n', 'latin1');
    a.count(text, 1, text.length);
    b.count(text, 1, text.length);
    b.countCode('ERR');
    b.count(Buffer.from('NOAUTH', 'latin1'), 0, 6);
    expect(a.figures()).toEqual([
      { code: 'WRONGTYPE', count: 2 },
      { code: 'ERR', count: 1 },
      { code: 'NOAUTH', count: 1 },
    ]);
    expect(a.total()).toBe(4);
    a.reset();
    b.countCode('ERR');
    expect(a.figures()).toEqual([{ code: 'ERR', count: 1 }]);
    expect(a.total()).toBe(1);
  });

  it('keeps a bounded number of codes and still counts all errors', () => {
    const stats = new ErrorStats(createErrorStats(1), 0);
    for (let i = 0; i < 500; i++) stats.countCode(`CODE${i}`);
    stats.countCode('CODE7');
    stats.countCode('x'.repeat(500));
    expect(stats.figures()).toHaveLength(127);
    expect(stats.figures()[7]).toEqual({ code: 'CODE7', count: 2 });
    expect(stats.total()).toBe(502);
  });

  it('agrees with a plain map', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(1), fc.constantFrom('ERR', 'OOM', 'WRONGTYPE', 'MISCONF'))), (errors) => {
        const memory = createErrorStats(2);
        const threads = [new ErrorStats(memory, 0), new ErrorStats(memory, 1)];
        const model = new Map<string, number>();
        for (const [thread, code] of errors) {
          threads[thread].countCode(code);
          model.set(code, (model.get(code) ?? 0) + 1);
        }
        expect(new Map(threads[0].figures().map(({ code, count }) => [code, count]))).toEqual(model);
      }),
    );
  });
});

describe('server samples', () => {
  it('shows the mean rate of the last 16 samples and the highest memory', () => {
    const counters = new Counters(new SharedArrayBuffer(Counters.bytes(COUNTER_NAMES, 1)), COUNTER_NAMES, 1);
    const own = counters.own(0);
    const samples = new ServerSamples(createServerSamples());
    samples.sample(1000, counters, 50);
    for (let i = 1; i <= 16; i++) {
      own[COUNTER.commandsProcessed] += 100;
      own[COUNTER.netInputBytes] += 1000;
      samples.sample(1000 + i * 100, counters, i === 5 ? 900 : 60);
    }
    expect(samples.opsPerSecond()).toBe(1000);
    expect(samples.inputBytesPerSecond()).toBe(10_000);
    expect(samples.outputBytesPerSecond()).toBe(0);
    expect(samples.peakBytes(10)).toBe(900);
    expect(samples.peakBytes(2000)).toBe(2000);
    counters.reset('commandsProcessed');
    samples.sample(2700, counters, 0);
    expect(samples.opsPerSecond()).toBe(Math.round((15 * 1000) / 16));
    samples.resetRates();
    expect(samples.opsPerSecond()).toBe(0);
    samples.sample(2700, counters, 0);
    expect(samples.opsPerSecond()).toBe(0);
  });
});

it('sizes for people', () => {
  expect([0, 1023, 1024, 1536, 2 ** 20, 3.5 * 2 ** 30].map(humanBytes)).toEqual([
    '0B',
    '1023B',
    '1.00K',
    '1.50K',
    '1.00M',
    '3.50G',
  ]);
});
