import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSlowLog, SLOWLOG_SLOTS, SlowLog } from '../../../src/admin/slow-log.ts';
import { Args } from '../../../src/resp/args.ts';

const CLIENT = { addr: '127.0.0.1:5', name: 'joe' };
const none = () => false;

describe('the list of slow commands', () => {
  it('shows what was noted, the newest first, with what two threads noted in one order', () => {
    const memory = createSlowLog();
    const [a, b] = [new SlowLog(memory), new SlowLog(memory)];
    a.add(Args.of('set', 'k', 'v'), none, 12.9, 5999, CLIENT, 10);
    b.add(Args.of('auth', 'secret'), (arg) => arg === 1, 7, 6000, { addr: 'x', name: '' }, 10);
    expect(a.newest(10)).toEqual([
      { id: 1, unixSeconds: 6, micros: 7, args: ['auth', '(redacted)'], addr: 'x', name: '' },
      { id: 0, unixSeconds: 5, micros: 12, args: ['set', 'k', 'v'], addr: '127.0.0.1:5', name: 'joe' },
    ]);
    b.reset();
    expect(a.length()).toBe(0);
    a.add(Args.of('get'), none, 1, 1, CLIENT, 10);
    expect(b.newest(1)[0].id).toBe(2);
  });

  it('cuts long arguments and long lists of arguments, and has room for the longest entry', () => {
    const log = new SlowLog(createSlowLog());
    const long = 'x'.repeat(1000);
    log.add(Args.of(...Array.from({ length: 40 }, () => long)), none, 1, 1, { addr: long, name: long }, 10);
    log.add(Args.of('echo', 'y'.repeat(129)), none, 1, 1, CLIENT, 10);
    const [short, full] = log.newest(2);
    expect(short.args).toEqual(['echo', `${'y'.repeat(128)}... (1 more bytes)`]);
    expect(full.args).toEqual([
      ...Array.from({ length: 31 }, () => `${'x'.repeat(128)}... (872 more bytes)`),
      '... (9 more arguments)',
    ]);
    expect(full.name).toBe('x'.repeat(256));
  });

  it('agrees with a plain list whatever the limit becomes', () => {
    const step = fc.oneof(
      {
        weight: 8,
        arbitrary: fc.record({ limit: fc.constantFrom(0, 1, 2, 5, 1000), word: fc.string({ maxLength: 9 }) }),
      },
      { weight: 1, arbitrary: fc.constant(null) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const log = new SlowLog(createSlowLog());
        let model: string[] = [];
        for (const one of steps) {
          if (one === null) {
            log.reset();
            model = [];
            continue;
          }
          const word = Buffer.from(one.word).toString('latin1');
          log.add(Args.of(word), none, 1, 1, CLIENT, one.limit);
          model = [word, ...model].slice(0, one.limit);
          expect(log.newest(SLOWLOG_SLOTS).map(({ args }) => args[0])).toEqual(model);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('goes round its slots', () => {
    const log = new SlowLog(createSlowLog());
    for (let i = 0; i < SLOWLOG_SLOTS + 100; i++) log.add(Args.of(String(i)), none, 1, 1, CLIENT, 2 ** 53);
    expect(log.length()).toBe(SLOWLOG_SLOTS);
    expect(log.newest(1)[0].args).toEqual([String(SLOWLOG_SLOTS + 99)]);
    expect(log.newest(SLOWLOG_SLOTS).at(-1)?.args).toEqual(['100']);
  });
});
