/** Every command on data occurs in the random commands that are compared with stock Redis, or stands here with a reason. */
import { expect, test } from 'vitest';
import { COMMANDS } from '../../src/commands/command-table.ts';
import { COMMANDS_OF_RUNS } from './command-arbitraries.ts';
import { SORTS } from './sort-arbitraries.ts';

const DATA_GROUPS = [
  'string',
  'list',
  'set',
  'sorted-set',
  'hash',
  'stream',
  'geo',
  'hyperloglog',
  'bitmap',
  'generic',
];

const REASONS: Readonly<Record<string, string>> = {
  SCAN: 'is a step of its own, which compares whole scans',
  DUMP: 'the contents that a run leaves are carried from each server to the other with DUMP and RESTORE',
  RESTORE: 'the same',
  WAIT: 'needs replicas',
  WAITAOF: 'newer than the stock server',
  PFSELFTEST: 'changes nothing and answers OK',
  ...Object.fromEntries(['DELEX', 'DELIFEQ', 'MSETEX'].map((name) => [name, 'newer than the stock server'])),
  ...Object.fromEntries(
    ['HEXPIRE', 'HPEXPIRE', 'HEXPIREAT', 'HPEXPIREAT', 'HTTL', 'HPTTL', 'HEXPIRETIME', 'HPEXPIRETIME', 'HPERSIST'].map(
      (name) => [name, 'newer than the stock server; a property test against a plain model has it'],
    ),
  ),
  ...Object.fromEntries(['HGETDEL', 'HGETEX', 'HSETEX'].map((name) => [name, 'newer than the stock server'])),
};

test('no command is forgotten', () => {
  const generated = new Set([...COMMANDS_OF_RUNS, ...SORTS.map(([name]) => name)]);
  const data = COMMANDS.commands
    .filter((row) => DATA_GROUPS.includes(row.spec.group))
    .map((row) => row.fullName.toUpperCase());
  expect(data.length).toBeGreaterThan(150);
  const left = data.filter((name) => !generated.has(name)).sort();
  expect(left).toEqual(Object.keys(REASONS).sort());
});
