import { describe, expect, it } from 'vitest';
import manifest from '../../../package.json' with { type: 'json' };
import { SKEIN_VERSION } from '../../../src/admin/version.ts';
import { COMMANDS } from '../../../src/commands/command-table.ts';
import { InProcess } from './in-process.ts';
import { put } from './seed-keys.ts';

const bulk = (text: string): string => `$${text.length}\r\n${text}\r\n`;

/** The fields of an INFO reply, sections' titles as '# Title'. */
function fields(reply: string): Map<string, string> {
  const lines = reply.split('\r\n').slice(1, -1);
  return new Map(
    lines.filter((line) => line !== '').map((line) => [line.split(':')[0], line.slice(line.indexOf(':') + 1)]),
  );
}

describe('INFO', () => {
  it('shows the usual sections in order, and no others', () => {
    const server = new InProcess({ shards: 2 });
    const titles = (...sections: string[]) =>
      [...fields(server.run('INFO', ...sections)).keys()].filter((name) => name.startsWith('#')).join(' ');
    const usual =
      '# Server # Clients # Memory # Persistence # Stats # Replication # CPU # Modules # Errorstats # Cluster # Keyspace';
    expect(titles()).toBe(usual);
    expect(titles('default')).toBe(usual);
    expect(titles('ALL')).toBe(
      `${usual.replace('# Errorstats', '# Commandstats # Latencystats # Errorstats')} # Shards`,
    );
    expect(titles('everything')).toBe(titles('all'));
    expect(titles('keyspace', 'Server')).toBe('# Server # Keyspace');
    expect(server.run('INFO', 'nosuch')).toBe('$0\r\n\r\n');
    expect(server.run('INFO', 'cluster', 'modules')).toBe(bulk('# Modules\r\n\r\n# Cluster\r\ncluster_enabled:0\r\n'));
  });

  it('shows true numbers', () => {
    const server = new InProcess({ shards: 2, settings: { maxmemory: '100mb' } });
    for (let i = 0; i < 50; i++) put(server, `k${i}`, 'x'.repeat(100), i < 10 ? server.nowMs + 1000 : -1);
    put(server, 'other', 'v', -1, 3);
    server.run('EXISTS', 'k1', 'k2', 'nokey');
    server.run('EXPIRE', 'k1', 'x');
    server.run('NOSUCH');
    server.run('DEL', 'k40', 'k41');
    put(server, 'k40', 'x');
    put(server, 'k41', 'x');
    server.nowMs += 5000;
    server.connect();
    const info = fields(server.run('INFO', 'everything'));
    const get = (name: string) => info.get(name);
    expect(get('redis_version')).toBe('7.2.4');
    expect(get('skein_version')).toBe(SKEIN_VERSION);
    expect(get('run_id')).toBe('f'.repeat(40));
    expect(get('uptime_in_seconds')).toBe('5');
    expect(get('connected_clients')).toBe('2');
    expect(get('maxclients')).toBe('10000');
    expect(Number(get('used_memory'))).toBeGreaterThan(50 * 100);
    expect(Number(get('used_memory_peak'))).toBeGreaterThanOrEqual(Number(get('used_memory')));
    expect(Number(get('allocator_active'))).toBeGreaterThanOrEqual(Number(get('used_memory')));
    expect(get('maxmemory')).toBe(String(100 * 1024 * 1024));
    expect(get('maxmemory_human')).toBe('100.00M');
    expect(get('maxmemory_policy')).toBe('noeviction');
    expect(get('keyspace_hits')).toBe('2');
    expect(get('keyspace_misses')).toBe('1');
    expect(get('total_error_replies')).toBe('2');
    expect(get('errorstat_ERR')).toBe('count=2');
    expect(get('cmdstat_exists')).toMatch(/^calls=1,.*rejected_calls=0,failed_calls=0$/);
    expect(get('cmdstat_expire')).toMatch(/^calls=1,.*rejected_calls=0,failed_calls=1$/);
    expect(get('rdb_changes_since_last_save')).toBe('2');
    expect(get('role')).toBe('master');
    expect(get('db0')).toBe('keys=50,expires=10');
    expect(get('db3')).toBe('keys=1,expires=0');
    expect(info.has('db1')).toBe(false);
    const shards = [get('shard0'), get('shard1')].map((line) => Number(/keys=(\d+)/.exec(line ?? '')?.[1]));
    expect(shards[0] + shards[1]).toBe(51);
    for (const [name, value] of info) expect(value, name).not.toMatch(/NaN|undefined|null|Infinity/);
  });

  it('is verbatim text for RESP3', () => {
    const server = new InProcess();
    server.run('HELLO', 3);
    expect(server.run('INFO', 'cluster')).toMatch(/^=\d+\r\ntxt:# Cluster\r\n/);
  });

  it('has the version of the package', () => {
    expect(SKEIN_VERSION).toBe(manifest.version);
  });
});

describe('CONFIG', () => {
  it('GET and SET', () => {
    const server = new InProcess({ shards: 2 });
    expect(server.run('CONFIG', 'GET', 'maxmemory')).toBe(`*2\r\n${bulk('maxmemory')}${bulk('0')}`);
    expect(server.run('CONFIG', 'SET', 'maxmemory', '1kb', 'hz', '20')).toBe('+OK\r\n');
    expect(server.settings.number('maxmemory')).toBe(1024);
    expect(server.run('CONFIG', 'GET', 'maxmemory', 'h[zy]', 'nosuch*')).toBe(
      `*4\r\n${bulk('maxmemory')}${bulk('1024')}${bulk('hz')}${bulk('20')}`,
    );
    expect(server.run('CONFIG', 'SET', 'nosuch', '1')).toBe(
      "-ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'\r\n",
    );
    expect(server.run('CONFIG', 'SET', 'hz', '5', 'maxmemory')).toBe('-ERR syntax error\r\n');
    expect(server.run('CONFIG', 'SET', 'hz')).toBe("-ERR wrong number of arguments for 'config|set' command\r\n");
    server.run('HELLO', 3);
    expect(server.run('CONFIG', 'GET', 'hz')).toBe(`%1\r\n${bulk('hz')}${bulk('20')}`);
    expect(server.run('CONFIG', 'HELP')).toMatch(/^\*\d+\r\n\+CONFIG <subcommand>/);
  });

  it('RESETSTAT lets the statistics start anew', () => {
    const server = new InProcess();
    server.run('EXISTS', 'nokey');
    server.run('NOSUCH');
    expect(server.run('CONFIG', 'RESETSTAT')).toBe('+OK\r\n');
    const info = fields(server.run('INFO', 'everything'));
    expect(info.get('keyspace_misses')).toBe('0');
    expect(info.get('total_error_replies')).toBe('0');
    expect(info.has('cmdstat_exists')).toBe(false);
    expect(info.has('errorstat_ERR')).toBe(false);
  });

  it('REWRITE needs a file', () => {
    const server = new InProcess();
    expect(server.run('CONFIG', 'REWRITE')).toBe('-ERR The server is running without a config file\r\n');
  });
});

describe('COMMAND', () => {
  const server = new InProcess();

  it('counts, lists and finds commands', () => {
    expect(server.run('COMMAND', 'COUNT')).toBe(`:${COMMANDS.commands.length}\r\n`);
    expect(server.run('COMMAND')).toMatch(new RegExp(`^\\*${COMMANDS.commands.length}\\r\\n\\*10\\r\\n`));
    expect(server.run('COMMAND', 'INFO').length).toBe(server.run('COMMAND').length);
    expect(server.run('COMMAND', 'INFO', 'nosuch', 'DEBUG|sleep')).toBe('*2\r\n$-1\r\n$-1\r\n');
    expect(server.run('COMMAND', 'INFO', 'Config|GET')).toContain(bulk('config|get'));
    expect(server.run('COMMAND', 'foo')).toBe("-ERR unknown subcommand 'foo'. Try COMMAND HELP.\r\n");
    expect(server.run('COMMAND', 'LIST', 'FILTERBY', 'PATTERN', 'CLIENT|ID')).toBe(`*1\r\n${bulk('client|id')}`);
    expect(server.run('COMMAND', 'LIST', 'FILTERBY', 'ACLCAT', 'nosuch')).toBe('*0\r\n');
    expect(server.run('COMMAND', 'LIST', 'FILTERBY', 'MODULE', 'x')).toBe('*0\r\n');
    expect(server.run('COMMAND', 'LIST', 'FILTERBY', 'aclcat', 'connection')).toContain(bulk('hello'));
    expect(server.run('COMMAND', 'LIST')).toContain(bulk('object|encoding'));
    expect(server.run('COMMAND', 'LIST')).not.toContain('debug|');
    for (const bad of [['x'], ['FILTERBY', 'x'], ['FILTERBY', 'x', 'y'], ['FILTERBY', 'MODULE', 'a', 'b']]) {
      expect(server.run('COMMAND', 'LIST', ...bad)).toBe('-ERR syntax error\r\n');
    }
    expect(server.run('COMMAND', 'DOCS', 'nosuch')).toBe('*0\r\n');
    expect(server.run('COMMAND', 'DOCS', 'ttl')).toMatch(/^\*2\r\n\$3\r\nttl\r\n\*12\r\n\$7\r\nsummary\r\n/);
    expect(server.run('COMMAND', 'HELP')).toMatch(/^\*\d+\r\n\+COMMAND <subcommand>/);
  });

  it('GETKEYSANDFLAGS tells what SET and BITFIELD do with their keys, given their arguments', () => {
    const uses = (...words: string[]) =>
      server
        .run('COMMAND', 'GETKEYSANDFLAGS', ...words)
        .match(/\+\w+/g)
        ?.join('');
    expect(uses('SET', 'k', 'v', 'EX', '5')).toBe('+OW+update');
    expect(uses('SET', 'k', 'v', 'EX', '5', 'get')).toBe('+RW+access+update');
    expect(uses('SET', 'k', 'v', 'IFEQ', 'w')).toBe('+RW+access+update');
    expect(uses('BITFIELD', 'k', 'OVERFLOW', 'SAT', 'GET', 'u8', '0')).toBe('+RO+access');
    expect(uses('BITFIELD', 'k', 'GET', 'u8', '0', 'INCRBY', 'u8', '0', '1')).toBe('+RW+access+update');
    expect(uses('RENAME', 'a', 'b')).toBe('+RW+access+delete+OW+update');
  });

  it('GETKEYS and GETKEYSANDFLAGS', () => {
    expect(server.run('COMMAND', 'GETKEYS', 'RENAME', 'a', 'b')).toBe('*2\r\n$1\r\na\r\n$1\r\nb\r\n');
    expect(server.run('COMMAND', 'GETKEYS', 'del', 'a', 'b', 'c')).toBe('*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n');
    expect(server.run('COMMAND', 'GETKEYS', 'OBJECT', 'ENCODING', 'k')).toBe('*1\r\n$1\r\nk\r\n');
    expect(server.run('COMMAND', 'GETKEYSANDFLAGS', 'RENAME', 'a', 'b')).toBe(
      '*2\r\n*2\r\n$1\r\na\r\n*3\r\n+RW\r\n+access\r\n+delete\r\n*2\r\n$1\r\nb\r\n*2\r\n+OW\r\n+update\r\n',
    );
    expect(server.run('COMMAND', 'GETKEYS', 'nosuch', 'x')).toBe('-ERR Invalid command specified\r\n');
    expect(server.run('COMMAND', 'GETKEYS', 'CLIENT', 'LIST')).toBe('-ERR The command has no key arguments\r\n');
    expect(server.run('COMMAND', 'GETKEYS', 'PING')).toBe('-ERR The command has no key arguments\r\n');
    expect(server.run('COMMAND', 'GETKEYS', 'TTL')).toBe('-ERR Invalid number of arguments specified for command\r\n');
  });
});

describe('the rest', () => {
  it('TIME, LASTSAVE, ROLE', () => {
    const server = new InProcess();
    const { nowMs } = server;
    server.nowMs += 1234;
    expect(server.run('TIME')).toBe(`*2\r\n${bulk(String(nowMs / 1000 + 1))}${bulk('234000')}`);
    expect(server.run('LASTSAVE')).toBe(`:${nowMs / 1000}\r\n`);
    expect(server.run('ROLE')).toBe('*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n');
  });

  it('SHUTDOWN', () => {
    const calls: unknown[] = [];
    const server = new InProcess({ control: { shutdown: (_session, how) => void calls.push(how) } });
    for (const bad of [['x'], ['SAVE', 'NOSAVE'], ['ABORT', 'NOW'], ['NOSAVE', 'ABORT']]) {
      expect(server.run('SHUTDOWN', ...bad)).toBe('-ERR syntax error\r\n');
    }
    expect(server.run('SHUTDOWN', 'ABORT')).toBe('-ERR No shutdown in progress.\r\n');
    expect(server.run('SHUTDOWN', 'nosave', 'NOW', 'FORCE')).toBe('');
    expect(server.session.parked).toBe(true);
    expect(calls).toEqual([{ save: false, now: true, force: true }]);
  });
});

describe('DEBUG', () => {
  const settings = { 'enable-debug-command': 'yes' };

  it.each([1, 4])('digests are those of Redis, with %i shards', (shards) => {
    const server = new InProcess({ shards, settings });
    expect(server.run('DEBUG', 'DIGEST')).toBe(`+${'0'.repeat(40)}\r\n`);
    put(server, 'a', '1');
    put(server, 'b', 'x'.repeat(100), server.nowMs + 100_000);
    put(server, 'c', '', -1, 3);
    expect(server.run('DEBUG', 'DIGEST')).toBe('+b9b5d29c53122637bea1af2aa3b6405b7a7c898a\r\n');
    expect(server.run('DEBUG', 'DIGEST-VALUE', 'a', 'b', 'none')).toBe(
      `*3\r\n+b4fc66738120fba0b5aa500ab5c2bf89cea1c5da\r\n+8fc74748c69613f759a14900dd1fa0c532737d52\r\n+${'0'.repeat(40)}\r\n`,
    );
    expect(server.run('DEBUG', 'CHECK')).toBe('+OK\r\n');
  });

  it('calls what reaches beyond the thread', () => {
    const calls: unknown[] = [];
    const server = new InProcess({
      settings,
      control: {
        sleepSync: (ms) => calls.push(ms),
        setActiveExpire: (on) => calls.push(on),
        reload: (session) => calls.push(session.id),
        log: (line) => calls.push(line),
      },
    });
    expect(server.run('DEBUG', 'SLEEP', '0.25')).toBe('+OK\r\n');
    expect(server.run('DEBUG', 'SET-ACTIVE-EXPIRE', '0')).toBe('+OK\r\n');
    expect(server.run('debug', 'set-active-expire', '1')).toBe('+OK\r\n');
    expect(server.run('DEBUG', 'LOG', 'hello')).toBe('+OK\r\n');
    expect(server.run('DEBUG', 'RELOAD')).toBe('');
    expect(server.session.parked).toBe(true);
    expect(calls).toEqual([250, false, true, 'DEBUG LOG: hello', server.session.id]);
  });

  it('looks inside and answers samples', () => {
    const server = new InProcess({ settings });
    put(server, 'k', '12');
    expect(server.run('DEBUG', 'OBJECT', 'k')).toMatch(
      /^\+Value at:0x[0-9a-f]+ refcount:1 encoding:int lru:\d+ lru_seconds_idle:0\r\n$/,
    );
    expect(server.run('DEBUG', 'OBJECT', 'nokey')).toBe('-ERR no such key\r\n');
    expect(server.run('DEBUG', 'STRINGMATCH-LEN', 'a*b*b', 'aaabaab')).toBe(':1\r\n');
    expect(server.run('DEBUG', 'ERROR', 'MY error')).toBe('-MY error\r\n');
    expect(server.run('DEBUG', 'PROTOCOL', 'verbatim')).toBe(bulk('This is a verbatim\nstring'));
    expect(server.run('DEBUG', 'PROTOCOL', 'push')).toBe('-ERR RESP2 is not supported by this command\r\n');
    server.run('HELLO', 3);
    expect(server.run('DEBUG', 'PROTOCOL', 'verbatim')).toBe('=29\r\ntxt:This is a verbatim\nstring\r\n');
    expect(server.run('DEBUG', 'PROTOCOL', 'map')).toBe('%3\r\n:0\r\n#f\r\n:1\r\n#t\r\n:2\r\n#f\r\n');
    expect(server.run('DEBUG', 'PROTOCOL', 'attrib')).toMatch(/^\|1\r\n/);
    expect(server.run('DEBUG', 'PROTOCOL', 'push')).toMatch(/^>2\r\n/);
    expect(server.run('DEBUG', 'PROTOCOL', 'double')).toBe(',3.141\r\n');
    expect(server.run('DEBUG', 'PROTOCOL', 'bignum')).toBe('(1234567999999999999999999999999999999\r\n');
    expect(server.run('DEBUG', 'PROTOCOL', 'odd')).toMatch(/^-ERR Wrong protocol type name/);
    for (const form of [['NOSUCH'], ['SLEEP'], ['PROTOCOL', 'a', 'b'], ['LOG']]) {
      expect(server.run('DEBUG', ...form)).toBe(
        `-ERR unknown subcommand or wrong number of arguments for '${form[0]}'. Try DEBUG HELP.\r\n`,
      );
    }
    expect(server.run('DEBUG')).toBe("-ERR wrong number of arguments for 'debug' command\r\n");
    expect(server.run('DEBUG', 'HELP')).toMatch(/^\*\d+\r\n\+DEBUG <subcommand>/);
  });

  it('needs permission', () => {
    const refused = /^-ERR DEBUG command not allowed\. If the enable-debug-command option is set to "local"/;
    expect(new InProcess().run('DEBUG', 'DIGEST')).toMatch(refused);
    expect(new InProcess().run('DEBUG', 'NOSUCH')).toMatch(refused);
    const local = new InProcess({ settings: { 'enable-debug-command': 'local' } });
    for (const [addr, fits] of [
      ['10.0.0.1:5', false],
      ['127.9.9.9:5', true],
      ['[::1]:5', true],
      ['1127.0.0.1:5', false],
    ] as const) {
      local.session.addr = addr;
      expect(refused.test(local.run('DEBUG', 'DIGEST')), addr).toBe(!fits);
    }
  });

  it('counts under one name and is shown as one command', () => {
    const server = new InProcess({ settings });
    server.run('DEBUG', 'LOG', 'x');
    server.run('DEBUG', 'DIGEST');
    expect(fields(server.run('INFO', 'commandstats')).get('cmdstat_debug')).toMatch(/^calls=2,/);
  });
});

it('DEBUG POPULATE adds keys to all shards, journals each in its own, and leaves those that are there', () => {
  const server = new InProcess({ shards: 3, settings: { 'enable-debug-command': 'yes' } });
  server.run('SET', 'key:7', 'mine');
  server.effects();
  expect(server.run('DEBUG', 'POPULATE', 100)).toBe('+OK\r\n');
  expect(server.run('DBSIZE')).toBe(':100\r\n');
  expect(server.run('GET', 'key:7')).toBe('$4\r\nmine\r\n');
  expect(server.run('GET', 'key:99')).toBe('$8\r\nvalue:99\r\n');
  const effects = server.effects();
  expect(effects.length).toBe(99);
  expect(new Set(effects.map((effect) => effect[0])).size).toBe(3);
  expect(server.run('DEBUG', 'POPULATE', 2, 'p', 12)).toBe('+OK\r\n');
  expect(server.run('GET', 'p:1')).toBe('$12\r\nvalue:1\0\0\0\0\0\r\n');
  expect(server.run('DEBUG', 'POPULATE', 'x')).toMatch(/^-ERR value is not an integer/);
});
