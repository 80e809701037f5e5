/** A system that gives the process few open files: clients leave the server what it needs, and what fails for want of them fails alone. */
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { describeSkein } from '../crash/data-files.ts';
import { describeWith } from './describe-with.ts';
import { type Reply, ReplyError } from './reply-reader.ts';
import { SKEIN } from './server-command.ts';
import { ServerGroup, type ServerProcess } from './server-process.ts';
import { waitUntil } from './wait-until.ts';

const servers = new ServerGroup();
afterEach(() => servers.removeAll());

const CLEAN = { code: 0, signal: null };
const options = { appendonly: 'yes' };
const skeinOptions = { workers: 2, shards: 2 };
const CANNOT_START = /the background thread cannot start/;

/** The process may have so many open files in all. */
const allow = (server: ServerProcess, files: number): unknown =>
  execFileSync('prlimit', ['--pid', String(server.pid), `--nofile=${files}:20000`]);

const refusal = (reply: Reply): string => (reply instanceof ReplyError ? reply.message : `no error: ${reply}`);

describeSkein('few open files', () => {
  describeWith(['prlimit'], 'by ulimit', () => {
    test('bound the clients, and snapshots and rewrites still have what they need', async () => {
      const command = { ...SKEIN, program: 'prlimit', args: ['--nofile=200', SKEIN.program, ...SKEIN.args] };
      const server = await servers.start({ command, options, skeinOptions });
      const client = await server.connect();
      const most = Number(((await client.must('CONFIG', 'GET', 'maxclients')) as string[])[1]);
      expect(most).toBeGreaterThan(20);
      expect(server.log()).toContain(`maxclients has been reduced to ${most}: the system allows 200 open files`);
      const others = await Promise.all(Array.from({ length: 250 }, () => server.connect().catch(() => null)));
      const answers = await Promise.all(others.map((one) => one?.call('PING').catch(() => null) ?? null));
      expect(answers.filter((answer) => answer === 'PONG').length).toBe(most - 1);
      // who was turned away is gone, although it does not close its end
      const open = (): number => readdirSync(`/proc/${server.pid}/fd`).length;
      await waitUntil('free file numbers', () => open() < 200 - 16);
      await client.must('BGREWRITEAOF');
      await waitUntil('the rewrite', async () => /aof_rewrites:1\r/.test(String(await client.call('INFO'))));
      await client.must('SAVE');
      expect(refusal(await client.call('CONFIG', 'SET', 'maxclients', most + 50))).toMatch(
        /not able to handle the specified number of clients, try with \d+/,
      );
      expect(await client.call('CONFIG', 'SET', 'maxclients', 10)).toBe('OK');
      expect(await server.stop()).toEqual(CLEAN);
    });

    test('a background thread that cannot start makes a snapshot fail, not the server', async () => {
      const server = await servers.start({ command: SKEIN, options, skeinOptions });
      const client = await server.connect();
      await client.must('SET', 'k', 'v');
      allow(server, readdirSync(`/proc/${server.pid}/fd`).length);
      expect(await client.call('INFO', 'memory')).toMatch(/used_memory_rss:\d/);
      expect(await client.call('MEMORY', 'STATS')).toBeInstanceOf(Array);
      expect(refusal(await client.call('BGSAVE'))).toMatch(CANNOT_START);
      expect(await client.call('SAVE')).toBeInstanceOf(ReplyError);
      expect(server.log()).toMatch(CANNOT_START);
      expect(refusal(await client.call('BGREWRITEAOF'))).toMatch(/Can't rewrite the append only file: EMFILE/);
      allow(server, 20_000);
      await client.must('BGREWRITEAOF');
      await waitUntil('the rewrite', async () => /aof_rewrites:1\r/.test(String(await client.call('INFO'))));
      expect(await client.call('SAVE')).toBe('OK');
      expect(await client.call('SET', 'k', 'w')).toBe('OK');
      server.signal('SIGTERM');
      expect(await server.exit()).toEqual(CLEAN);
      const again = servers.add(await server.restart());
      expect(await (await again.connect()).call('GET', 'k')).toBe('w');
    });
  });
});
