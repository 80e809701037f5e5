/**
 * Kill −9 at each phase of taking over the files of a Redis server. Whatever the phase, the next start has all of the data, Redis's
 * files are what they were, and nothing half made is in the way.
 */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { digestOf, fill } from '../compat/sample-values.ts';
import { type Plant, planted } from '../faults/planted-server.ts';
import { describeWith } from '../server/describe-with.ts';
import { SKEIN, STOCK } from '../server/server-command.ts';
import { ServerGroup, ServerProcess, type StartOptions } from '../server/server-process.ts';
import { noteFaults } from './fault-tally.ts';

/** CRASH_PASSAGES=1: all phases, not one in three. */
const EVERY_PHASE = process.env['CRASH_PASSAGES'] !== undefined;
const SHARDS = 3;
const DATA_SET = 'src/persistence/data-set.ts';
const TAKEOVER = 'src/net/data-set-writer.ts';

/** Ends the process at the n-th passage. */
const kill = (passage: number): string =>
  `{ if ((globalThis.passages = (globalThis.passages ?? 0) + 1) === ${passage}) process.kill(process.pid, "SIGKILL"); }`;

function at(file: string, text: string, passage = 1): Plant {
  return { file, text, replacement: `${kill(passage)} ${text}` };
}

const MOVES = 'for (const name of names) files.rename(';
const PHASES: [string, Plant][] = [
  ['everything is loaded, nothing written', at(TAKEOVER, 'const cut = await snapshots.cut(() => true);')],
  ['half a base is written', at('src/persistence/rdb-file-writer.ts', 'this.out.byte(RDB_OPCODE.eof);', 2)],
  ['bases are written', at(TAKEOVER, 'const bases = folders.map(() => base);')],
  ['some increments are made', at(DATA_SET, 'const increment = createIncrement(order);', 2)],
  ['the data set is complete', at(DATA_SET, 'return { dataSet, aside: takePlace(place, asideName) };')],
  ...[1, 2, SHARDS + 1].map((passage): [string, Plant] => [
    `the move into the folder, step ${passage}`,
    { file: DATA_SET, text: MOVES, replacement: `for (const name of names) (() => ${kill(passage)})(), files.rename(` },
  ]),
  ['all but the manifest is moved', at(DATA_SET, 'files.syncFolder(folder);\n  files.rename(')],
  ['everything is moved', at(DATA_SET, 'return old.length > 0 ? aside : null;')],
];

/** A name that begins so may stay behind: what was put aside on purpose. */
const KEPT = /^(appendonly\.aof|shard-\d+$|skein\.manifest$|skein\.taken-over$)/;

describeWith(['redis-server'], 'kill while Redis files are taken over', () => {
  const servers = new ServerGroup();
  const home = mkdtempSync(join(tmpdir(), 'skein-takeover-'));
  let stock: ServerProcess;
  let digest = '';

  beforeAll(async () => {
    const options = { appendonly: 'yes', appendfsync: 'always', 'enable-debug-command': 'yes' };
    stock = await servers.start({ command: STOCK, options });
    await fill(stock);
    digest = await digestOf(stock);
    await stock.kill();
  });
  afterAll(async () => {
    await servers.removeAll();
    rmSync(home, { recursive: true, force: true });
  });

  const redisFiles = (folder: string): string[] =>
    readdirSync(join(folder, 'appendonlydir'))
      .filter((name) => name.startsWith('appendonly'))
      .map((name) => `${name} ${readFileSync(join(folder, 'appendonlydir', name), 'latin1')}`);

  test.each(EVERY_PHASE ? PHASES : PHASES.filter((_, i) => i % 3 === 1))('%s', async (_, plant) => {
    const folder = mkdtempSync(join(home, 'run-'));
    cpSync(join(stock.folder, 'appendonlydir'), join(folder, 'appendonlydir'), { recursive: true });
    const before = redisFiles(folder);
    const options = { appendonly: 'yes', 'enable-debug-command': 'yes' };
    const start: StartOptions = { command: SKEIN, folder, options, skeinOptions: { workers: 2, shards: SHARDS } };
    const victim = servers.add(await ServerProcess.spawn({ ...start, ...planted([plant]) }));
    expect((await victim.exit(20_000)).signal, victim.log()).toBe('SIGKILL');
    noteFaults('kills at a planted place');
    expect(redisFiles(folder)).toEqual(before);

    const server = await servers.start(start);
    expect(await digestOf(server)).toBe(digest);
    expect(redisFiles(folder)).toEqual(before);
    const names = readdirSync(join(folder, 'appendonlydir'));
    expect(names.filter((name) => !KEPT.test(name))).toEqual([]);
    expect(readdirSync(folder).filter((name) => name.endsWith('.making'))).toEqual([]);
    await server.kill();
  });
});
