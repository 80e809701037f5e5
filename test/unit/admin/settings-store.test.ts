import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { EVENT_BITS } from '../../../src/admin/settings-codec-lists.ts';
import { type ConfigSetContext, configGet, configSet } from '../../../src/admin/settings-config.ts';
import { SettingsStore } from '../../../src/admin/settings-store.ts';
import { INDEX, SETTINGS } from '../../../src/admin/settings-table.ts';
import { globMatch } from '../../../src/keyspace/glob.ts';

function fresh(initial: Record<string, string> = {}): SettingsStore {
  return new SettingsStore(SettingsStore.create(new Map(Object.entries(initial))));
}

function context(parts: Partial<ConfigSetContext> = {}): ConfigSetContext {
  return { localClient: true, loading: false, directory: (_base, path) => path, apply: () => null, ...parts };
}

function get(store: SettingsStore, name: string): string {
  return configGet(store, [name], globMatch)[0][1];
}

describe('SettingsStore', () => {
  test('a new store has the defaults, and what it was given', () => {
    const store = fresh({ maxmemory: '1gb', slaveof: 'h 1', appendfsync: 'always' });
    for (const row of SETTINGS) {
      if (['maxmemory', 'replicaof', 'appendfsync'].includes(row.name)) continue;
      expect([row.name, store.value(row.name)]).toEqual([row.name, row.fallback]);
    }
    expect(store.values[INDEX.maxmemory]).toBe(2 ** 30);
    expect([
      store.text('replicaof'),
      store.text('appendfsync'),
      store.number('appendfsync'),
      store.flag('rdbchecksum'),
    ]).toEqual(['h 1', 'always', 1, true]);
    expect(() => fresh({ nonsense: '1' })).toThrow('there is no setting nonsense');
    expect(() => fresh({ port: 'x' })).toThrow('port: argument');
  });

  test('texts that are read as numbers have them in their places', () => {
    const store = fresh();
    expect(configSet(store, [['client-output-buffer-limit', 'replica 1mb 2kb 3 normal 5 6 7']], context())).toBe(null);
    const at = INDEX['client-output-buffer-limit'];
    expect([...store.values.slice(at, at + 9)]).toEqual([5, 6, 7, 2 ** 20, 2048, 3, 33554432, 8388608, 60]);
    expect(configSet(store, [['notify-keyspace-events', 'KEA']], context())).toBe(null);
    expect(store.number('notify-keyspace-events')).toBe(1023 | EVENT_BITS.K | EVENT_BITS.E);
    expect(configSet(store, [['oom-score-adj-values', '-5 6 7']], context())).toBe(null);
    const scores = INDEX['oom-score-adj-values'];
    expect([...store.values.slice(scores, scores + 3)]).toEqual([-5, 6, 7]);
  });

  test('another attachment sees a change and the epoch moves by it', () => {
    const memory = SettingsStore.create(new Map(), '/etc/s.conf');
    const one = new SettingsStore(memory);
    const two = new SettingsStore(memory);
    const epoch = two.epoch;
    expect(two.text('requirepass')).toBe('');
    expect(
      configSet(
        one,
        [
          ['requirepass', 'secr\xffet'],
          ['timeout', '7'],
        ],
        context(),
      ),
    ).toBe(null);
    expect([two.text('requirepass'), two.number('timeout'), two.epoch, two.configFile]).toEqual([
      'secr\xffet',
      7,
      epoch + 2,
      '/etc/s.conf',
    ]);
    expect(two.path('dir')).toBe('.');
  });

  test('texts beyond the shared room are refused and change nothing', () => {
    const store = fresh({ requirepass: 'old' });
    const error = configSet(
      store,
      [
        ['timeout', '3'],
        ['requirepass', 'x'.repeat(2 ** 20)],
      ],
      context(),
    );
    expect(error).toContain('too long');
    expect([store.text('requirepass'), store.number('timeout')]).toEqual(['old', 0]);
  });

  test('threads that set at the same time never show a mixture', async () => {
    const memory = SettingsStore.create(new Map());
    const source = `
      const { parentPort, workerData } = require('node:worker_threads');
      Promise.all([import(workerData.store), import(workerData.config)]).then(([{ SettingsStore }, { configSet }]) => {
        const store = new SettingsStore(workerData.memory);
        const context = { localClient: true, loading: false, directory: (b, p) => p, apply: () => null };
        for (let i = 0; i < 500; i++) {
          const word = String.fromCharCode(97 + (i % 26)).repeat(1 + ((i * 7 + workerData.thread) % 50));
          configSet(store, [['requirepass', word], ['masterauth', word], ['masteruser', word]], context);
        }
        parentPort.postMessage('done');
      });`;
    const workerData = {
      memory,
      store: new URL('../../../src/admin/settings-store.ts', import.meta.url).href,
      config: new URL('../../../src/admin/settings-config.ts', import.meta.url).href,
    };
    let running = 2;
    const workers = [1, 2].map((thread) => {
      const worker = new Worker(source, { eval: true, workerData: { ...workerData, thread } });
      worker.on('message', () => running--);
      worker.on('error', (error) => {
        throw error;
      });
      return worker;
    });
    const store = new SettingsStore(memory);
    let seen = 0;
    while (running > 0) {
      for (let i = 0; i < 200; i++) {
        const all = store.all();
        expect(all.masterauth).toBe(all.requirepass);
        expect(all.masteruser).toBe(all.requirepass);
        const password = store.text('requirepass');
        expect(password).toBe((password[0] ?? '').repeat(password.length));
        seen++;
      }
      await new Promise((done) => setImmediate(done));
    }
    expect(store.epoch % 2).toBe(0);
    expect(seen).toBeGreaterThan(0);
    await Promise.all(workers.map((worker) => worker.terminate()));
  });
});

describe('CONFIG SET and GET', () => {
  test('all pairs or none', () => {
    const store = fresh();
    const error = configSet(
      store,
      [
        ['timeout', '5'],
        ['hz', '20'],
        ['maxclients', '0'],
      ],
      context(),
    );
    expect(error).toBe(
      "ERR CONFIG SET failed (possibly related to argument 'maxclients') - argument must be between 1 and 4294967295 inclusive",
    );
    expect([get(store, 'timeout'), get(store, 'hz'), store.epoch]).toEqual(['0', '10', store.epoch]);
  });

  test('a change that cannot be carried out is taken back and named', () => {
    const store = fresh();
    const applied: string[] = [];
    const apply = (names: readonly string[]): string | null => {
      applied.push(`${names[0]}=${get(store, names[0])}`);
      return names[0] === 'port' && store.number('port') === 1 ? 'Unable to listen on this port.' : null;
    };
    const error = configSet(
      store,
      [
        ['timeout', '5'],
        ['hz', '10'],
        ['PORT', '1'],
      ],
      context({ apply }),
    );
    expect(error).toBe("ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this port.");
    expect([get(store, 'timeout'), get(store, 'port')]).toEqual(['0', '6379']);
    // hz had that value already: nothing to carry out
    expect(applied).toEqual(['timeout=5', 'port=1', 'timeout=0', 'port=6379']);
  });

  test('protected, immutable and loading', () => {
    const set = (allowed: string, localClient: boolean): string | null =>
      configSet(fresh({ 'enable-protected-configs': allowed }), [['dbfilename', 'x']], context({ localClient }));
    const refused = "ERR CONFIG SET failed (possibly related to argument 'dbfilename') - can't set protected config";
    expect([set('no', true), set('local', false), set('local', true), set('yes', false)]).toEqual([
      refused,
      refused,
      null,
      null,
    ]);
    expect(configSet(fresh(), [['appendonly', 'yes']], context({ loading: true }))).toBe(
      'LOADING Redis is loading the dataset in memory',
    );
    expect(configSet(fresh(), [['Workers', '2']], context())).toBe(
      "ERR CONFIG SET failed (possibly related to argument 'Workers') - can't set immutable config",
    );
  });

  test("Skein's own settings", () => {
    const store = fresh();
    const set = (value: string): string | null => configSet(store, [['shard-appendfsync', value]], context());
    expect(set('3 Always 0 no')).toBe(null);
    expect(get(store, 'shard-appendfsync')).toBe('0 no 3 always');
    expect(set('1 sometimes')).toContain('argument(s) must be one of the following: everysec, always, no');
    expect(set('x no')).toContain("a shard's number");
    expect(set('')).toBe(null);
    expect(get(store, 'shard-appendfsync')).toBe('');
    expect(configSet(store, [['cross-shard', 'RING']], context())).toBe(null);
    expect(store.text('cross-shard')).toBe('ring');
  });

  test('names, patterns, aliases, hidden names', () => {
    const names = (...patterns: string[]): string[] => configGet(fresh(), patterns, globMatch).map(([name]) => name);
    expect(names('PORT', 'port', 'nonsense')).toEqual(['PORT']);
    expect(names('*slave-PRI*', 'replica-priority')).toEqual(['slave-priority', 'replica-priority']);
    expect(names('key-load*')).toEqual([]);
    expect(names('key-load-delay')).toEqual(['key-load-delay']);
    expect(names('*').length).toBeGreaterThan(200);
  });
});
