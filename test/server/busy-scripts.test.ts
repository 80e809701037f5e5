/**
 * Scripts that run on and on: whoever else comes gets BUSY, on every thread and on the script's own; SCRIPT KILL and SHUTDOWN NOSAVE work;
 * whatever a script does to its engine, the data is whole.
 */
import { afterEach, expect, test } from 'vitest';
import { describeSkein } from '../crash/data-files.ts';
import { ReplyError } from './reply-reader.ts';
import { frame, type RespClient } from './resp-client.ts';
import { serverUnderTest } from './server-command.ts';
import { ServerGroup, type ServerProcess } from './server-process.ts';
import { waitUntil } from './wait-until.ts';

const servers = new ServerGroup();
afterEach(() => servers.removeAll());

const LOOP = 'while true do end';
const LOOP_IN_PCALL = "local f = function() while true do redis.call('ping') end end while true do pcall(f) end";
const LOOP_IN_COROUTINE = 'while true do coroutine.resume(coroutine.create(function() while true do end end)) end';
const LOOP_IN_HANDLER = 'while true do xpcall(function() while true do end end, function() return 1 end) end';
const LIBRARY = `#!lua name=lib
redis.register_function('loop', function() while true do end end)
redis.register_function('write_and_loop', function(keys) redis.call('set', keys[1], 'half') while true do end end)`;

const started = (workers: number, appendonly = 'yes') =>
  servers.start({
    command: serverUnderTest(),
    options: { appendonly, 'busy-reply-threshold': 20, 'enable-debug-command': 'yes' },
    skeinOptions: { workers, shards: 2 },
  });

async function text(client: RespClient, ...command: string[]): Promise<string> {
  const reply = await client.call(...command);
  return reply instanceof ReplyError ? reply.message : JSON.stringify(reply);
}

/** Runs it on a connection of its own and waits until another one is told so. */
async function busy(
  server: ServerProcess,
  ...command: string[]
): Promise<{ runner: RespClient; reply: Promise<Buffer> }> {
  const runner = await server.connect();
  const other = await server.connect();
  const reply = runner.callRaw(command);
  await waitUntil('others get BUSY', async () => (await text(other, 'PING')).startsWith('BUSY'));
  return { runner, reply };
}

describeSkein('a script that does not end', () => {
  test.each([
    ['on one thread', 1],
    ['on several threads', 3],
  ])('lets others have BUSY, and ends by SCRIPT KILL: %s', async (_name, workers) => {
    const server = await started(workers);
    const early = await Promise.all(Array.from({ length: 6 }, () => server.connect()));
    await early[0].must('SET', 'k', 'v');
    for (const script of [LOOP, LOOP_IN_PCALL, LOOP_IN_COROUTINE, LOOP_IN_HANDLER]) {
      const { reply } = await busy(server, 'EVAL', script, '1', 'k');
      const late = await server.connect();
      for (const client of [...early, late]) {
        for (const command of [['PING'], ['GET', 'k'], ['SET', 'k', 'x'], ['EXEC'], ['SHUTDOWN']]) {
          const said = await text(client, ...command);
          expect(said, command[0]).toMatch(
            command[0] === 'EXEC' ? /BUSY|without MULTI/ : /^BUSY Redis is busy running a script/,
          );
        }
        expect(await text(client, 'FUNCTION', 'KILL')).toMatch(/^BUSY/);
      }
      // a pipeline that comes meanwhile is answered in order
      const piped = await late.pipeline([['PING'], ['MULTI'], ['SET', 'k', 'y'], ['EXEC']]);
      expect(piped.map((one) => (one instanceof ReplyError ? one.message.slice(0, 9) : one))).toEqual([
        'BUSY Redi',
        'OK',
        'BUSY Redi',
        'EXECABORT',
      ]);
      expect(await text(early[1], 'SCRIPT', 'KILL')).toBe('"OK"');
      expect((await reply).toString()).toMatch(/^-ERR Error running script.*killed by user with SCRIPT KILL/);
      for (const client of [...early, late]) expect(await client.must('GET', 'k')).toBe('v');
      expect(await text(early[1], 'SCRIPT', 'KILL')).toMatch(/^NOTBUSY/);
    }
  });

  test.each([1, 2])(
    'and has written cannot be killed; SHUTDOWN NOSAVE leaves no trace of it (%i threads)',
    async (workers) => {
      const server = await started(workers);
      const client = await server.connect();
      await client.must('SET', 'k', 'before');
      await client.must('FUNCTION', 'LOAD', LIBRARY);
      await busy(server, 'FCALL', 'write_and_loop', '1', 'k');
      expect(await text(client, 'FUNCTION', 'KILL')).toMatch(/^UNKILLABLE/);
      expect(await text(client, 'SCRIPT', 'KILL')).toMatch(/^BUSY.*FUNCTION KILL/);
      expect(await text(client, 'FUNCTION', 'STATS')).toContain('"write_and_loop"');
      client.send(frame(['SHUTDOWN', 'NOSAVE']));
      expect(await server.exit(10_000)).toEqual({ code: 0, signal: null });
      const again = servers.add(await server.restart());
      const second = await again.connect();
      expect(await second.must('GET', 'k')).toBe('before');
      expect(await text(second, 'FUNCTION', 'LIST')).toContain('write_and_loop');
    },
  );

  test('does not keep a signal from ending the server', async () => {
    const server = await started(2);
    await busy(server, 'EVAL', "redis.call('set', KEYS[1], 'half') while true do end", '1', 'k');
    server.signal('SIGTERM');
    expect(await server.exit(10_000)).toEqual({ code: 0, signal: null });
    const again = servers.add(await server.restart());
    expect(await (await again.connect()).must('EXISTS', 'k')).toBe(0);
  });

  test('finds what came meanwhile served when it ends', async () => {
    const server = await started(1);
    const [watcher, killer] = [await server.connect(), await server.connect()];
    const { runner, reply } = await busy(server, 'EVAL', LOOP, '0');
    // WATCH takes a latch: it waits for the end of the script, and all behind it
    const answers = watcher.pipeline([['PING'], ['WATCH', 'k'], ['SET', 'k', 'v'], ['GET', 'k']]);
    runner.send(frame(['SET', 'mine', 'yes']));
    const mine = runner.nextReply();
    expect(await text(killer, 'SCRIPT', 'KILL')).toBe('"OK"');
    await reply;
    expect((await answers).slice(1)).toEqual(['OK', 'OK', 'v']);
    expect((await mine).toString()).toBe('+OK\r\n');
  });

  test('while a library is loaded, is ended by itself', async () => {
    const server = await started(2);
    const client = await server.connect();
    expect(await text(client, 'FUNCTION', 'LOAD', '#!lua name=endless\nwhile true do end')).toContain(
      'FUNCTION LOAD timeout',
    );
    expect(await client.must('FUNCTION', 'LIST')).toEqual([]);
    expect(await client.must('FUNCTION', 'LOAD', LIBRARY)).toBe('lib');
  });
});

describeSkein('a script that takes all memory of its engine', () => {
  test('fails, and the server goes on with another engine', async () => {
    const server = await started(2);
    const client = await server.connect();
    await client.must(
      'FUNCTION',
      'LOAD',
      '#!lua name=lib\nredis.register_function("f", function() return "still" end)',
    );
    const sha = String(await client.must('SCRIPT', 'LOAD', 'return ARGV[1]'));
    const hungry = "redis.call('set', KEYS[1], 'done') local s = 'x' while true do s = s .. s end";
    const said = await text(client, 'EVAL', hungry, '1', 'k');
    expect(said).toMatch(/^ERR/);
    // as after any error of a script, what it did before stays
    expect(await client.must('GET', 'k')).toBe('done');
    expect(await client.must('EVALSHA', sha, 0, 'x')).toBe('x');
    expect(await client.must('FCALL', 'f', 0)).toBe('still');
    expect(await client.must('DEBUG', 'CHECK')).toBe('OK');
    server.signal('SIGKILL');
    await server.exit();
    const again = servers.add(await server.restart());
    const second = await again.connect();
    expect(await second.must('GET', 'k')).toBe('done');
    expect(await second.must('FCALL', 'f', 0)).toBe('still');
  });
});
