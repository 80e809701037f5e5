import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ReplyError } from '../server/reply-reader.ts';
import type { Command } from '../server/resp-client.ts';
import { checkLinearizable } from './linearizability.ts';
import { STRING_MODEL, type StringOperation } from './string-model.ts';
import { lostTokens, tornReads } from './torn-reads.ts';

type Row = [client: number, callMs: number, returnMs: number, command: Command, output?: StringOperation['output']];
const history = (rows: readonly Row[]): StringOperation[] =>
  rows.map(([client, callMs, returnMs, input, output]) => ({ client, callMs, returnMs, input, output }));
const verdict = (rows: readonly Row[]) => checkLinearizable(STRING_MODEL, history(rows)).kind;
const LOST = Infinity;

describe('violations', () => {
  const VIOLATIONS: [string, Row[]][] = [
    ['a value nobody wrote', [[0, 0, 1, ['GET', 'k'], 'x']]],
    [
      'a stale read',
      [
        [0, 0, 1, ['SET', 'k', 'a'], 'OK'],
        [0, 2, 3, ['SET', 'k', 'b'], 'OK'],
        [1, 4, 5, ['GET', 'k'], 'a'],
      ],
    ],
    [
      'a read that goes back',
      [
        [0, 0, 10, ['SET', 'k', 'a'], 'OK'],
        [1, 1, 2, ['GET', 'k'], 'a'],
        [2, 3, 4, ['GET', 'k'], null],
      ],
    ],
    [
      'a lost update',
      [
        [0, 0, 5, ['INCR', 'k'], 1],
        [1, 0, 5, ['INCR', 'k'], 1],
      ],
    ],
    [
      'a lost append',
      [
        [0, 0, 5, ['APPEND', 'k', 'a'], 1],
        [1, 0, 5, ['APPEND', 'k', 'b'], 2],
        [1, 6, 7, ['GET', 'k'], 'b'],
      ],
    ],
    [
      'two winners of SETNX',
      [
        [0, 0, 5, ['SETNX', 'k', 'a'], 1],
        [1, 0, 5, ['SETNX', 'k', 'b'], 1],
      ],
    ],
    [
      'one value taken twice',
      [
        [0, 0, 1, ['SET', 'k', 'a'], 'OK'],
        [1, 2, 5, ['GETDEL', 'k'], 'a'],
        [2, 2, 5, ['GETDEL', 'k'], 'a'],
      ],
    ],
    [
      'GETSET handing out one value twice',
      [
        [0, 0, 9, ['GETSET', 'k', 'a'], null],
        [1, 0, 9, ['GETSET', 'k', 'b'], null],
      ],
    ],
    [
      'an acknowledged write undone',
      [
        [0, 0, 1, ['SET', 'k', 'a'], 'OK'],
        [1, 0, LOST, ['SET', 'k', 'b']],
        [2, 2, 3, ['GET', 'k'], null],
      ],
    ],
    [
      'a pipeline that overtakes itself',
      [
        [0, 0, 9, ['SET', 'k', 'a'], 'OK'],
        [0, 0, 9, ['SET', 'k', 'b'], 'OK'],
        [1, 10, 11, ['GET', 'k'], 'a'],
      ],
    ],
    [
      'an answer before the command ran',
      [
        [0, 0, 1, ['SET', 'k', 'a'], 'OK'],
        [1, 2, 3, ['GET', 'k'], null],
        [1, 4, 5, ['GET', 'k'], 'a'],
      ],
    ],
    [
      'half an MSET',
      [
        [0, 0, 1, ['MSET', 'a', '1', 'b', '1'], 'OK'],
        [0, 2, 9, ['MSET', 'a', '2', 'b', '2'], 'OK'],
        [1, 3, 8, ['MGET', 'a', 'b'], ['2', '1']],
      ],
    ],
    [
      'a RENAME seen in between',
      [
        [0, 0, 1, ['SET', 'a', 'x'], 'OK'],
        [0, 2, 9, ['RENAME', 'a', 'b'], 'OK'],
        [1, 3, 8, ['MGET', 'a', 'b'], [null, null]],
      ],
    ],
    [
      'a RENAME that leaves both',
      [
        [0, 0, 1, ['SET', 'a', 'x'], 'OK'],
        [0, 2, 9, ['RENAME', 'a', 'b'], 'OK'],
        [1, 3, 8, ['MGET', 'a', 'b'], ['x', 'x']],
      ],
    ],
  ];

  test.each(VIOLATIONS)('%s', (_, rows) => {
    expect(verdict(rows)).toBe('violation');
  });

  test('the report names the operation that does not fit', () => {
    const found = checkLinearizable(STRING_MODEL, history(VIOLATIONS[1][1]));
    expect(found).toMatchObject({ kind: 'violation', stuck: { input: ['GET', 'k'], output: 'a' } });
  });
});

describe('histories that have an explanation', () => {
  test('an unanswered write may be seen, or never', () => {
    const write: Row = [0, 0, LOST, ['SET', 'k', 'a']];
    expect(verdict([write, [1, 5, 6, ['GET', 'k'], 'a']])).toBe('linearizable');
    expect(verdict([write, [1, 5, 6, ['GET', 'k'], null]])).toBe('linearizable');
    expect(verdict([write, [1, 5, 6, ['GET', 'k'], null], [1, 7, 8, ['GET', 'k'], 'a']])).toBe('linearizable');
    expect(verdict([write, [1, 5, 6, ['GET', 'k'], 'a'], [1, 7, 8, ['GET', 'k'], null]])).toBe('violation');
  });

  test('errors are outputs like others', () => {
    const failed = new ReplyError('ERR value is not an integer or out of range');
    expect(
      verdict([
        [0, 0, 1, ['SET', 'k', 'a'], 'OK'],
        [0, 2, 3, ['INCR', 'k'], failed],
      ]),
    ).toBe('linearizable');
    expect(verdict([[0, 2, 3, ['INCR', 'k'], failed]])).toBe('violation');
  });

  test('a budget that runs out is not green', () => {
    const rows: Row[] = Array.from({ length: 12 }, (_, i) => [i, 0, 9, ['SET', 'k', `v${i}`], 'OK']);
    const all = history([...rows, [99, 10, 11, ['GET', 'k'], 'other']]);
    expect(checkLinearizable(STRING_MODEL, all, 100).kind).toBe('undecided');
    expect(checkLinearizable(STRING_MODEL, all).kind).toBe('violation');
  });
});

const commandArb: fc.Arbitrary<Command> = fc.oneof(
  ...['GET', 'GETDEL', 'DEL', 'INCR'].map((name) => fc.constant([name, 'k'])),
  ...['SET', 'SETNX', 'GETSET', 'APPEND'].map((name) => fc.nat(9).map((n) => [name, 'k', String(n)])),
);

/** A serial run of the model, each operation stretched over its neighbours: it took effect at its own moment `i`. */
function stretchedRun(steps: readonly { command: Command; early: number; late: number }[]): StringOperation[] {
  let state = STRING_MODEL.initial;
  return steps.map(({ command, early, late }, i) => {
    const result = STRING_MODEL.apply(state, command);
    state = result.state;
    return { client: i, callMs: i - early, returnMs: i + late, input: command, output: result.output };
  });
}
const steps = fc.array(fc.record({ command: commandArb, early: fc.nat(4), late: fc.nat(4) }), { maxLength: 60 });

test('property: whatever overlap hides, a real run is always explained', () => {
  fc.assert(
    fc.property(steps, (run) => {
      expect(checkLinearizable(STRING_MODEL, stretchedRun(run)).kind).toBe('linearizable');
    }),
  );
});

test('property: a counter that skips or repeats a number is always found', () => {
  const places = fc.record({ count: fc.integer({ min: 2, max: 40 }), wrong: fc.nat(), by: fc.constantFrom(-1, 1) });
  fc.assert(
    fc.property(places, fc.array(fc.nat(6), { minLength: 40, maxLength: 40 }), ({ count, wrong, by }, overlap) => {
      const at = wrong % count;
      const run = Array.from({ length: count }, (_, i): StringOperation => {
        const output = i + 1 + (i === at ? by : 0);
        return { client: i, callMs: i - overlap[i], returnMs: i + 1, input: ['INCR', 'k'], output };
      });
      expect(checkLinearizable(STRING_MODEL, run).kind).toBe('violation');
    }),
  );
});

test('thousands of operations of ten clients are decided quickly', () => {
  const run: StringOperation[] = [];
  let now = 0;
  for (let i = 0; i < 5000; i++) {
    now++;
    run.push({ client: i % 10, callMs: now - (i % 7), returnMs: now + 1, input: ['INCR', 'k'], output: i + 1 });
  }
  expect(checkLinearizable(STRING_MODEL, run).kind).toBe('linearizable');
});

test('torn and lost tokens', () => {
  const keys = ['a', 'b'];
  expect(
    tornReads([
      { keys, values: ['1', '1'] },
      { keys, values: [null, null] },
    ]),
  ).toEqual([]);
  expect(
    tornReads([
      { keys, values: ['1', '2'] },
      { keys, values: ['1', null] },
    ]),
  ).toHaveLength(2);
  expect(lostTokens([{ keys, values: ['t', null] }])).toEqual([]);
  expect(
    lostTokens([
      { keys, values: [null, null] },
      { keys, values: ['t', 't'] },
    ]),
  ).toHaveLength(2);
});
