import { describe, expect, test } from 'vitest';
import { STRING_MODEL } from '../checkers/string-model.ts';
import type { Command } from '../server/resp-client.ts';
import { ACKNOWLEDGED, checkRecovered, NOTHING } from './crash-check.ts';
import type { ClientHistory, KeyValues } from './crash-load.ts';

// with two shards: a and b lie in different ones
const KEYS = ['a', 'b'];

function history(commands: readonly Command[], acknowledged: number): ClientHistory {
  const states: KeyValues[] = [new Map()];
  for (const command of commands) states.push(STRING_MODEL.apply(states[states.length - 1], command).state);
  return { client: 0, keys: KEYS, commands: [...commands], states, ackedAtMs: Array(acknowledged).fill(0) };
}
const check =
  (run: ClientHistory, found: Record<string, string>, durable: typeof NOTHING = NOTHING) =>
  () =>
    checkRecovered(run, new Map(Object.entries(found)), { shards: 2, durable });

describe('single commands', () => {
  const run = history(
    [
      ['SET', 'a', '1'],
      ['SET', 'b', '1'],
      ['SET', 'a', '2'],
    ],
    2,
  );
  test('any prefix of a shard is allowed where nothing was promised', () => {
    const allowed: Record<string, string>[] = [{}, { a: '1' }, { b: '1' }, { a: '2' }, { a: '2', b: '1' }];
    for (const found of allowed) {
      expect(check(run, found)).not.toThrow();
    }
  });
  test('what was acknowledged must be there, what was not may be', () => {
    expect(check(run, { a: '1', b: '1' }, () => ACKNOWLEDGED(run))).not.toThrow();
    expect(check(run, { a: '2', b: '1' }, () => ACKNOWLEDGED(run))).not.toThrow();
    expect(check(run, { a: '1' }, () => ACKNOWLEDGED(run))).toThrow(/must be there; lost: SET b 1/);
  });
  test('states that never were', () => {
    expect(check(run, { a: '3' })).toThrow(/never was/);
  });
});

describe('commands over both shards', () => {
  const run = history(
    [
      ['MSET', 'a', '1', 'b', '1'],
      ['RENAME', 'a', 'b'],
      ['SET', 'a', '3'],
    ],
    1,
  );
  test('all or nothing', () => {
    expect(check(run, {})).not.toThrow();
    expect(check(run, { a: '1', b: '1' })).not.toThrow();
    expect(check(run, { a: '1' })).toThrow(/in part/);
    expect(check(run, { b: '1' })).not.toThrow(); // RENAME puts the same value there: both commands are there
    expect(check(run, { a: '3', b: '1' })).not.toThrow();
  });
  test('a later command of one shard needs the earlier ones of that shard, and so the other half of these', () => {
    const moved = history(
      [
        ['SET', 'a', '1'],
        ['RENAME', 'a', 'b'],
        ['SET', 'a', '3'],
      ],
      0,
    );
    expect(check(moved, { a: '3' })).toThrow(/in part/);
    expect(check(moved, { a: '3', b: '1' })).not.toThrow();
    expect(check(moved, { a: '1', b: '1' })).toThrow(/in part/);
  });
});
