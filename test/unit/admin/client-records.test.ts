import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CLIENT_FLAG, ClientRecords, createClientRecords } from '../../../src/admin/client-records.ts';

function opening(id: number, nowMs = 1000) {
  return { id, addr: `10.0.0.1:${id}`, laddr: '10.0.0.2:6379', fd: 7, nowMs };
}

describe('client records', () => {
  it('shows a connection of one worker to every other one', () => {
    const memory = createClientRecords(2, 4);
    const own = new ClientRecords(memory, 1);
    const other = new ClientRecords(memory, 0);
    const record = own.open({ ...opening(42), isUnixSocket: true });
    own.describe(record, { name: 'zoe', libName: 'lib', libVersion: '1.2' });
    own.touch(record, 5000, 17, 3);
    const sizes = { queryBytes: 10, queryFreeBytes: 6, argumentBytes: 5, outputBytes: 20, totalBytes: 300 };
    own.buffers(record, sizes);
    own.setResp(record, 3);
    own.setFlag(record, CLIENT_FLAG.noEvict, true);
    expect(other.list()).toEqual([
      {
        record,
        id: 42,
        addr: '10.0.0.1:42',
        laddr: '10.0.0.2:6379',
        name: 'zoe',
        libName: 'lib',
        libVersion: '1.2',
        user: 'default',
        fd: 7,
        createdMs: 1000,
        lastMs: 5000,
        flags: CLIENT_FLAG.unixSocket | CLIENT_FLAG.noEvict,
        db: 3,
        resp: 3,
        commandRow: 17,
        channels: 0,
        patterns: 0,
        shardChannels: 0,
        redirect: -1,
        queued: -1,
        queuedBytes: 0,
        watched: 0,
        watchBroken: false,
        ...sizes,
      },
    ]);
    expect(other.workerOf(record)).toBe(1);
    own.setFlag(record, CLIENT_FLAG.noEvict, false);
    expect(other.read(record)?.flags).toBe(CLIENT_FLAG.unixSocket);
    own.close(record);
    expect(other.list()).toEqual([]);
    expect(other.read(record)).toBeNull();
    expect(() => own.close(record)).toThrow('not open');
  });

  it('refuses a connection when the table of its worker is full', () => {
    const memory = createClientRecords(2, 2);
    const first = new ClientRecords(memory, 0);
    const second = new ClientRecords(memory, 1);
    expect(first.open(opening(1))).toBe(0);
    expect(first.open(opening(2))).toBe(1);
    expect(first.open(opening(3))).toBe(-1);
    expect(second.open(opening(4))).toBe(2);
    expect([first.count(), first.countOf(0), first.countOf(1)]).toEqual([3, 2, 1]);
    first.close(0);
    expect(first.open(opening(5))).toBe(0);
  });

  it('a kill meets the connection it was meant for and not the next one in its record', () => {
    const records = new ClientRecords(createClientRecords(1, 1), 0);
    const record = records.open(opening(2 ** 32 + 5));
    expect(records.killWanted(record)).toBe(false);
    records.kill(record, 2 ** 32 + 5);
    expect(records.killWanted(record)).toBe(true);
    records.close(record);
    records.open(opening(2 ** 32 + 6));
    expect(records.killWanted(record)).toBe(false);
    records.kill(record, 2 ** 32 + 5);
    expect(records.killWanted(record)).toBe(false);
  });

  it('an owner looks for kills only where somebody wants one', () => {
    const memory = createClientRecords(2, 2);
    const [one, other] = [new ClientRecords(memory, 0), new ClientRecords(memory, 1)];
    const record = other.open(opening(7));
    expect(other.takeKillWanted()).toBe(false);
    one.kill(record, 7);
    expect(one.takeKillWanted()).toBe(false);
    expect(other.takeKillWanted()).toBe(true);
    expect(other.killWanted(record)).toBe(true);
    expect(other.takeKillWanted()).toBe(false);
  });

  it('numbers clients beyond 32 bits, over all workers, and can close each of them', () => {
    const memory = createClientRecords(2, 2);
    const [one, other] = [new ClientRecords(memory, 0), new ClientRecords(memory, 1)];
    expect([one.nextId(), other.nextId()]).toEqual([1, 2]);
    new BigInt64Array(memory.head).set([2n ** 31n - 1n], memory.head.byteLength / 8 - 1);
    expect([one.nextId(), other.nextId()]).toEqual([2 ** 31, 2 ** 31 + 1]);
    new BigInt64Array(memory.head).set([2n ** 32n - 2n], memory.head.byteLength / 8 - 1);
    for (let i = 0; i < 3; i++) {
      const id = one.nextId();
      const record = one.open(opening(id));
      expect(one.killWanted(record)).toBe(false);
      one.kill(record, id);
      expect(one.killWanted(record)).toBe(true);
      one.close(record);
    }
  });

  it('cuts texts that are longer than their field', () => {
    const records = new ClientRecords(createClientRecords(1, 2), 0);
    const record = records.open(opening(1));
    records.describe(record, { name: 'n'.repeat(5000), libName: 'l'.repeat(5000) });
    const info = records.read(record);
    expect(info?.name).toBe('n'.repeat(256));
    expect(info?.libName).toBe('l'.repeat(128));
    expect(info?.libVersion).toBe('');
  });

  it('agrees with a plain map', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('open' as const) }),
      fc.record({ kind: fc.constant('close' as const), pick: fc.nat() }),
      fc.record({ kind: fc.constant('name' as const), pick: fc.nat(), name: fc.string({ maxLength: 20 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const records = new ClientRecords(createClientRecords(1, 8), 0);
        const model = new Map<number, { record: number; name: string }>();
        let nextId = 1;
        for (const one of steps) {
          if (one.kind === 'open') {
            const record = records.open(opening(nextId));
            expect(record >= 0).toBe(model.size < 8);
            if (record >= 0) model.set(nextId++, { record, name: '' });
            continue;
          }
          const id = [...model.keys()][one.pick % Math.max(1, model.size)];
          const entry = model.get(id);
          if (entry === undefined) continue;
          if (one.kind === 'close') {
            records.close(entry.record);
            model.delete(id);
          } else {
            entry.name = Buffer.from(one.name, 'latin1').toString('latin1');
            records.describe(entry.record, { name: one.name });
          }
        }
        const shown = records.list().map(({ id, record, name }) => ({ id, record, name }));
        expect(shown).toEqual([...model].map(([id, entry]) => ({ id, ...entry })));
        expect(records.count()).toBe(model.size);
      }),
    );
  });

  it('a reader never sees a name half written', async () => {
    const memory = createClientRecords(1, 1);
    const source = new URL('../../../src/admin/client-records.ts', import.meta.url).href;
    const stop = new Int32Array(new SharedArrayBuffer(8));
    const worker = new Worker(
      `import { workerData, parentPort } from 'node:worker_threads';
       const { ClientRecords } = await import(workerData.source);
       const records = new ClientRecords(workerData.memory, 0);
       const record = records.open({ id: 1, addr: 'a', laddr: 'b', fd: 1, nowMs: 0 });
       for (let i = 0; Atomics.load(workerData.stop, 0) === 0; i++) {
         records.describe(record, { name: 'abcdefghij'[i % 10].repeat(1 + (i % 200)), libName: String(i % 10).repeat(9) });
         Atomics.store(workerData.stop, 1, i);
       }
       parentPort.postMessage('done');`,
      { eval: true, workerData: { memory, source, stop }, execArgv: ['--input-type=module'] },
    );
    const done = new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    const records = new ClientRecords(memory, -1);
    while (records.count() === 0) await new Promise(setImmediate);
    let readings = 0;
    while (Atomics.load(stop, 1) < 20_000 || readings < 1000) {
      const info = records.read(0);
      // the writer above leaves hardly a moment between two changes, so that a reader may give up
      if (info === null) continue;
      readings++;
      expect(new Set(info.name).size).toBeLessThanOrEqual(1);
      if (info.libName !== '') expect(info.libName).toBe(info.libName[0].repeat(9));
    }
    Atomics.store(stop, 0, 1);
    await done;
    await worker.terminate();
  });
});
