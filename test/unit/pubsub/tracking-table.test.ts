import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createTrackingTable, TrackingTable } from '../../../src/pubsub/tracking-table.ts';

/** Few homes, so that runs of slots form, also around the end of the table. */
const hashes = fc.constantFrom(-1, -2, -3, 0, 1, 2, 2 ** 21, 2 ** 21 + 1, -(2 ** 21) - 1, 2 ** 22 - 1, 5);

describe('the table of tracked keys', () => {
  test('is a set of hashes to whoever registers, takes and evicts', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constantFrom('register', 'take'), hash: hashes }),
      fc.constant({ kind: 'evict', hash: 0 }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const table = new TrackingTable(createTrackingTable(40, 2));
        const model = new Set<number>();
        for (const { kind, hash } of steps) {
          if (kind === 'register') {
            table.register(1, hash, hash & 1 ? 33 : 2);
            model.add(hash);
          } else if (kind === 'take') {
            expect(table.take(1, hash)).toBe(model.delete(hash));
          } else {
            const evicted = table.evict(1);
            expect(evicted === null ? model.size === 0 : model.delete(evicted)).toBe(true);
          }
          expect(table.countOf(1)).toBe(model.size);
        }
        expect(table.keys()).toBe(model.size);
        for (const hash of model) expect(table.take(1, hash)).toBe(true);
        expect(table.countOf(0)).toBe(0);
      }),
      { numRuns: 150 },
    );
  });

  test('is empty after a flush', () => {
    const table = new TrackingTable(createTrackingTable(1, 1));
    table.register(0, 7, 0);
    table.clear(0);
    expect([table.take(0, 7), table.countOf(0)]).toEqual([false, 0]);
  });
});
