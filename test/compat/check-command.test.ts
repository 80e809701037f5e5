/** `skein check`: tells whole files from damaged ones, whoever wrote them, and cuts torn ends where it may. */
import { spawnSync } from 'node:child_process';
import { appendFileSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cutFile, fileBytes, flipBit, lastIncrement } from '../crash/data-files.ts';
import { describeWith } from '../server/describe-with.ts';
import { SKEIN, STOCK } from '../server/server-command.ts';
import { ServerGroup } from '../server/server-process.ts';
import { waitUntil } from '../server/wait-until.ts';
import { fill } from './sample-values.ts';

function check(args: readonly string[], input = ''): { status: number | null; text: string } {
  const { status, stdout, stderr } = spawnSync(SKEIN.program, [...SKEIN.args, 'check', ...args], {
    input,
    encoding: 'utf8',
  });
  return { status, text: stdout + stderr };
}

describeWith(['redis-server'], 'skein check', () => {
  const servers = new ServerGroup();
  const home = mkdtempSync(join(tmpdir(), 'skein-check-'));
  const own = join(home, 'skein');
  const stock = join(home, 'redis');

  beforeAll(async () => {
    for (const [command, folder] of [
      [SKEIN, own],
      [STOCK, stock],
    ] as const) {
      const skeinOptions = { workers: 2, shards: 2 };
      const server = await servers.start({ command, options: { appendonly: 'yes' }, skeinOptions });
      await fill(server);
      const client = await server.connect();
      await client.must('BGREWRITEAOF');
      await waitUntil('the rewrite', async () =>
        /aof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0/.test(String(await client.call('INFO', 'persistence'))),
      );
      for (let i = 0; i < 20; i++) await client.must('SET', `later ${i}`, i);
      await client.must('SAVE');
      await server.kill();
      cpSync(server.folder, folder, { recursive: true });
    }
  });
  afterAll(async () => {
    await servers.removeAll();
    rmSync(home, { recursive: true, force: true });
  });

  const manifestOf = (folder: string): string =>
    join(folder, 'appendonlydir', folder === own ? 'skein.manifest' : 'appendonly.aof.manifest');
  const incrementOf = (folder: string): string => {
    if (folder === own) return lastIncrement(folder, 1);
    const names = readdirSync(join(folder, 'appendonlydir'));
    return join(folder, 'appendonlydir', String(names.find((name) => name.endsWith('.incr.aof'))));
  };

  test('whole files are valid', () => {
    for (const folder of [own, stock]) {
      const { status, text } = check([manifestOf(folder), join(folder, 'dump.rdb')]);
      expect(text).toMatch(/keys: 4[0-9], with a deadline: 1, databases: 2/);
      expect(text).toMatch(/All files are valid\n$/);
      expect(status).toBe(0);
      const whole = check([join(folder, 'appendonlydir')]);
      expect(whole).toEqual(check([manifestOf(folder)]));
      expect(whole.status).toBe(0);
    }
    expect(check([home]).status).toBe(1);
  });

  test.each([['skein'], ['redis']])('a torn end is told, and cut when that is agreed to: %s', (name) => {
    const folder = join(home, name);
    const path = incrementOf(folder);
    const before = readFileSync(path);
    appendFileSync(path, '*3\r\n$3\r\nSET\r\n$1');
    const torn = fileBytes(path);
    const { status, text } = check([manifestOf(folder)]);
    expect(text).toContain(`${path}\n`);
    expect(text).toMatch(/NOT VALID: byte \d+: \d+ bytes are a torn write\n {2}--fix cuts it to \d+ bytes/);
    expect(status).toBe(1);
    expect(check(['--fix', manifestOf(folder)], 'n\n').status).toBe(1);
    expect(fileBytes(path)).toBe(torn);
    const fixed = check(['--fix', manifestOf(folder)], 'y\n');
    expect(fixed.text).toMatch(/Successfully truncated to \d+ bytes/);
    expect(fixed.status).toBe(0);
    expect(readFileSync(path).equals(before)).toBe(true);
    cutFile(path, before.length - 1);
    expect(check(['--fix', '--yes', path]).status).toBe(0);
    expect(check([manifestOf(folder)]).status).toBe(0);
    writeFileSync(path, before);
  });

  test('damage is told by file and offset, and never cut', () => {
    const path = incrementOf(own);
    flipBit(path, Math.floor(fileBytes(path) / 2));
    const damaged = readFileSync(path);
    const { status, text } = check(['--fix', '--yes', manifestOf(own)]);
    expect(text).toMatch(
      /NOT VALID: byte \d+: the checksum of a batch is wrong|NOT VALID: byte \d+: there is no batch/,
    );
    expect(status).toBe(1);
    expect(readFileSync(path).equals(damaged)).toBe(true);
    for (const folder of [own, stock]) {
      const snapshot = join(folder, 'dump.rdb');
      flipBit(snapshot, Math.floor(fileBytes(snapshot) / 2));
      expect(check([snapshot]).status).toBe(1);
    }
    flipBit(manifestOf(own), 3);
    expect(check([manifestOf(own)]).text).toMatch(/NOT VALID: byte 0: it is not a manifest/);
  });

  test('what is no file of data, and wrong arguments', () => {
    const other = join(home, 'other');
    writeFileSync(other, 'hello\n');
    expect(check([other])).toMatchObject({ status: 1 });
    expect(check([join(home, 'none')]).text).toMatch(/ENOENT/);
    expect(check([]).text).toMatch(/^Usage: skein check/);
    expect(check(['--other', other]).status).toBe(1);
  });
});
