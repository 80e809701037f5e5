/** Starts that cannot go on: one line that says why, exit status 1, and nothing touched. */
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { describeSkein, lastIncrement } from '../crash/data-files.ts';
import { planted } from '../faults/planted-server.ts';
import { serverUnderTest } from './server-command.ts';
import { ServerGroup, ServerProcess, type StartOptions } from './server-process.ts';

const servers = new ServerGroup();
afterEach(() => servers.removeAll());

const command = serverUnderTest();
const AOF: StartOptions = { command, options: { appendonly: 'yes' }, skeinOptions: { workers: 2, shards: 2 } };

describeSkein('a start that is refused', () => {
  /** Its output without the time and the lines that every start has. */
  async function refusal(start: Partial<StartOptions>): Promise<string[]> {
    const server = servers.add(await ServerProcess.spawn({ ...AOF, ...start }));
    expect(await server.exit()).toEqual({ code: 1, signal: null });
    const lines = server
      .log()
      .split('\n')
      .filter((line) => line !== '' && !/is starting|without effect/.test(line));
    return lines.map((line) => line.replace(/^\d+:M .*?\.\d\d\d [*#] /, ''));
  }

  test('folders and files that are in the way', async () => {
    const folder = (await servers.start({ command })).folder;
    writeFileSync(join(folder, 'a-file'), '');
    mkdirSync(join(folder, 'a-folder'));
    const cases: [Record<string, string>, RegExp][] = [
      [{ logfile: join(folder, 'none', 'log') }, /^Can't open the log file: .*no such file/],
      [{ unixsocket: join(folder, 'none', 'socket') }, /^Failed opening Unix socket .*none\/socket: /],
      [{ unixsocket: join(folder, 'a-folder') }, /^Failed opening Unix socket .*a-folder: .*in use/],
      [{ appenddirname: 'a-file' }, /^The data cannot be loaded: .*not a directory/],
    ];
    for (const [options, line] of cases) {
      const lines = await refusal({ folder, options: { ...AOF.options, ...options } });
      expect(lines).toEqual([expect.stringMatching(line)]);
    }
  });

  test('a worker that cannot load its modules', async () => {
    const plant = {
      file: 'src/net/worker-thread.ts',
      text: 'const TICK_MS = 100;',
      replacement: "const TICK_MS = 100; throw new Error('planted');",
    };
    const server = servers.add(await ServerProcess.spawn({ ...AOF, ...planted([plant]) }));
    expect(await server.exit()).toEqual({ code: 1, signal: null });
    expect(server.log()).toContain('Error: planted');
  });

  test('another number of shards than the data has', async () => {
    const first = await servers.start(AOF);
    await first.kill();
    const lines = await refusal({ folder: first.folder, skeinOptions: { workers: 2, shards: 3 } });
    expect(lines).toEqual([
      expect.stringMatching(/^The data cannot be loaded: .* has 2 shards, the setting shards says 3/),
    ]);
  });

  test('damage is found by the workers, and named', async () => {
    const first = await servers.start(AOF);
    const client = await first.connect();
    await client.pipeline(Array.from({ length: 50 }, (_, i) => ['SET', `k:${i}`, i]));
    await first.kill();
    const path = lastIncrement(first.folder, 1);
    writeFileSync(path, `#${readFileSync(path, 'latin1').slice(1).replace('SKEIN', 'STONE')}`, 'latin1');
    const lines = await refusal({ folder: first.folder });
    expect(lines).toEqual([expect.stringContaining(`The data cannot be loaded: ${path} is damaged at byte 0`)]);
  });

  test('a second server on the same port and folder does not touch the files of the first', async () => {
    const first = await servers.start(AOF);
    await (await first.connect()).must('SET', 'k', 'v');
    const path = lastIncrement(first.folder, 0);
    // what a write in progress looks like to others
    appendFileSync(path, '#SKEIN-B');
    const before = readFileSync(path);
    const lines = await refusal({ folder: first.folder, port: first.port });
    expect(lines.at(-1)).toContain('are in use by another server');
    expect((await refusal({ port: first.port })).at(-1)).toBe(
      `Failed listening on port ${first.port} (tcp), aborting.`,
    );
    expect(readFileSync(path).equals(before)).toBe(true);
  });
});
