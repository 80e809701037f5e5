/** Which events commands tell of, in which order, checked against the list that Redis's documentation gives. */
import { describe, expect, test } from 'vitest';
import { Upkeep } from '../../../src/dispatch/upkeep.ts';
import { eventBitsOf } from '../../../src/pubsub/key-event-records.ts';
import { TOPIC } from '../../../src/pubsub/subscription-registry.ts';
import { Args } from '../../../src/resp/args.ts';
import { ReplyWriter } from '../../../src/resp/reply-writer.ts';
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
    waits() {},
    push: (bytes, start, end) => {
      text += bytes.toString('latin1', start, end);
    },
    pushShared: ({ buf }, start, end) => {
      text += buf.toString('latin1', start, end);
    },
  };
  pushes.subscribe(subscriber, TOPIC.pattern, '__keyevent@*');
  const take = (): string[] => {
    pushes.catchUp();
    const seen = [...text.matchAll(/__keyevent@(\d+)__:([a-z_-]+)\r\n\$\d+\r\n([^\r]*)\r\n/g)];
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
  [
    'RPUSH l a b;LPUSH l c;LSET l 0 x;LINSERT l BEFORE x y;LREM l 0 y;LTRIM l 0 1;LPOP l;RPOP l',
    ['rpush l', 'lpush l', 'lset l', 'linsert l', 'lrem l', 'ltrim l', 'lpop l', 'rpop l', 'del l'],
  ],
  ['RPUSH l a;LMOVE l m LEFT RIGHT;LMPOP 1 m RIGHT', ['rpush l', 'rpush m', 'lpop l', 'del l', 'rpop m', 'del m']],
  ['SADD s a b;SMOVE s t a;SPOP s', ['sadd s', 'srem s', 'sadd t', 'spop s', 'del s']],
  ['SADD a 1;SUNIONSTORE d a;SINTERSTORE d a none', ['sadd a', 'sunionstore d', 'del d']],
  [
    'HSET h f v;HINCRBY h n 1;HINCRBYFLOAT h n 1.5;HDEL h f n',
    ['hset h', 'hincrby h', 'hincrbyfloat h', 'hdel h', 'del h'],
  ],
  ['HSET h f v;HEXPIRE h 10 FIELDS 1 f;HPERSIST h FIELDS 1 f', ['hset h', 'hexpire h', 'hpersist h']],
  [
    'ZADD z 1 a 2 b 3 c;ZINCRBY z 1 a;ZPOPMIN z;ZREMRANGEBYRANK z 0 0;ZREM z c',
    ['zadd z', 'zincr z', 'zpopmin z', 'zremrangebyrank z', 'zrem z', 'del z'],
  ],
  [
    'XADD x 1-1 f v;XADD x 2-1 f v;XDEL x 1-1;XTRIM x MAXLEN 0;XGROUP CREATE x g 0;XGROUP DESTROY x g',
    ['xadd x', 'xadd x', 'xdel x', 'xtrim x', 'xgroup-create x', 'xgroup-destroy x'],
  ],
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

  test('expiry of fields, by upkeep', () => {
    const { server, take } = listening('Eghx');
    server.run('HSET', 'h', 'f', 'v', 'g', 'w');
    server.run('HPEXPIRE', 'h', 5, 'FIELDS', 1, 'f');
    server.run('HPEXPIRE', 'h', 20, 'FIELDS', 1, 'g');
    take();
    const upkeep = new Upkeep({
      unit: server.parts().executor.unit,
      latches: server.access.latches,
      headers: server.access.headers,
      owns: () => true,
      isAbandoned: () => false,
      process: server.access.process,
      args: new Args(),
      reply: new ReplyWriter(),
      steadyMs: () => 0,
    });
    upkeep.tick(server.nowMs + 10);
    expect(take()).toEqual(['hexpired h']);
    upkeep.tick(server.nowMs + 30);
    expect(take()).toEqual(['hexpired h', 'del h']);
  });
});
