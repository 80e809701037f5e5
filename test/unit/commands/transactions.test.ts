/** MULTI, EXEC, DISCARD, WATCH, UNWATCH over one and over several shards. */
import { describe, expect, test } from 'vitest';
import { InProcess } from './in-process.ts';

const QUEUED = '+QUEUED\r\n';
const OK = '+OK\r\n';
const ABORTED = '-EXECABORT Transaction discarded because of previous errors.\r\n';

function transact(server: InProcess, ...commands: string[]): string {
  expect(server.run('MULTI')).toBe(OK);
  for (const command of commands) expect(server.run(...command.split(' '))).toBe(QUEUED);
  return server.run('EXEC');
}

describe.each([1, 4])('%i shards', (shards) => {
  test('what is queued runs in order, and nothing before EXEC', () => {
    const server = new InProcess({ shards });
    server.run('MULTI');
    expect(server.run('SET', 'a', '1')).toBe(QUEUED);
    expect(server.runAs(server.connect(), 'GET', 'a')).toBe('$-1\r\n');
    server.run('INCR', 'a');
    server.run('SET', 'b', 'x');
    server.run('GET', 'b');
    expect(server.run('EXEC')).toBe('*4\r\n+OK\r\n:2\r\n+OK\r\n$1\r\nx\r\n');
    expect(server.run('GET', 'a')).toBe('$1\r\n2\r\n');
  });

  test('an empty transaction', () => {
    expect(transact(new InProcess({ shards }))).toBe('*0\r\n');
  });

  test('an error at run time stops nothing', () => {
    const server = new InProcess({ shards });
    server.run('SET', 's', 'text');
    expect(transact(server, 'SET a 1', 'INCR s', 'SET b 2')).toMatch(/^\*3\r\n\+OK\r\n-ERR value[^\r]*\r\n\+OK\r\n$/);
    expect(server.run('MGET', 'a', 'b')).toBe('*2\r\n$1\r\n1\r\n$1\r\n2\r\n');
  });

  test('commands over several keys, over everything, and a choice of shards', () => {
    const server = new InProcess({ shards });
    const reply = transact(server, 'MSET a 1 b 2 c 3 d 4', 'DBSIZE', 'RENAME a e', 'MGET a e', 'FLUSHALL', 'DBSIZE');
    expect(reply).toBe('*6\r\n+OK\r\n:4\r\n+OK\r\n*2\r\n$-1\r\n$1\r\n1\r\n+OK\r\n:0\r\n');
    expect(transact(server, 'SET k v', 'RANDOMKEY', 'SCAN 0')).toMatch(/^\*3\r\n\+OK\r\n\$1\r\nk\r\n\*2\r\n/);
  });

  test('SELECT holds for the commands behind it and for the session', () => {
    const server = new InProcess({ shards });
    expect(transact(server, 'SET a 0', 'SELECT 3', 'SET a 3', 'GET a')).toBe('*4\r\n+OK\r\n+OK\r\n+OK\r\n$1\r\n3\r\n');
    expect(server.run('GET', 'a')).toBe('$1\r\n3\r\n');
    server.run('SELECT', '0');
    expect(server.run('GET', 'a')).toBe('$1\r\n0\r\n');
  });

  test('one transaction in the journals, with what was meant and nothing of what failed', () => {
    const server = new InProcess({ shards: 1 });
    server.effects();
    transact(server, 'SET a 1', 'SETNX a 2', 'INCR a', 'GET a', 'SELECT 2', 'SET b 1');
    expect(server.effects()).toEqual(['0 0 SET a 1', '0 0 INCR a', '0 2 SET b 1']);
  });
});

describe('refusals while commands are queued', () => {
  test.each([
    ['an unknown command', ['NOSUCH'], /^-ERR unknown command/],
    ['a wrong number of arguments', ['GET'], /^-ERR wrong number of arguments for 'get' command/],
    ['what may not stand in a transaction', ['SHUTDOWN', 'NOSAVE'], /^-ERR Command not allowed inside a transaction/],
    ['an unknown subcommand', ['CLIENT', 'nosuch'], /^-ERR unknown subcommand/],
  ])('%s aborts', (_, command, refusal) => {
    const server = new InProcess();
    server.run('MULTI');
    server.run('SET', 'a', '1');
    expect(server.run(...command)).toMatch(refusal);
    expect(server.run('EXEC')).toBe(ABORTED);
    expect(server.run('GET', 'a')).toBe('$-1\r\n');
    expect(server.run('EXEC')).toBe('-ERR EXEC without MULTI\r\n');
  });

  test('MULTI and WATCH inside MULTI are errors that do not abort', () => {
    const server = new InProcess();
    server.run('MULTI');
    expect(server.run('MULTI')).toBe('-ERR MULTI calls can not be nested\r\n');
    expect(server.run('WATCH', 'x')).toBe('-ERR WATCH inside MULTI is not allowed\r\n');
    expect(server.run('EXEC')).toBe('*0\r\n');
  });

  test('EXEC with arguments gives the transaction up', () => {
    const server = new InProcess();
    server.run('MULTI');
    expect(server.run('EXEC', 'x')).toBe(
      "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command\r\n",
    );
    expect(server.run('SET', 'a', 'b')).toBe(OK);
  });

  test('outside of MULTI', () => {
    const server = new InProcess();
    expect(server.run('EXEC')).toBe('-ERR EXEC without MULTI\r\n');
    expect(server.run('DISCARD')).toBe('-ERR DISCARD without MULTI\r\n');
    expect(server.run('UNWATCH')).toBe(OK);
  });

  test('DISCARD, RESET and QUIT work at once', () => {
    const server = new InProcess();
    server.run('MULTI');
    server.run('SET', 'a', '1');
    expect(server.run('DISCARD')).toBe(OK);
    server.run('MULTI');
    expect(server.run('RESET')).toBe('+RESET\r\n');
    expect(server.run('GET', 'a')).toBe('$-1\r\n');
    server.run('MULTI');
    expect(server.run('QUIT')).toBe(OK);
  });
});

describe.each([1, 4])('WATCH with %i shards', (shards) => {
  /** Watches `keys`, lets another client do `commands`, and runs a transaction. */
  function raced(keys: string, commands: string[], before: string[] = []): string {
    const server = new InProcess({ shards });
    const other = server.connect();
    for (const command of before) server.run(...command.split(' '));
    expect(server.run('WATCH', ...keys.split(' '))).toBe(OK);
    for (const command of commands) server.runAs(other, ...command.split(' '));
    const reply = transact(server, 'SET done 1');
    expect(server.server.watches.tables.reduce((sum, table) => sum + table.watchCount() + table.liveEntries(), 0)).toBe(
      0,
    );
    return reply;
  }
  const DONE = '*1\r\n+OK\r\n';
  const NULL = '*-1\r\n';

  test.each<[string, string, string[], string[], string]>([
    ['nothing happened', 'a', [], [], DONE],
    ['another key changed', 'a', ['SET b 1'], [], DONE],
    ['a read', 'a', ['GET a'], ['SET a 1'], DONE],
    ['a change', 'a', ['SET a 2'], ['SET a 1'], NULL],
    ['a change to the same', 'a', ['SET a 1'], ['SET a 1'], NULL],
    ['the last of several keys', 'a b c d', ['INCR d'], [], NULL],
    ['absent, made, deleted', 'a', ['SET a 1', 'DEL a'], [], NULL],
    ['a deletion of what is absent', 'a', ['DEL a'], [], DONE],
    ['the source of RENAME', 'a', ['RENAME a b'], ['SET a 1'], NULL],
    ['the target of RENAME', 'b', ['RENAME a b'], ['SET a 1'], NULL],
    ['a deadline', 'a', ['EXPIRE a 100'], ['SET a 1'], NULL],
    ['a list', 'a', ['RPUSH a 1'], [], NULL],
    ['FLUSHALL of a key', 'a', ['FLUSHALL'], ['SET a 1'], NULL],
    ['FLUSHALL without the key', 'a', ['FLUSHALL'], ['SET b 1'], DONE],
    ['FLUSHDB of another database', 'a', ['SELECT 1', 'FLUSHDB'], ['SET a 1'], DONE],
    ['SWAPDB to another value', 'a', ['SWAPDB 0 1'], ['SET a 1'], NULL],
    ['SWAPDB without the key on either side', 'a', ['SWAPDB 0 1'], [], DONE],
    ['the same key of another database', 'a', ['SELECT 1', 'SET a 2'], ['SET a 1'], DONE],
    ['a change inside a transaction', 'a', ['MULTI', 'SET a 2', 'EXEC'], ['SET a 1'], NULL],
    ['MOVE into the database', 'a', ['SELECT 1', 'SET a 2', 'MOVE a 0'], [], NULL],
  ])('%s', (_, keys, commands, before, outcome) => {
    expect(raced(keys, commands, before)).toBe(outcome);
  });

  test('expiry after WATCH counts, whoever notices it', () => {
    for (const noticed of [false, true]) {
      const server = new InProcess({ shards });
      server.run('SET', 'a', '1', 'PX', '10');
      server.run('WATCH', 'a');
      server.nowMs += 20;
      if (noticed) server.runAs(server.connect(), 'GET', 'a');
      expect(transact(server, 'PING')).toBe('*-1\r\n');
    }
  });

  test('a key that was expired at WATCH may be removed, but not made anew', () => {
    const server = new InProcess({ shards });
    const other = server.connect();
    server.run('SET', 'a', '1', 'PX', '10');
    server.nowMs += 20;
    server.run('WATCH', 'a');
    server.runAs(other, 'GET', 'a');
    expect(transact(server, 'PING')).toBe('*1\r\n+PONG\r\n');
    server.run('SET', 'a', '1', 'PX', '10');
    server.nowMs += 20;
    server.run('WATCH', 'a');
    server.runAs(other, 'SET', 'a', '2');
    expect(transact(server, 'PING')).toBe('*-1\r\n');
  });

  test('the own changes after WATCH count, those before do not', () => {
    const server = new InProcess({ shards });
    server.run('SET', 'a', '1');
    server.run('WATCH', 'a');
    expect(transact(server, 'PING')).toBe('*1\r\n+PONG\r\n');
    server.run('WATCH', 'a');
    server.run('SET', 'a', '2');
    expect(transact(server, 'PING')).toBe('*-1\r\n');
  });

  test.each(['UNWATCH', 'DISCARD', 'RESET', 'leave'])('%s ends it', (how) => {
    const server = new InProcess({ shards });
    const other = server.connect();
    server.run('WATCH', 'a', 'b', 'a');
    if (how === 'DISCARD') server.run('MULTI');
    if (how === 'leave') server.session.leave();
    else server.run(how);
    expect(server.server.watches.tables.reduce((sum, table) => sum + table.watchCount() + table.liveEntries(), 0)).toBe(
      0,
    );
    server.runAs(other, 'SET', 'a', '1');
    expect(transact(server, 'PING')).toBe('*1\r\n+PONG\r\n');
  });
});

test('CLIENT LIST shows the transaction, what it holds, and a broken watch', () => {
  const server = new InProcess();
  const other = server.connect();
  server.run('WATCH', 'a', 'b');
  server.run('MULTI');
  server.run('SET', 'x', 'y');
  expect(server.runAs(other, 'CLIENT', 'LIST', 'ID', '1')).toMatch(/ flags=x .* multi=1 .* multi-mem=[1-9].* watch=2/);
  server.runAs(other, 'SET', 'a', '1');
  expect(server.runAs(other, 'CLIENT', 'LIST', 'ID', '1')).toMatch(/ flags=xd /);
  server.run('EXEC');
  expect(server.runAs(other, 'CLIENT', 'LIST', 'ID', '1')).toMatch(/ flags=N .* multi=-1 .* multi-mem=0.* watch=0/);
});
