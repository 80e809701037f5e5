/**
 * Scripts answer as in stock Redis, byte for byte: conversions between Lua and both protocols, errors, the redis table, and the libraries.
 * What differs on purpose stands in DIFFERENCES.md and is not asked here.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeWith } from '../server/describe-with.ts';
import type { Argument, Command, RespClient } from '../server/resp-client.ts';
import { type ServerCommand, SKEIN, STOCK } from '../server/server-command.ts';
import { ServerGroup } from '../server/server-process.ts';

const ALL_BYTES = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
const SAMPLES = [
  'string',
  'integer',
  'double',
  'bignum',
  'null',
  'array',
  'set',
  'map',
  'attrib',
  'verbatim',
  'true',
  'false',
];

/** Scripts without keys; each is one test in both protocols. */
const CONVERSIONS = [
  ...['1', '-1', '3.99', '-3.99', '2^53', '1e18', '0', 'true', 'false', 'nil', "''", "'a\\0b\\r\\nc'"],
  ...['{}', '{1,2,3}', '{1,nil,3}', '{1,{2,{3}}}', "{'a',true,false,1.5}", '{1,2,x=3}', '{[1.5]=1}'],
  ...["{ok='fine'}", "{err='ERR bad'}", "{err='NOCODE'}", "{ok='a\\r\\nb'}", "{err='a\\r\\nb c'}", '{ok=1}', '{err=1}'],
  ...['{double=3.25}', '{double=1e15}', '{double=1/0}', '{double=-1/0}', "{double='x'}"],
  ...['{map={a=1}}', '{map={[1]=2}}', '{set={a=true}}', '{set={}}', '{map={}}', '{map={a={map={b=1}}}}', '{map=1}'],
  ...["{big_number='123456789012345678901234567890'}", "{big_number='1\\r\\n2'}", '{big_number=5}'],
  ...[
    "{verbatim_string={string='text',format='txt'}}",
    "{verbatim_string={string='a\\0b',format='mkd'}}",
    '{verbatim_string=1}',
  ],
  ...[
    'KEYS',
    'ARGV',
    '#ARGV',
    '{1,function() end,2}',
    'cjson.null',
    '{cjson.null,1}',
    '{map={a=type}}',
    'type(nil)',
    'function() end',
    'coroutine.create(function() end)',
    'tostring(1e15)',
    '1e15',
  ],
].map((value) => `return ${value}`);

const API = [
  "return redis.sha1hex('')",
  "return redis.sha1hex('a\\0b')",
  'return redis.sha1hex()',
  'return redis.sha1hex(1,2)',
  "return redis.error_reply('MY CODE')",
  "return redis.error_reply('nocode')",
  "return redis.error_reply('-MY dash')",
  'return redis.error_reply(1)',
  "return redis.status_reply('FINE')",
  'return redis.status_reply()',
  'return redis.log(redis.LOG_WARNING)',
  "return redis.log('x', 'y')",
  "return redis.log(10, 'y')",
  "return redis.log(redis.LOG_DEBUG, 'a', 'b')",
  'return {redis.LOG_DEBUG, redis.LOG_VERBOSE, redis.LOG_NOTICE, redis.LOG_WARNING}',
  'return {redis.REPL_NONE, redis.REPL_AOF, redis.REPL_SLAVE, redis.REPL_REPLICA, redis.REPL_ALL}',
  'return redis.set_repl(redis.REPL_ALL)',
  'return redis.set_repl(17)',
  'return redis.set_repl()',
  'return redis.replicate_commands()',
  'return redis.breakpoint()',
  'redis.setresp(1)',
  'redis.setresp()',
  "redis.setresp('x')",
  "return redis.acl_check_cmd('set','a','b')",
  "return redis.acl_check_cmd('nonesuch')",
  "return redis.acl_check_cmd('set')",
  'return redis.acl_check_cmd()',
  'return redis.acl_check_cmd({})',
  'return type(redis.REDIS_VERSION) .. type(redis.REDIS_VERSION_NUM)',
  'redis.call = 1',
  "redis['new'] = 1",
  'return redis.nonesuch',
  'return tostring(redis.register_function)',
  'x = 1',
  'return x',
  "rawset(_G, 'x', 1)",
  'return setmetatable(_G, {})',
  "return getmetatable('').__index == string",
  'return {tostring(loadfile), tostring(os.time), type(os.clock())}',
  'return os.execute',
  'return print',
  "return loadstring('return 1+1')()",
  'return load(function() return nil end)',
];

const CALLS = [
  "return redis.call('set','k','v')",
  "return redis.call('get','none')",
  "return redis.call('incr','n')",
  "return {redis.call('ping'), redis.call('echo','x')}",
  'return redis.call()',
  'return redis.pcall()',
  "return redis.call('nonesuch')",
  "return redis.pcall('nonesuch')",
  "return redis.call('set','k')",
  "return redis.pcall('set','k')",
  "return redis.call('set', {}, 'v')",
  "return redis.pcall('set', {}, 'v')",
  "return redis.call('lpush','{k}l',1,2.5,-3,1e20,0.1) and redis.call('lrange','{k}l',0,-1)",
  "redis.call('set','k','v') return redis.call('lpush','k','x')",
  "redis.call('set','k','v')\nreturn redis.pcall('lpush','k','x')",
  "redis.call('set','k','v')\nlocal e = redis.pcall('lpush','k','x')\nreturn e.err",
  "redis.call('set','k','v')\nlocal ok, e = pcall(redis.call,'lpush','k','x')\nreturn {tostring(ok), type(e), e.err}",
  "error('mine')",
  "error({err='MY error'})",
  "error({err='MY error'}, 0)",
  "local function f()\n error('deep')\nend\n\nf()",
  'return 1 + nil',
  'return nil .. 1',
  'local t = nil\nreturn t.x',
  'return (',
  "return redis.call('select', 3) and redis.call('set','s','3')",
  "return redis.call('type','l')",
  "return redis.call('hset','h','a',1,'b',2) and redis.call('hgetall','h')",
  "redis.setresp(3) return redis.call('hgetall','h')",
  "redis.setresp(3) return redis.call('hgetall','h').map.a",
  "redis.call('zadd','z',1.5,'a') return redis.call('zscore','z','a')",
  "redis.setresp(3) return redis.call('zscore','z','a')",
  "redis.setresp(3) return type(redis.call('zscore','z','a').double)",
  "redis.call('sadd','s1','a') redis.setresp(3) return redis.call('smembers','s1')",
  "redis.call('sadd','s1','a') redis.setresp(3) return tostring(redis.call('smembers','s1').set.a)",
  "redis.setresp(3) return tostring(redis.call('get','none'))",
  "redis.setresp(2) return tostring(redis.call('get','none'))",
  "redis.setresp(3) return {redis.call('get','none'), 1}",
  "redis.setresp(3) redis.setresp(2) return redis.call('hgetall','h')",
  "#!lua\nreturn redis.call('get','k')",
  "#!lua flags=no-writes\nreturn redis.call('set','k','v')",
  '#!lua flags=nonesuch\nreturn 1',
  '#!lua name=x\nreturn 1',
  '#!python\nreturn 1',
  '#!lua',
  ...SAMPLES.flatMap((kind) =>
    [2, 3].map((resp) => `redis.setresp(${resp});return redis.call('debug','protocol','${kind}')`),
  ),
];

const LIBRARIES = [
  "return cjson.encode({1,2,{a='x'}})",
  'return cjson.encode({})',
  'return cjson.encode({a=cjson.null, b=true, c=1.5})',
  "return cjson.encode('a\\0\"\\\\/\\n\\255')",
  'return cjson.encode({[1]=1,[2]=2,[10]=3})',
  'return cjson.encode(1/0)',
  'return cjson.encode({x=function() end})',
  'return cjson.encode(cjson.decode(\'[1,2.5,"x",{"a":[]},null,true,1e5]\'))',
  'return cjson.decode(\'[1,[2,3],"\\\\u00e9"]\')',
  'return cjson.decode(\'{"a":1\')',
  "return tostring(cjson.decode('[null]')[1] == cjson.null)",
  "return cjson.decode('123456789012345678')",
  'local t = {} for i = 1, 2000 do t = {t} end return cjson.encode(t)',
  "return cjson.decode(string.rep('[', 2000) .. string.rep(']', 2000))",
  "return cmsgpack.pack(1, 'a', {1,2}, {x=1}, 1.5, true, false, -1, 300, 70000, 2^40, -2^40)",
  'return cmsgpack.pack(ARGV[1])',
  "return {cmsgpack.unpack(cmsgpack.pack(1, 'x', {1,{2}}, -200, 2^33))}",
  "return cmsgpack.unpack('\\193')",
  "return cmsgpack.unpack('\\146\\1')",
  'return {cmsgpack.unpack_one(cmsgpack.pack(7, 8))}',
  'return {cmsgpack.unpack_limit(cmsgpack.pack(7, 8, 9), 2)}',
  'return cmsgpack.pack()',
  "return struct.pack('>I4<i2bBhHlLs', 1, -2, -3, 250, -4, 5, -6, 7, 'abc')",
  "return struct.pack('>lL<lLTi8I8>i8', -1, 2^53, -2^40 - 7, 2^33, 12, -1, 2^63, 2^40 + 1)",
  "return struct.pack('>L', 1.9) .. struct.pack('l', -1.9)",
  "local v = {struct.unpack('>lL<lLT', struct.pack('>lL<lLT', -1, 2^53, -2^40 - 7, 2^33, 12))} for i = 1, #v do v[i] = string.format('%.0f', v[i]) end return v",
  "return {struct.unpack('<i8>I8b', struct.pack('<i8>I8b', -5, 6, 7))}",
  "return {struct.unpack('>Lc0s', struct.pack('>Lc0s', 3, 'abc', 'z'))}",
  "return {struct.size('l'), struct.size('bL'), struct.size('T'), struct.size('i8I4')}",
  "local x = struct.pack('L', 'x') return x",
  "local x = struct.pack('L') return x",
  "local x = struct.unpack('L', 'abc') return x",
  "return struct.pack('c4c0', 'abcd', 'xyz')",
  "return {struct.unpack('>I2<I2s', struct.pack('>I2<I2s', 258, 772, 'hello'))}",
  "return struct.pack('df', 1.5, -2.25)",
  "return {tostring(struct.unpack('d', struct.pack('d', 0.1)))}",
  "return struct.size('i4!8d')",
  "local x = struct.size('s') return x",
  "local x = struct.unpack('I4', 'ab') return x",
  "local x = struct.pack('z', 1) return x",
  "local x = struct.pack('i99', 1) return x",
  'return {bit.band(0xff, 0x0f), bit.bor(1, 2), bit.bxor(5, 1), bit.bnot(0), bit.lshift(1, 31), bit.rshift(-1, 28)}',
  'return {bit.arshift(-256, 4), bit.rol(0x12345678, 12), bit.ror(0x12345678, 12), bit.bswap(0x12345678), bit.tobit(2^32 + 5)}',
  'return {bit.tohex(255), bit.tohex(-1, 4), bit.tohex(255, -4)}',
  "return bit.band('x')",
  "return {string.format('%5.2f|%d|%s|%q', 1.005, 42, 'x', 'a\\nb'), ('abc'):upper(), ('x'):rep(3)}",
  'return {math.floor(3.7), math.max(1, 5), math.fmod(7, 3), tostring(math.pi), math.abs(-2)}',
  'math.randomseed(7) local a = math.random(1000) math.randomseed(7) return a == math.random(1000)',
  'local t = {3,1,2} table.sort(t) return t',
  "local t = {} for w in ('a b c'):gmatch('%a') do t[#t+1] = w end return table.concat(t, ',')",
  'return #string.rep("x", 100000)',
  "local a = {} for i, n in ipairs({4096, 4097, 99999, 131071, 131072}) do a[i] = redis.sha1hex(('abc'):rep(n)) end return a",
  "return {('ab'):rep(0), ('ab'):rep(-1), ('ab'):rep('2'), string.rep(12, 3), #string.rep('', 1e6), #string.rep('x', 5000.5)}",
  'local x = string.rep() return x',
  'local x = string.rep({}, 1) return x',
  "local x = string.rep('x', 'y') return x",
  "local x = string.rep('x') return x",
  "return {select('#', unpack({1,2,3})), select(2, 'a', 'b')}",
  'local c = coroutine.wrap(function(...) for i = 1, 3 do coroutine.yield(i) end end) return {c(), c(), c()}',
  "return {pcall(error, 'x')} and tostring(select(2, pcall(error, 'x')))",
  'local function f() return f() + 1 end return f()',
];

describeWith(['redis-server'], 'scripts answer as in stock Redis', () => {
  const servers = new ServerGroup();
  const clients: [RespClient, RespClient][] = [];
  const start = (command: ServerCommand) =>
    servers.start({
      command,
      options: { 'enable-debug-command': 'yes' },
      ...(command === SKEIN ? { skeinOptions: { workers: 2, shards: 2 } } : {}),
    });

  beforeAll(async () => {
    const pair = [await start(SKEIN), await start(STOCK)];
    for (const resp of [2, 3] as const) clients[resp] = [await pair[0].connect(resp), await pair[1].connect(resp)];
    // scripts may ask for samples of each kind of reply
    for (const client of clients[2]) await client.must('DEBUG', 'SET-DISABLE-DENY-SCRIPTS', 1);
  }, 60_000);
  afterAll(() => servers.removeAll());

  async function both(resp: 2 | 3, ...command: Argument[]): Promise<void> {
    const [mine, theirs] = await Promise.all(clients[resp].map((client) => client.callRaw(command as Command)));
    expect(mine.toString('latin1'), `RESP${resp} ${command.join(' ')}`).toBe(theirs.toString('latin1'));
  }

  async function asked(script: string): Promise<void> {
    for (const resp of [2, 3] as const) {
      for (const client of clients[resp]) await client.must('FLUSHALL');
      await both(resp, 'EVAL', script, 0, ALL_BYTES);
    }
  }

  test.each(CONVERSIONS)('%s', asked);
  test.each(API)('%s', asked);
  test.each(CALLS)('%s', asked);
  test.each(LIBRARIES)('%s', asked);

  test.each([
    'eval "return 1" 0',
    'subscribe x',
    'multi',
    'script flush',
    'monitor',
    'debug digest',
    'auth x',
    'watch k',
  ])('%s is not for scripts', async (command) => {
    for (const client of clients[2]) await client.must('DEBUG', 'SET-DISABLE-DENY-SCRIPTS', 0);
    await both(2, 'EVAL', 'return redis.call(unpack(ARGV))', 0, ...command.split(' '));
    await both(2, 'EVAL', 'return redis.pcall(unpack(ARGV))', 0, ...command.split(' '));
  });

  test('keys, arguments and replies are bytes', async () => {
    const longKey = Buffer.concat([ALL_BYTES, ALL_BYTES]);
    for (const resp of [2, 3] as const) {
      await both(resp, 'EVAL', 'return {KEYS, ARGV}', 2, ALL_BYTES, longKey, ALL_BYTES, '', Buffer.alloc(100_000, 7));
      await both(
        resp,
        'EVAL',
        "redis.call('set',KEYS[1],ARGV[1]) return redis.call('get',KEYS[1])",
        1,
        longKey,
        ALL_BYTES,
      );
      await both(resp, 'GET', longKey);
      await both(
        resp,
        'EVAL',
        Buffer.concat([Buffer.from("return '"), Buffer.from([200, 201, 255, 1]), Buffer.from("'")]),
        0,
      );
    }
  });

  test.each([
    [['EVAL', 'return 1']],
    [['EVAL', 'return 1', 'x']],
    [['EVAL', 'return 1', -1]],
    [['EVAL', 'return 1', 2, 'a']],
    [['EVAL', 'return 1', '9223372036854775807']],
    [['EVALSHA', 'nonesuch', 0]],
    [['EVALSHA', '0000000000000000000000000000000000000000', 0]],
    [['EVALSHA_RO', '0000000000000000000000000000000000000000', 0]],
    [['EVAL_RO', "return redis.call('set','a','b')", 0]],
    [['EVAL_RO', "return redis.call('get','a')", 0]],
    [['EVAL_RO', "return redis.call('publish','a','b')", 0]],
    [['SCRIPT', 'LOAD', 'return 7']],
    [['EVALSHA', 'A42059B356C875F0717DB19A51F6AAA9161E77A2', 0]],
    [['SCRIPT', 'LOAD', 'return (']],
    [['SCRIPT', 'EXISTS', '96B05D8DD6A3D6D5F2D36F8BEE1E4F0CE4CD9D62', 'x']],
    [['SCRIPT', 'EXISTS']],
    [['SCRIPT', 'FLUSH', 'NOW']],
    [['SCRIPT', 'FLUSH', 'ASYNC']],
    [['SCRIPT', 'KILL']],
    [['SCRIPT', 'NONESUCH']],
    [['SCRIPT', 'DEBUG', 'x']],
    [['FCALL', 'nonesuch', 0]],
    [['FCALL', 'nonesuch', 'x']],
    [['FCALL', 'nonesuch', -1]],
    [['FCALL', 'nonesuch', 3, 'x']],
    [['FUNCTION', 'LOAD', 'x']],
    [['FUNCTION', 'LOAD', '#!lua name=a-b\nredis.register_function("x", function() end)']],
    [['FUNCTION', 'LOAD', '#!lua\nredis.register_function("x", function() end)']],
    [['FUNCTION', 'LOAD', '#!lua name=lib\nreturn 1']],
    [['FUNCTION', 'LOAD', '#!lua name=lib\nreturn (']],
    [['FUNCTION', 'LOAD', '#!lua name=lib\nredis.register_function("x")']],
    [['FUNCTION', 'LOAD', '#!lua name=lib\nredis.register_function("a-b", function() end)']],
    [['FUNCTION', 'LOAD', '#!lua name=lib\nredis.register_function{function_name="x", callback=1}']],
    [
      [
        'FUNCTION',
        'LOAD',
        '#!lua name=lib\nredis.register_function{function_name="x", callback=function() end, flags={"bad"}}',
      ],
    ],
    [['FUNCTION', 'LOAD', '#!lua name=lib\nredis.call("ping")']],
    [['FUNCTION', 'LOAD', LIBRARY()]],
    [['FUNCTION', 'LOAD', LIBRARY()]],
    [['FUNCTION', 'LOAD', 'REPLACE', LIBRARY()]],
    [['FUNCTION', 'LOAD', 'NONESUCH', LIBRARY()]],
    [['FUNCTION', 'LOAD', '#!lua name=other\nredis.register_function("echo", function() end)']],
    [['FCALL', 'echo', 1, ALL_BYTES, 'x', ALL_BYTES]],
    [['FCALL', 'ECHO', 0]],
    [['FCALL_RO', 'echo', 0]],
    [['FCALL_RO', 'reads', 0]],
    [['FCALL', 'writes_in_reads', 1, 'k']],
    [['FCALL', 'fails', 0]],
    [['FCALL', 'counts', 0]],
    [['FCALL', 'counts', 0]],
    [['FUNCTION', 'LIST', 'WITHCODE', 'LIBRARYNAME', 'li*']],
    [['FUNCTION', 'LIST', 'LIBRARYNAME', 'x*']],
    [['FUNCTION', 'LIST', 'LIBRARYNAME']],
    [['FUNCTION', 'LIST', 'NONESUCH']],
    [['FUNCTION', 'STATS']],
    [['FUNCTION', 'KILL']],
    [['FUNCTION', 'DUMP']],
    [['FUNCTION', 'RESTORE', 'x']],
    [['FUNCTION', 'DELETE', 'nonesuch']],
    [['FUNCTION', 'DELETE', 'lib']],
    [['FUNCTION', 'DELETE', 'lib']],
    [['FUNCTION', 'FLUSH', 'x']],
    [['FUNCTION', 'FLUSH', 'SYNC']],
    [['FUNCTION', 'LIST']],
  ] as [Command][])('%j', async ([...command]) => both(2, ...command));
});

/** One function a library, so that the order of FUNCTION LIST is the same. */
function LIBRARY(): string {
  return `#!lua name=lib
local calls = 0
redis.register_function{function_name='echo', callback=function(keys, args) return {keys, args} end, description='says it again'}
`;
}
