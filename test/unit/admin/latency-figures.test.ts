import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLatencyEvents, LatencyEvents } from '../../../src/admin/latency-events.ts';
import { createLatencyHistograms, LatencyHistograms } from '../../../src/admin/latency-histograms.ts';

describe('histograms of latency', () => {
  it('tell percentiles to within a sixteenth, over all threads', () => {
    const times = fc.array(fc.double({ min: 0.001, max: 1e7, noNaN: true }), { minLength: 1, maxLength: 50 });
    fc.assert(
      fc.property(times, fc.integer({ min: 1, max: 100 }), (micros, percent) => {
        const memory = createLatencyHistograms(2, 2);
        const threads = [new LatencyHistograms(memory, 0), new LatencyHistograms(memory, 1)];
        micros.forEach((one, i) => {
          threads[i % 2].add(1, one, 1);
        });
        const sorted = micros.map((one) => Math.floor(one * 1000)).sort((a, b) => a - b);
        const exact = sorted[Math.ceil((percent / 100) * sorted.length - 1e-9) - 1] / 1000;
        const [told] = threads[0].percentiles([1], [percent])!;
        expect(told).toBeGreaterThanOrEqual(exact);
        expect(told).toBeLessThanOrEqual(exact * (17 / 16) + 0.001);
        expect(threads[0].percentiles([0], [percent])).toBeNull();
      }),
      { numRuns: 60 },
    );
  });

  it('count calls up to powers of two of microseconds, scaled to all calls', () => {
    const histograms = new LatencyHistograms(createLatencyHistograms(1, 1), 0);
    histograms.add(0, 0.5, 1);
    histograms.add(0, 3, 2);
    histograms.add(0, 1000, 1);
    expect(histograms.cumulative([0], 4)).toEqual([
      [1, 1],
      [4, 3],
      [1024, 4],
    ]);
    expect(histograms.cumulative([0], 400).at(-1)).toEqual([1024, 400]);
    histograms.reset();
    expect(histograms.cumulative([0], 4)).toEqual([]);
    histograms.add(0, 3, 1);
    expect(histograms.cumulative([0], 1)).toEqual([[4, 1]]);
  });
});

describe('events of latency', () => {
  it('keep one sample a second, the last 160, and the highest', () => {
    const memory = createLatencyEvents();
    const [a, b] = [new LatencyEvents(memory), new LatencyEvents(memory)];
    a.add('command', 20.9, 1500);
    b.add('command', 50, 1900);
    a.add('command', 30, 1999);
    a.add('expire-cycle', 5, 1000);
    expect(b.all()).toEqual([
      { event: 'command', samples: [{ unixSeconds: 1, latencyMs: 50 }], highestMs: 50 },
      { event: 'expire-cycle', samples: [{ unixSeconds: 1, latencyMs: 5 }], highestMs: 5 },
    ]);
    for (let second = 2; second < 200; second++) a.add('command', second, second * 1000);
    const series = b.byName('Command')!;
    expect(series.samples).toHaveLength(160);
    expect(series.samples[0]).toEqual({ unixSeconds: 40, latencyMs: 40 });
    expect(series.highestMs).toBe(199);
    expect(b.byName('nosuch')).toBeNull();
    expect(a.reset(['nosuch', 'COMMAND'])).toBe(1);
    expect(a.reset([])).toBe(1);
    expect(a.all()).toEqual([]);
  });
});
