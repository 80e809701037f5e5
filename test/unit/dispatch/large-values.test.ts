/**
 * Long values move outside the latch: while one worker copies, another one runs commands on the same key, and everybody sees
 * whole values in one order. "Copying" is made visible by running those commands from inside the copies.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkMemory } from '../../../native-free-shm/memory-checker.ts';
import { type RigClient, type RigWorker, WorkerRig } from './worker-rig.ts';

const LONG = 100_000;

function bulk(value: string | null): string {
  return value === null ? '$-1\r\n' : `$${value.length}\r\n${value}\r\n`;
}

/** Runs `during` once, with no latch held, when the next copy into or out of the arena is made. */
function onCopy(worker: RigWorker, which: 'in' | 'out', during: () => void): { happened: boolean } {
  const seen = { happened: false };
  const { large } = worker.executor.unit;
  const target = which === 'in' ? large : worker.reply;
  const name = which === 'in' ? 'fill' : 'insertBulks';
  const original = Reflect.get(target, name) as (...args: unknown[]) => void;
  const hook = function (this: unknown, ...args: unknown[]): void {
    if (!seen.happened) {
      seen.happened = true;
      during();
    }
    original.apply(this, args);
  };
  Object.defineProperty(target, name, { value: hook, configurable: true, writable: true });
  return seen;
}

function unhook(worker: RigWorker): void {
  Reflect.deleteProperty(worker.executor.unit.large, 'fill');
  Reflect.deleteProperty(worker.reply, 'insertBulks');
}

/** Live blocks after all keys are gone: what is left over has leaked. */
function leaked(rig: WorkerRig): number {
  const [worker] = rig.workers;
  worker.send(worker.connect(), 'FLUSHALL');
  let blocks = 0;
  rig.world.shards.forEach((shard, i) => {
    const ks = worker.access.spaces[i];
    while (ks.freeDropped(1000));
    ks.arena.freeOrphans();
    blocks += checkMemory(shard.arena).liveBlocks;
  });
  return blocks;
}

function pair(): { rig: WorkerRig; one: RigWorker; two: RigWorker; a: RigClient; b: RigClient } {
  const rig = new WorkerRig({ workers: 2 });
  const [one, two] = rig.workers;
  return { rig, one, two, a: one.connect(), b: two.connect() };
}

const OLD = 'o'.repeat(LONG);

describe('a long value that is answered', () => {
  test.each([
    ['SET', 'k', 'short'],
    ['SET', 'k', 'n'.repeat(LONG)],
    ['APPEND', 'k', 'tail'],
    ['SETRANGE', 'k', '5', 'patch'],
    ['SETBIT', 'k', '9', '1'],
    ['BITFIELD', 'k', 'SET', 'u8', '0', '1'],
    ['DEL', 'k'],
    ['EXPIRE', 'k', '100'],
    ['RENAME', 'k', 'l'],
    ['FLUSHALL'],
  ])('is what it was under the latch, whatever %s does meanwhile', (...command) => {
    const { rig, one, two, a, b } = pair();
    one.send(a, 'SET', 'k', OLD);
    const copy = onCopy(one, 'out', () => {
      expect(two.send(b, ...command)).toMatch(/^[:+*]/);
      const room = two.access.spaces[0];
      while (room.freeDropped(1000));
      room.arena.freeOrphans();
      // whoever gets freed memory writes into it
      for (let i = 0; i < 4; i++) two.send(b, 'SET', `other${i}`, 'x'.repeat(LONG));
    });
    expect(one.send(a, 'GET', 'k')).toBe(bulk(OLD));
    expect(copy.happened).toBe(true);
    unhook(one);
    expect(leaked(rig)).toBe(0);
  });

  test.each([
    ['GETRANGE', ['GETRANGE', 'k', '3', '-3'], OLD.slice(3, -2)],
    ['GETDEL', ['GETDEL', 'k'], OLD],
    ['GETEX', ['GETEX', 'k', 'EX', '5'], OLD],
    ['GETSET', ['GETSET', 'k', 'n'], OLD],
    ['SET with GET', ['SET', 'k', 'n', 'GET'], OLD],
  ])('leaves the latch as a pin: %s', (_, command, answer) => {
    const { rig, one, two, a, b } = pair();
    one.send(a, 'SET', 'k', OLD);
    const copy = onCopy(one, 'out', () => two.send(b, 'SET', 'k', 'm'.repeat(LONG)));
    expect(one.send(a, ...command)).toBe(bulk(answer));
    expect(copy.happened).toBe(true);
    unhook(one);
    expect(leaked(rig)).toBe(0);
  });

  test('stands in its place among others', () => {
    const { rig, one, two, a, b } = pair();
    const values = ['s', OLD, null, 't'.repeat(70), 'u'.repeat(LONG), 'v'.repeat(LONG + 1)];
    for (const [i, value] of values.entries()) if (value !== null) one.send(a, 'SET', `k${i}`, value);
    const copy = onCopy(one, 'out', () => two.send(b, 'FLUSHALL'));
    const got = one.send(a, 'MGET', ...values.map((_, i) => `k${i}`));
    expect(got).toBe(`*6\r\n${values.map(bulk).join('')}`);
    expect(copy.happened).toBe(true);
    unhook(one);
    expect(leaked(rig)).toBe(0);
  });

  test('a reply that finds no memory is an error, and the pin is given back', () => {
    const { rig, one, a } = pair();
    one.send(a, 'SET', 'k', OLD);
    onCopy(one, 'out', () => {
      throw new RangeError('no memory');
    });
    expect(one.send(a, 'GET', 'k')).toMatch(/^-ERR internal error in get: no memory/);
    unhook(one);
    expect(one.send(a, 'GET', 'k')).toBe(bulk(OLD));
    expect(leaked(rig)).toBe(0);
  });
});

const NEW = 'n'.repeat(LONG);

describe('a long value that is stored', () => {
  test.each([
    ['SET', ['SET', 'k', NEW]],
    ['SET with options', ['SET', 'k', NEW, 'EX', '10', 'XX']],
    ['SETEX', ['SETEX', 'k', '10', NEW]],
    ['PSETEX', ['PSETEX', 'k', '10000', NEW]],
    ['GETSET', ['GETSET', 'k', NEW]],
    ['MSET', ['MSET', 'j', 'short', 'k', NEW]],
  ])('is copied before its latch is taken: %s', (_, command) => {
    const { rig, one, two, a, b } = pair();
    one.send(a, 'SET', 'k', 'old');
    const copy = onCopy(one, 'in', () => {
      expect(two.send(b, 'GET', 'k')).toBe(bulk('old'));
      two.send(b, 'SET', 'k', 'between');
    });
    const answer = one.send(a, ...command);
    if (command[0] === 'GETSET') expect(answer).toBe(bulk('between'));
    else expect(answer).toBe('+OK\r\n');
    expect(copy.happened).toBe(true);
    unhook(one);
    expect(two.send(b, 'GET', 'k')).toBe(bulk(NEW));
    expect(leaked(rig)).toBe(0);
  });

  test.each([
    ['SET NX', ['SET', 'k', NEW, 'NX'], '$-1\r\n'],
    ['SETNX', ['SETNX', 'k', NEW], ':0\r\n'],
    ['MSETNX', ['MSETNX', 'j', NEW, 'k', NEW], ':0\r\n'],
    ['SET with a bad option', ['SET', 'k', NEW, 'WHAT'], '-ERR syntax error\r\n'],
    ['MSET without a value', ['MSET', 'j', NEW, 'k'], "-ERR wrong number of arguments for 'mset' command\r\n"],
  ])('leaves nothing behind where it is not stored: %s', (_, command, answer) => {
    const { rig, one, a } = pair();
    one.send(a, 'SET', 'k', 'old');
    const copy = onCopy(one, 'in', () => {});
    expect(one.send(a, ...command)).toBe(answer);
    expect(copy.happened).toBe(true);
    expect(one.send(a, 'GET', 'k')).toBe(bulk('old'));
    expect(leaked(rig)).toBe(0);
  });

  test('takes its room once, and is refused where there is none', () => {
    const rig = new WorkerRig({ arenaBytes: 32 << 20 });
    const [worker] = rig.workers;
    const client = worker.connect();
    expect(worker.send(client, 'SET', 'k', 'x'.repeat(18 << 20))).toBe('+OK\r\n');
    expect(worker.send(client, 'SET', 'l', 'x'.repeat(18 << 20))).toMatch(/^-OOM/);
    expect(worker.send(client, 'STRLEN', 'k')).toBe(`:${18 << 20}\r\n`);
    expect(leaked(rig)).toBe(0);
  });

  test('waits with its command, and is copied once', () => {
    const { rig, one, a } = pair();
    const latch = rig.outside.latches[0];
    let copies = 0;
    onCopy(one, 'in', () => {
      copies++;
      expect(latch.tryAcquire()).toBe(true);
    });
    expect(one.send(a, 'SET', 'k', NEW)).toBe(null);
    rig.poll();
    expect(a.replies).toEqual([]);
    latch.release();
    rig.poll();
    expect([a.replies, copies]).toEqual([['+OK\r\n'], 1]);
    expect(one.send(a, 'GET', 'k')).toBe(bulk(NEW));
    unhook(one);
    expect(leaked(rig)).toBe(0);
  });

  test('is given up when the client goes away meanwhile', () => {
    const { rig, one, a } = pair();
    const latch = rig.outside.latches[0];
    onCopy(one, 'in', () => latch.tryAcquire());
    one.send(a, 'SET', 'k', NEW);
    a.session.peer = null;
    rig.poll();
    latch.release();
    rig.poll();
    unhook(one);
    expect(one.send(one.connect(), 'EXISTS', 'k')).toBe(':0\r\n');
    expect(leaked(rig)).toBe(0);
  });

  test.each(['before', 'while'])('goes to the owner where the latch is busy %s it is copied', (when) => {
    const { rig, two, b } = pair();
    const latch = rig.outside.latches[0];
    if (when === 'before') latch.tryAcquire();
    else onCopy(two, 'in', () => latch.tryAcquire());
    expect(two.send(b, 'SET', 'k', NEW)).toBe(null);
    rig.poll();
    latch.release();
    rig.poll();
    expect(b.replies).toEqual(['+OK\r\n']);
    unhook(two);
    // the owner is asked for it again, and answers through the ring
    latch.tryAcquire();
    two.send(b, 'GET', 'k');
    rig.poll();
    latch.release();
    rig.poll();
    expect(b.replies[1]).toBe(bulk(NEW));
    expect(leaked(rig)).toBe(0);
  });
});

/** A command of the property, as words and as what it does to the value of the one key. */
interface Act {
  words: string[];
  apply(value: string | null): { value: string | null; reply: string };
}

const values = fc.oneof(
  fc.constantFrom('a', 'b').map((c) => c.repeat(10)),
  fc.constantFrom('c', 'd', 'e', 'f').map((c) => c.repeat(LONG)),
);
const acts: fc.Arbitrary<Act> = fc.oneof(
  fc.constant<Act>({ words: ['GET', 'k'], apply: (value) => ({ value, reply: bulk(value) }) }),
  fc.constant<Act>({ words: ['GETDEL', 'k'], apply: (value) => ({ value: null, reply: bulk(value) }) }),
  fc.constant<Act>({
    words: ['DEL', 'k'],
    apply: (value) => ({ value: null, reply: value === null ? ':0\r\n' : ':1\r\n' }),
  }),
  fc.constant<Act>({
    words: ['SETRANGE', 'k', '2', 'zz'],
    apply(value) {
      const old = value ?? '';
      const next = `${old.slice(0, 2).padEnd(2, '\0')}zz${old.slice(4)}`;
      return { value: next, reply: `:${next.length}\r\n` };
    },
  }),
  values.map<Act>((v) => ({ words: ['SET', 'k', v], apply: () => ({ value: v, reply: '+OK\r\n' }) })),
  values.map<Act>((v) => ({ words: ['GETSET', 'k', v], apply: (value) => ({ value: v, reply: bulk(value) }) })),
  values.map<Act>((v) => ({
    words: ['SETNX', 'k', v],
    apply: (value) => ({ value: value ?? v, reply: value === null ? ':1\r\n' : ':0\r\n' }),
  })),
);

test('commands that run inside the copies of others all fall into one order', () => {
  const round = fc.record({ outer: acts, atIn: acts, atOut: acts });
  fc.assert(
    fc.property(fc.array(round, { minLength: 1, maxLength: 12 }), (rounds) => {
      const { rig, one, two, a, b } = pair();
      let value: string | null = null;
      const runInner = (act: Act): void => {
        const effect = act.apply(value);
        value = effect.value;
        expect(two.send(b, ...act.words)).toBe(effect.reply);
      };
      for (const { outer, atIn, atOut } of rounds) {
        // the outer command happens when it has the latch: behind what runs in its copy in, before what runs in its copy out
        let expected: string | null = null;
        const happen = (): void => {
          const effect = outer.apply(value);
          value = effect.value;
          expected = effect.reply;
        };
        onCopy(one, 'in', () => runInner(atIn));
        onCopy(one, 'out', () => {
          happen();
          runInner(atOut);
        });
        const reply = one.send(a, ...outer.words);
        if (expected === null) happen();
        unhook(one);
        expect(reply).toBe(expected);
        checkMemory(rig.world.shards[0].arena);
      }
      expect(two.send(b, 'GET', 'k')).toBe(bulk(value));
      expect(leaked(rig)).toBe(0);
    }),
    { numRuns: 40 },
  );
});
