/** redis-cli and redis-benchmark as a user calls them. */
import { spawn } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeWith } from '../server/describe-with.ts';
import { frame } from '../server/resp-client.ts';
import { ServerGroup, type ServerProcess } from '../server/server-process.ts';
import { within } from '../server/wait-until.ts';
import { SHAPES, startShape } from './client-shapes.ts';

const servers = new ServerGroup();
afterAll(() => servers.removeAll());

interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(program: string, args: readonly string[], input: Buffer | string = ''): Promise<Finished> {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  child.stdin.on('error', () => {}); // a program that ends without reading its input
  child.stdin.end(input);
  const finished = new Promise<Finished>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) =>
      resolve({ code, stdout: Buffer.concat(out).toString('latin1'), stderr: Buffer.concat(err).toString('latin1') }),
    );
  });
  return within(`${program} ${args.join(' ')}`, finished, 30_000).finally(() => child.kill('SIGKILL'));
}

describeWith(['redis-cli', 'redis-benchmark'], 'the tools of Redis', () => {
  describe.each(SHAPES)('reader $reader', (shape) => {
    let server: ServerProcess;
    beforeAll(async () => {
      server = await startShape(servers, shape);
    });

    const cli = (args: readonly string[], input?: Buffer | string) =>
      run('redis-cli', ['-p', String(server.port), ...args], input);
    const says = async (...args: string[]) => (await cli(args)).stdout.trimEnd();

    test('redis-cli: strings, options, errors and counters', async () => {
      expect(await says('SET', 'greeting', 'hello world')).toBe('OK');
      expect(await says('GET', 'greeting')).toBe('hello world');
      expect(await says('APPEND', 'greeting', '!')).toBe('12');
      expect(await says('SET', 'greeting', 'x', 'NX')).toBe('');
      expect(await says('INCRBY', 'count', '41')).toBe('41');
      expect(await says('INCR', 'count')).toBe('42');
      expect(await says('INCR', 'greeting')).toBe('ERR value is not an integer or out of range');
      expect(await says('MSET', 'a', '1', 'b', '2')).toBe('OK');
      expect(await says('MGET', 'a', 'none', 'b')).toBe('1\n\n2');
      expect(await says('EXPIRE', 'a', '100')).toBe('1');
      expect(Number(await says('TTL', 'a'))).toBeGreaterThan(95);
      expect(await says('-n', '3', 'SET', 'a', 'third')).toBe('OK');
      expect(await says('-n', '3', 'GET', 'a')).toBe('third');
      expect(await says('GET', 'a')).toBe('1');
    });

    test('redis-cli: commands on standard input, values with any byte', async () => {
      expect((await cli([], 'SET piped 1\nINCR piped\nGET piped\n')).stdout).toBe('OK\n2\n2\n');
      const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
      expect((await cli(['-x', 'SET', 'bytes'], bytes)).stdout).toBe('OK\n');
      expect((await cli(['--raw', 'GET', 'bytes'])).stdout).toBe(`${bytes.toString('latin1')}\n`);
    });

    test('redis-cli -3: RESP3', async () => {
      expect(await says('-3', '--no-raw', 'GET', 'none')).toBe('(nil)');
      expect(await says('-3', '--no-raw', 'HELLO')).toMatch(/\d# "proto" => \(integer\) 3/);
      expect(await says('-3', '--no-raw', 'CONFIG', 'GET', 'maxmemory')).toBe('1# "maxmemory" => "0"');
    });

    test('redis-cli --pipe loads a file of commands', async () => {
      const commands = Array.from({ length: 5000 }, (_, i) => frame(['SET', `pipe:${i}`, `value ${i}`]));
      const { stdout, code } = await cli(['--pipe'], Buffer.concat(commands));
      expect(stdout).toMatch(/errors: 0, replies: 5000/);
      expect(code).toBe(0);
      expect(await says('GET', 'pipe:4999')).toBe('value 4999');
    });

    test('redis-cli --scan finds every key once it is there', async () => {
      await cli(['--pipe'], Buffer.concat(Array.from({ length: 500 }, (_, i) => frame(['SET', `scan:${i}`, '']))));
      const found = (await says('--scan', '--pattern', 'scan:*')).split('\n');
      expect(new Set(found).size).toBe(500);
    });

    test('redis-cli INFO: sections, and a version that clients understand', async () => {
      const info = await says('INFO');
      expect(info).toMatch(/^# Server\r?$/m);
      expect(info).toMatch(/^redis_version:7\.\d+\.\d+\r?$/m);
      expect(info).toMatch(/^role:master\r?$/m);
      expect(info).toMatch(/^db0:keys=\d+,expires=\d+/m);
      const used = (text: string) => Number(/^used_memory:(\d+)/m.exec(text)?.[1]);
      await says('SET', 'much', 'x'.repeat(100_000));
      expect(used(await says('INFO', 'memory'))).toBeGreaterThan(used(info) + 90_000);
    });

    test.each([
      ['one command at a time', ['-n', '4000', '-c', '20']],
      ['pipelines of 16 over random keys', ['-n', '40000', '-c', '20', '-P', '16', '-r', '10000']],
    ])('redis-benchmark: %s', async (_, options) => {
      const asked = ['-p', String(server.port), '-t', 'ping,set,get,incr,mset', '-d', '40', '--csv', ...options];
      const { stdout, stderr, code } = await run('redis-benchmark', asked);
      expect(stderr).toBe('');
      expect(stdout).not.toMatch(/error/i);
      expect(stdout.split('\n').filter((line) => /^"(PING|SET|GET|INCR|MSET)/.test(line))).toHaveLength(6);
      expect(code).toBe(0);
    });
  });
});
