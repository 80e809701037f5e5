import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { PROJECT_FOLDER } from '../server/server-command.ts';
import { banned, CODE_FOLDERS, misshapen, projectSources, sameNames, upwardImports } from './house-rules.ts';

const sources = projectSources(PROJECT_FOLDER);
const MADE_BY_USE = ['node_modules', 'dist', 'data', 'appendonlydir'];
const code = (path: string, text: string) => ({ path, text });

describe('the project', () => {
  test('imports run downwards only', () => {
    expect(sources.flatMap(upwardImports)).toEqual([]);
  });

  test('clock, randomness, timers, files and sockets stay at the edges; no any, no barrels', () => {
    expect(sources.flatMap(banned)).toEqual([]);
  });

  test('files have one subject, a telling name and a size that fits', () => {
    expect(sources.flatMap(misshapen)).toEqual([]);
  });

  test('basenames are unique', () => {
    expect(sameNames(sources.map((source) => source.path))).toEqual([]);
  });

  test('no other folders at the top', () => {
    const folders = readdirSync(PROJECT_FOLDER, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
      .map((entry) => entry.name);
    expect(folders.filter((name) => !MADE_BY_USE.includes(name)).sort()).toEqual(CODE_FOLDERS);
  });
});

describe('the rules see', () => {
  test.each([
    ['native-free-shm/a.ts', "import { b } from '../src/resp/b.ts';"],
    ['src/resp/a.ts', "import type { B } from '../commands/b.ts';"],
    ['src/commands/a.ts', "import { Unit } from '../dispatch/unit.ts';"],
    ['src/net/a.ts', "new Worker(new URL('../../workers/shard.ts', import.meta.url));"],
    ['src/keyspace/a.ts', "import {\n  b,\n} from '../commands/b.ts';"],
    ['src/attic/a.ts', ''],
  ])('%s importing upwards', (path, text) => {
    expect(upwardImports(code(path, text))).toHaveLength(1);
  });

  test('a type from above is allowed where it is named', () => {
    expect(upwardImports(code('src/commands/a.ts', "import type { Unit } from '../dispatch/unit.ts';"))).toEqual([]);
  });

  test.each([
    ['src/keyspace/a.ts', 'const now = Date.now();'],
    ['native-free-shm/a.ts', 'Math.random()'],
    ['src/dispatch/a.ts', 'setTimeout(run, 5)'],
    ['src/journal/a.ts', "import fs from 'node:fs';"],
    ['test/unit/a.test.ts', 'await new Promise((r) => setTimeout(r, 100));'],
    ['src/net/a.ts', 'function f(x: any) {}'],
    ['src/net/a.ts', 'const x = y as any;'],
    ['src/resp/a.ts', "export * from './b.ts';"],
  ])('%s: %s', (path, text) => {
    expect(banned(code(path, text))).toHaveLength(1);
  });

  test('comments are no code', () => {
    expect(banned(code('src/resp/a.ts', '// never Date.now()\n/* nor Math.random */ f(any(1));'))).toEqual([]);
  });

  test('names and sizes', () => {
    expect(misshapen(code('src/resp/utils.ts', ''))).toHaveLength(1);
    expect(misshapen(code('src/resp/ReplyWriter.ts', ''))).toHaveLength(1);
    expect(misshapen(code('src/resp/long.ts', '\n'.repeat(800)))).toHaveLength(1);
    expect(sameNames(['src/a.ts', 'bench/a.ts', 'src/b.ts', 'workers/b.ts'])).toEqual(['src/a.ts = bench/a.ts']);
  });
});
