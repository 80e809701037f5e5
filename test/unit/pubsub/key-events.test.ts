/** Which events commands tell of, in which order, checked against the list that Redis's documentation gives. */
import { describe, expect, test } from 'vitest';
import { eventBitsOf } from '../../../src/pubsub/key-event-records.ts';
import { TOPIC } from '../../../src/pubsub/subscription-registry.ts';
import { InProcess } from '../commands/in-process.ts';

/** A server whose events of the letters are seen by `take`: `event key`, database 0. */
function listening(letters: string) {
  const server = new InProcess({ shards: 2 });
  const { pushes } = server.server;
  pushes.changes.eventBits = eventBitsOf(letters);
  const { unit } = server.parts().executor;
  unit.tellNewKeys(letters.includes('n'));
  // what the worker does when the setting is not empty
  server.run('CLIENT', 'TRACKING', 'ON');
  const subscriber = server.connect();
  let text = '';
  subscriber.peer = {
    complete() {},
    close() {},
    flushPushes() {},
    push: (bytes, start, end) => {
      text += bytes.toString('latin1', start, end);
    },
  };
  pushes.subscribe(subscriber, TOPIC.pattern, '__keyevent@*');
  const take = (): string[] => {
    pushes.catchUp();
    const seen = [...text.matchAll(/__keyevent@(\d+)__:([a-z_]+)\r\n\$\d+\r\n([^\r]*)\r\n/g)];
    text = '';
    return seen.map(([, db, event, key]) => `${db === '0' ? '' : `${db}:`}${event} ${key}`);
  };
  return { server, take };
}

const CASES: readonly [commands: string, events: string[]][] = [
  ['SET k v', ['set k']],
  ['SET k v EX 10', ['set k', 'expire k']],
  ['SET k v;GETEX k PERSIST;GETEX k EX 5;GETEX k PERSIST;GETDEL k', ['set k', 'expire k', 'persist k', 'del k']],
  ['SETNX k v;SETNX k w;GETSET k x;APPEND k y;SETRANGE k 0 z', ['set k', 'set k', 'append k', 'setrange k']],
  ['INCR n;DECRBY n 3;INCRBYFLOAT n 1.5', ['incrby n', 'incrby n', 'incrbyfloat n']],
  ['MSET a 1 b 2;MSETNX a 1 c 2', ['set a', 'set b']],
  ['SETBIT k 3 1;BITFIELD k SET u8 0 7;BITOP NOT d k;BITOP AND d none', ['setbit k', 'setbit k', 'set d', 'del d']],
  ['SET k v;EXPIRE k 10;PERSIST k;PEXPIRE k -1', ['set k', 'expire k', 'persist k', 'del k']],
  ['MSET a 1 b 2;DEL a none;UNLINK b', ['set a', 'set b', 'del a', 'del b']],
  [
    'SET a 1;RENAME a b;COPY b c;MOVE c 3',
    ['set a', 'rename_from a', 'rename_to b', 'copy_to c', 'move_from c', '3:move_to c'],
  ],
  ['SET a 1;FLUSHALL;SWAPDB 0 1', ['set a']],
];

describe('key events', () => {
  test.each(CASES)('%s', (commands, events) => {
    const { server, take } = listening('EA');
    for (const command of commands.split(';')) expect(server.run(...command.split(' '))).not.toMatch(/^-/);
    expect(take()).toEqual(events);
  });

  test('only the classes that are asked for', () => {
    const { server, take } = listening('Eg$');
    server.run('SET', 'k', 'v');
    server.run('SADD', 's', 'm');
    server.run('DEL', 'k', 's');
    expect(take()).toEqual(['set k', 'del k', 'del s']);
  });

  test('misses and new keys, which A does not mean', () => {
    const { server, take } = listening('EAmn');
    server.run('GET', 'none');
    server.run('SET', 'k', 'v');
    server.run('SET', 'k', 'w');
    expect(take()).toEqual(['keymiss none', 'new k', 'set k', 'set k']);
  });

  test('expiry, found by a command', () => {
    const { server, take } = listening('Ex');
    server.run('SET', 'k', 'v', 'PX', 5);
    server.nowMs += 10;
    server.run('GET', 'k');
    expect(take()).toEqual(['expired k']);
  });
});
