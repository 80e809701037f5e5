/** What `npm pack` ships: built from a copy of the sources, unpacked beside nothing but what it says it depends on, and started as a user does. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeSkein } from '../crash/data-files.ts';
import { PROJECT_FOLDER, type ServerCommand } from './server-command.ts';
import { ServerGroup, type StartOptions } from './server-process.ts';
import { waitUntil } from './wait-until.ts';

interface PackageJson {
  version: string;
  bin: { skein: string };
  dependencies: Record<string, string>;
}

/** Of the project nothing is copied that was made by use, and no tests: the package needs neither. */
const LEFT_OUT = ['node_modules', 'dist', 'data', 'appendonlydir', 'test', 'bench'];

function run(program: string, args: readonly string[], cwd: string): void {
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${error?.message ?? stdout + stderr}`);
}

describeSkein('the package', () => {
  const servers = new ServerGroup();
  const home = realpathSync(mkdtempSync(join(tmpdir(), 'skein-package-')));
  const modules = join(home, 'node_modules');
  const installed = join(modules, 'skein');
  let start: StartOptions;

  beforeAll(() => {
    const project = join(home, 'project');
    const isWanted = (path: string) => {
      const name = relative(PROJECT_FOLDER, path);
      return !LEFT_OUT.includes(name) && !(name.startsWith('.') && !name.startsWith('..'));
    };
    cpSync(PROJECT_FOLDER, project, { recursive: true, filter: isWanted });
    symlinkSync(join(PROJECT_FOLDER, 'node_modules'), join(project, 'node_modules'));
    run('npm', ['pack', '--silent', '--offline', '--pack-destination', home], project);
    mkdirSync(installed, { recursive: true });
    const { version, bin, dependencies } = JSON.parse(
      readFileSync(join(project, 'package.json'), 'utf8'),
    ) as PackageJson;
    run('tar', ['-xzf', join(home, `skein-${version}.tgz`), '--strip-components=1', '-C', installed], home);
    for (const name of Object.keys(dependencies))
      symlinkSync(join(PROJECT_FOLDER, 'node_modules', name), join(modules, name));
    const command: ServerCommand = { kind: 'skein', program: process.execPath, args: [join(installed, bin.skein)] };
    start = {
      command,
      options: { appendonly: 'yes', 'enable-debug-command': 'yes' },
      skeinOptions: { workers: 2, shards: 2 },
      startsOver: true,
    };
  });
  afterAll(async () => {
    await servers.removeAll();
    rmSync(home, { recursive: true, force: true });
  });

  test('is a few files', () => {
    const code = readdirSync(join(installed, 'dist'), { recursive: true, encoding: 'utf8' });
    expect(code.filter((name) => name.endsWith('.js')).length).toBeLessThan(40);
    expect(readdirSync(installed).sort()).toEqual([
      ...['ARCHITECTURE.md', 'CHANGELOG.md', 'FORMATS.md', 'LAYOUT.md', 'LICENSE', 'README.md'],
      ...['dist', 'package.json', 'skein.conf'],
    ]);
  });

  test('serves with all its threads, and comes back', async () => {
    const server = await servers.start(start);
    const client = await server.connect();
    await client.must('SET', 'kept', 'yes');
    expect(await client.call('EVAL', "return redis.call('GET', KEYS[1])", 1, 'kept')).toBe('yes');
    await client.must('BGSAVE');
    await waitUntil('the snapshot', async () =>
      /rdb_bgsave_in_progress:0.*rdb_last_bgsave_status:ok.*rdb_saves:1/s.test(
        String(await client.call('INFO', 'persistence')),
      ),
    );
    await server.kill();
    const snapshot = join(server.folder, 'dump.rdb');
    run(process.execPath, [...start.command.args, 'check', snapshot], home);
    const again = servers.add(await server.restart());
    expect(await (await again.connect()).call('GET', 'kept')).toBe('yes');
  });

  test('names the sources where it crashes', async () => {
    const server = await servers.start(start);
    const client = await server.connect();
    client.call('DEBUG', 'PANIC').catch(() => {});
    expect(await server.exit()).toEqual({ code: 1, signal: null });
    const log = server.log();
    const [, file, line] = /------ STACK TRACE ------\n\s+at .*?(src\/\S+\.ts):(\d+):\d+\)?\n/.exec(log) ?? [];
    expect(file, log).toBe('src/net/worker-control.ts');
    const source = readFileSync(join(PROJECT_FOLDER, file), 'utf8').split('\n');
    expect(source[Number(line) - 1]).toContain('new Error(`DEBUG');
    expect(log).toMatch(/at .*src\/commands\/debug\.ts:\d+/);
    expect(log).not.toMatch(/dist\/.*\.js:\d+/);
  });
});
