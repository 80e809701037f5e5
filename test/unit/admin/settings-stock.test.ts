/** The table and CONFIG GET/SET against a stock redis-server 7.0, which is the oracle for names, defaults, forms and errors. */
import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { configGet, configSet } from '../../../src/admin/settings-config.ts';
import { OWN_SETTINGS } from '../../../src/admin/settings-own.ts';
import { loadSettings, SettingsError } from '../../../src/admin/settings-parser.ts';
import { SettingsStore } from '../../../src/admin/settings-store.ts';
import { SETTINGS, settingByName, settingNames } from '../../../src/admin/settings-table.ts';
import { globMatch } from '../../../src/keyspace/glob.ts';
import { describeWith } from '../../server/describe-with.ts';
import { ReplyError } from '../../server/reply-reader.ts';
import type { RespClient } from '../../server/resp-client.ts';
import { STOCK } from '../../server/server-command.ts';
import { ServerGroup, ServerProcess } from '../../server/server-process.ts';

const DEBIAN_CONF = '/etc/redis/redis.conf';

/** Names of 7.2 that the stock 7.0 does not know, and Skein's own. */
const NEWER = [
  'set-max-listpack-entries',
  'set-max-listpack-value',
  'locale-collate',
  'cluster-announce-human-nodename',
];
const OWN: string[] = OWN_SETTINGS.map((row) => row.name);
/** Aliases of 7.2 under which 7.0 has the setting itself. */
const RENAMED = ['server-cpulist', 'bio-cpulist', 'aof-rewrite-cpulist', 'bgsave-cpulist'];

/** Not set on the oracle: they would move it, cut our connection, or depend on how it was built and what it may do. */
const UNTOUCHED =
  /^(bind|port|dir|tls-.*|maxclients|requirepass|appendonly|activedefrag|oom-score-adj.*|loglevel|.*-delay|watchdog-period|proc-title-template|timeout|bind-source-addr)$/;

const VALUES = [
  ...[
    '',
    ' ',
    '0',
    '1',
    '-1',
    '-2',
    '5',
    '99',
    '100',
    '101',
    '255',
    '256',
    '1000',
    '1001',
    '65535',
    '65536',
    '07',
    '1.5',
  ],
  ...['2147483647', '2147483648', '-2147483648', '-2147483649', '4294967295', '4294967296'],
  ...[
    '9223372036854775807',
    '9223372036854775808',
    '-9223372036854775808',
    '18446744073709551615',
    '18446744073709551616',
  ],
  ...['1kb', '1K', '2mb', '3gB', '7g', '1tb', '10%', '-5%', '101%', '%', '+1', ' 1', '1 ', 'gb', '99999999999gb'],
  ...[
    'yes',
    'no',
    'YES',
    'nO',
    'maybe',
    'always',
    'EVERYSEC',
    'noeviction',
    'AllKeys-LRU',
    'local',
    'clients',
    'optional',
  ],
  ...[
    'save',
    'save now',
    'save nosave',
    'default',
    'default force',
    'save  now',
    'swapdb',
    'ip',
    'hostname',
    'ignore',
    'panic',
  ],
  ...[
    'KEA',
    'AKE',
    'An',
    'g$lshzxe',
    'tdnm',
    'xg$',
    'Q',
    '60 1',
    '60 1 300 10',
    '1 2 3',
    '0 5',
    '1 -1',
    '1 x',
    '60  1',
  ],
  ...['50 99', '50 99.999', '0', '100.1', '-1 5', 'nan', '1e1', '1e-7', '.5', '5.'],
  ...['normal 0 0 0', 'slave 1mb 1k 1 pubsub 0 0 0', 'replica 5 5 5', 'slave 1mb x 1', 'master 1 1 1', 'slave 1 1 -1'],
  ...[
    'slave 1 1',
    'pubsub 1gb 2 9999999999',
    'slave 1 1 4294967295',
    'PubSub 1 1 1',
    'a/b',
    'a\\b',
    'host.name-1',
    'host_name',
    'x'.repeat(300),
  ],
];

describeWith([STOCK.program], 'settings against stock', () => {
  const servers = new ServerGroup();
  let client: RespClient;

  beforeAll(async () => {
    const options = { 'enable-protected-configs': 'yes' };
    client = await (await servers.start({ command: STOCK, options })).connect();
  });
  afterAll(() => servers.removeAll());

  const stockGet = async (...patterns: string[]): Promise<Map<string, string>> => {
    const texts = (await client.must('CONFIG', 'GET', ...patterns)) as string[];
    return new Map(Array.from({ length: texts.length / 2 }, (_, i) => [texts[2 * i], texts[2 * i + 1]]));
  };
  const skeinSet = (store: SettingsStore, pairs: [string, string][]): string | null =>
    configSet(store, pairs, { localClient: true, loading: false, directory: (_base, path) => path, apply: () => null });
  const stockSet = async (pairs: [string, string][]): Promise<string | null> => {
    const reply = await client.call('CONFIG', 'SET', ...pairs.flat());
    return reply instanceof ReplyError ? reply.message : null;
  };

  test('every name of CONFIG GET * is in the table, with the same default', async () => {
    const fresh = await servers.start({ command: STOCK });
    const probe = await fresh.connect();
    const flat = (await probe.must('CONFIG', 'GET', '*')) as string[];
    const started = ['port', 'save', 'dir', 'unixsocket', 'bind', 'pidfile', 'logfile', 'daemonize'];
    const missing: string[] = [];
    for (let i = 0; i < flat.length; i += 2) {
      const name = flat[i];
      const row = settingByName(name);
      if (row === undefined) missing.push(name);
      else if (!started.includes(name)) expect([name, row.codec.format(row.fallback)]).toEqual([name, flat[i + 1]]);
    }
    expect(missing).toEqual([]);
    const known = new Set(flat.filter((_, i) => i % 2 === 0));
    const more = settingNames().filter((name) => !known.has(name) && !settingByName(name)?.hidden);
    expect(more.sort()).toEqual([...NEWER, ...OWN, ...RENAMED].sort());
  });

  test('which settings are hidden, and which cannot be set at run time', async () => {
    for (const row of SETTINGS) {
      if ([...NEWER, ...OWN].includes(row.name) || ['close-on-replica-write', 'enable-debug-assert'].includes(row.name))
        continue;
      const name = RENAMED.includes(row.name) ? row.alias! : row.name;
      expect([name, (await stockGet(name)).size, (await stockGet(`${name}*`)).has(name)]).toEqual([
        name,
        1,
        !row.hidden,
      ]);
      if (!row.atStart && UNTOUCHED.test(name)) continue;
      const value = (await stockGet(name)).get(name)!;
      const immutable = `ERR CONFIG SET failed (possibly related to argument '${name}') - can't set immutable config`;
      expect([name, (await stockSet([[name, value]])) === immutable]).toEqual([name, row.atStart]);
    }
  });

  test('CONFIG SET of any value: same answer, same value afterwards', async () => {
    const store = new SettingsStore(SettingsStore.create({ 'enable-protected-configs': 'yes', save: '' }));
    const rows = SETTINGS.filter(
      (row) => ![...NEWER, ...OWN].includes(row.name) && !row.hidden && !UNTOUCHED.test(row.name),
    );
    const settable = rows
      .filter((row) => !row.atStart)
      .flatMap((row) => (row.alias ? [row.name, row.alias] : [row.name]));
    const different: unknown[] = [];
    for (const name of settable) {
      for (const value of VALUES) {
        // Limits this small would disconnect the client that asks
        if (name === 'maxmemory-clients' && /^\d+$|^(10|99)%$|b$/i.test(value)) continue;
        // Beyond 2^53 numbers are doubles; only the limit of the setting itself is shown exactly
        if (/^(maxmemory|cluster-link-sendbuf-limit)$/.test(name) && value === '9223372036854775807') continue;
        const [stock, skein] = [await stockSet([[name, value]]), skeinSet(store, [[name, value]])];
        const [theirs, mine] = [[...(await stockGet(name))], configGet(store, [name], globMatch)];
        if (stock !== skein || JSON.stringify(theirs) !== JSON.stringify(mine)) {
          different.push(JSON.stringify({ name, value, stock, skein, theirs, mine }));
          break;
        }
      }
    }
    expect(different).toEqual([]);
  });

  test('CONFIG SET of several: the same problem is named', async () => {
    const names = [
      'hz',
      'HZ',
      'maxmemory',
      'databases',
      'nonsense',
      'lfu-log-factor',
      'hash-max-ziplist-value',
      'hash-max-listpack-value',
      'rdbchecksum',
      'No Such\r\nName',
    ];
    const pair = fc.tuple(fc.constantFrom(...names), fc.constantFrom('1', '20', 'x', '-1', '')) as fc.Arbitrary<
      [string, string]
    >;
    await fc.assert(
      fc.asyncProperty(fc.array(pair, { minLength: 1, maxLength: 4 }), async (pairs) => {
        const now = await stockGet('hz', 'maxmemory', 'lfu-log-factor', 'hash-max-listpack-value');
        const store = new SettingsStore(SettingsStore.create(now));
        expect(skeinSet(store, pairs)).toEqual(await stockSet(pairs));
        const [mine, theirs] = [configGet(store, [...now.keys()], globMatch), await stockGet(...now.keys())];
        expect(new Map(mine)).toEqual(theirs);
      }),
      { numRuns: 150 },
    );
  });

  test('CONFIG GET patterns match the same names', async () => {
    const store = new SettingsStore(SettingsStore.create(new Map()));
    const ours = new Set([...NEWER, ...OWN, ...RENAMED]);
    for (const pattern of [
      '*',
      'a*',
      '*-max-*',
      '[a-c]*l?',
      'PORT',
      '[^a-z]*',
      'hz',
      '*x*y*',
      '\\hz',
      '[h]z',
      'maxm*y',
      '',
      'key-load*',
      's[l-m]*\\-*',
    ]) {
      const mine = configGet(store, [pattern], globMatch).map(([name]) => name);
      const stock = [...(await stockGet(pattern)).keys()];
      expect([pattern, mine.filter((name) => !ours.has(name)).sort()]).toEqual([pattern, stock.sort()]);
    }
  });

  test.each([
    'port abc',
    'port',
    '\n\n# c\n  Nonsense   1',
    'port 1 2',
    'requirepass "a',
    'save 1',
    'save a b',
    'maxmemory 1x',
    'unixsocketperm 999',
    'loglevel',
    'appendfsync often',
    'client-output-buffer-limit normal 1 1',
    'notify-keyspace-events z!',
    'replicaof host',
    'replicaof host 70000',
    'dir /no/such/place',
    'appendfilename a/b',
    'appenddirname ""',
    'oom-score-adj-values 1 2',
    'latency-tracking-info-percentiles x',
    'rename-command a',
    'hz yes\nport x',
    'sentinel monitor x 1 2 3',
  ])('a file with %j is refused in the same words', async (config) => {
    const server = servers.add(await ServerProcess.spawn({ command: STOCK, config }));
    expect((await server.exit()).code).toBe(1);
    const lines = server.log().split('\n');
    const report = lines.slice(
      lines.findIndex((line) => line.startsWith('Reading the configuration')),
      -1,
    );
    expect(report.length).toBe(3);
    expect(refusal(config).split('\n').slice(2, 5)).toEqual(report);
  });

  test("Debian's own file parses, to the values that stock makes of it", async ({ skip }) => {
    if (!existsSync(DEBIAN_CONF)) skip(`no ${DEBIAN_CONF}`);
    const config = readFileSync(DEBIAN_CONF, 'latin1').replace(
      /^(logfile|pidfile|dir|daemonize|bind|port) .*$/gm,
      '# $&',
    );
    const probe = await (await servers.start({ command: STOCK, config })).connect();
    const { values } = load(config);
    const flat = (await probe.must('CONFIG', 'GET', '*')) as string[];
    for (let i = 0; i < flat.length; i += 2) {
      const name = flat[i];
      const row = settingByName(name)!;
      // Given to the oracle on its command line
      if (['port', 'save', 'dir', 'bind', 'appendonly'].includes(name)) continue;
      expect([name, row.codec.format(values.get(row.name)!)]).toEqual([name, flat[i + 1]]);
    }
    expect(load(readFileSync(DEBIAN_CONF, 'latin1')).values.get('daemonize')).toBe(1);
  });
});

function load(text: string) {
  return loadSettings(['/s.conf'], {
    readFile: () => Buffer.from(text, 'latin1'),
    readStdin: () => Buffer.alloc(0),
    listFiles: () => [],
    directory: (path) => (existsSync(path) || path === '/var/lib/redis' ? path : null),
    cwd: '/work',
  });
}

function refusal(text: string): string {
  try {
    load(text);
  } catch (error) {
    if (error instanceof SettingsError) return error.message;
    throw error;
  }
  return 'accepted';
}
