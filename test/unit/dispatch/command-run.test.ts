/** Commands of a pipeline that run under one latch do what they do one by one, and whoever waits for the latch gets it in between. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Latch } from '../../../native-free-shm/latch.ts';
import { LookAhead } from '../../../src/dispatch/look-ahead.ts';
import type { Session } from '../../../src/dispatch/session.ts';
import type { Journal } from '../../../src/journal/journal.ts';
import { RequestReader } from '../../../src/resp/request-reader.ts';
import { NOTIFY, PROCESS, SHARD, STATE } from '../../../src/shard/world.ts';
import { InProcess, type InProcessOptions } from '../commands/in-process.ts';

type Command = readonly string[];
const WIDE = Number.POSITIVE_INFINITY;
/** The acceptor's number: a thread that may hold latches and is not the worker. */
const OTHER_THREAD = 1;

class Pipelines {
  readonly server: InProcess;
  private readonly ahead: LookAhead;
  /** How many commands went in each run, since it was asked last. */
  ran: number[] = [];

  constructor(options: InProcessOptions = {}) {
    this.server = new InProcess(options);
    this.ahead = new LookAhead(this.server.parts().executor);
  }

  /** Sends the commands at once; returns their replies, one behind the other. */
  send(commands: readonly Command[], session: Session = this.server.session, stopAt = WIDE, untimed = 1000): string {
    const { dispatcher, executor, reply } = this.server.parts();
    this.server.timing.countdown.fill(untimed);
    const words = (command: Command) =>
      `*${command.length}\r\n${command.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;
    const input = Buffer.from(commands.map(words).join(''));
    const { ahead } = this;
    for (let pos = 0; pos < input.length; pos = ahead.ends[ahead.count - 1]) {
      ahead.read(new RequestReader(), input, pos, input.length, session.db);
      for (let i = 0; i < ahead.count; ) {
        const ran = i + 1 < ahead.count ? dispatcher.runs.run(session, ahead, i, stopAt) : 0;
        if (ran > 0) this.ran.push(ran);
        else dispatcher.dispatchRow(session, ahead.rows[i], ahead.args[i]);
        i += Math.max(ran, 1);
      }
      executor.clearTouched();
    }
    const out = reply.buf.toString('latin1', 0, reply.pos);
    reply.rewind(0);
    return out;
  }

  takeRan(): number[] {
    const { ran } = this;
    this.ran = [];
    return ran;
  }
}

const increments = (count: number): Command[] => Array.from({ length: count }, () => ['INCR', 'counter']);

const key = fc.constantFrom('a', 'b', 'c', 'list', 'hash');
const word = fc.constantFrom('1', '5', 'x', '-3', 'y'.repeat(70), 'z'.repeat(1100));
const command: fc.Arbitrary<Command> = fc.oneof(
  fc.tuple(fc.constantFrom('GET', 'INCR', 'STRLEN', 'TTL', 'LPOP', 'RPOP', 'LLEN', 'HLEN', 'DEL', 'PERSIST'), key),
  fc.tuple(fc.constantFrom('SET', 'APPEND', 'LPUSH', 'RPUSH', 'SADD', 'HGET', 'PEXPIRE'), key, word),
  fc.tuple(fc.constantFrom('HSET', 'LSET', 'ZADD'), key, word, word),
  fc.constantFrom(
    ['PING'],
    ['MULTI'],
    ['EXEC'],
    ['NONSENSE'],
    ['GET'],
    ['MGET', 'a', 'b'],
    ['CLIENT', 'REPLY', 'SKIP'],
  ),
);

describe('commands under one latch', () => {
  test('answer and journal what they do one by one', () => {
    let together = 0;
    fc.assert(
      fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
        const pipelines = new Pipelines({ shards: 2 });
        const single = new Pipelines({ shards: 2 });
        const replies = pipelines.send(commands);
        expect(replies).toBe(commands.map((one) => single.send([one])).join(''));
        expect(pipelines.server.effects()).toEqual(single.server.effects());
        const [own, others] = [pipelines.server, single.server].map(({ server }) => server);
        for (const name of ['commandsProcessed', 'changes', 'keyspaceHits', 'keyspaceMisses'] as const)
          expect(own.counters.sum(name)).toBe(others.counters.sum(name));
        const digests = [pipelines, single].map(({ server }) => server.runAs(server.connect(), 'DEBUG', 'DIGEST'));
        expect(digests[0]).toBe(digests[1]);
        together += pipelines.takeRan().length;
        expect(single.takeRan()).toEqual([]);
      }),
    );
    expect(together).toBeGreaterThan(0);
  });

  test('count their calls and failures', () => {
    const pipelines = new Pipelines();
    const commands: Command[] = [...increments(4), ['LPUSH', 'counter', 'x'], ...increments(3)];
    expect(pipelines.send(commands)).toContain('-WRONGTYPE');
    expect(pipelines.takeRan()).toEqual([5, 3]);
    const stats = pipelines.server.run('INFO', 'commandstats', 'errorstats');
    expect(stats).toMatch(/cmdstat_incr:calls=7,.*failed_calls=0/);
    expect(stats).toMatch(/cmdstat_lpush:calls=1,.*failed_calls=1/);
    expect(stats).toContain('errorstat_WRONGTYPE:count=1');
  });

  test('give the latch to a thread that waits for it, behind the running command', () => {
    const pipelines = new Pipelines();
    const { access } = pipelines.server;
    const other = new Latch(access.headers[0].i32, SHARD.latch, OTHER_THREAD, access.doorbells);
    const journal: Journal = pipelines.server.server.journals[0];
    const publish = journal.publish.bind(journal);
    let published = 0;
    let got = false;
    journal.publish = () => {
      publish();
      published++;
      if (published === 3) expect(other.enqueue()).toBe(false);
      if (published === 4) got = true;
    };
    const ring = access.doorbells[OTHER_THREAD].ring.bind(access.doorbells[OTHER_THREAD]);
    access.doorbells[OTHER_THREAD].ring = () => {
      ring();
      expect([published, got, other.tryAcquire()]).toEqual([3, false, true]);
      other.release();
      published = 100;
    };
    pipelines.send(increments(16));
    expect(published).toBe(113);
    expect(pipelines.takeRan()).toEqual([3, 13]);
  });

  test('give way to the holder of the turn', () => {
    const pipelines = new Pipelines();
    const { access } = pipelines.server;
    const other = new Latch(access.headers[0].i32, SHARD.latch, OTHER_THREAD, access.doorbells);
    const journal = pipelines.server.server.journals[0];
    const publish = journal.publish.bind(journal);
    let published = 0;
    journal.publish = () => {
      publish();
      published++;
      if (published === 2) other.want();
    };
    const { runs } = pipelines.server.parts().dispatcher;
    const run = runs.run.bind(runs);
    const lengths: number[] = [];
    runs.run = (session, ahead, from, stopAt) => {
      const ran = run(session, ahead, from, stopAt);
      lengths.push(ran);
      other.unwant();
      return ran;
    };
    pipelines.send(increments(8));
    expect(lengths).toEqual([2, 6]);
  });

  test('end behind the command that fills the memory of a snapshot', () => {
    const pipelines = new Pipelines();
    const { access, server } = pipelines.server;
    const publish = server.journals[0].publish.bind(server.journals[0]);
    let published = 0;
    server.journals[0].publish = () => {
      publish();
      if (++published === 3) access.process[PROCESS.state] = STATE.snapshotFull;
    };
    expect(pipelines.send(increments(8))).toBe(':1\r\n:2\r\n:3\r\n');
    expect(pipelines.takeRan()).toEqual([3]);
  });

  test('end where the replies are to end, and before a value that is copied without the latch', () => {
    const pipelines = new Pipelines();
    pipelines.send(increments(8), undefined, 0);
    expect(pipelines.takeRan()).toEqual([1, 1, 1, 1, 1, 1, 1]);
    pipelines.server.run('SET', 'long', 'x'.repeat(200_000));
    const replies = pipelines.send([
      ['GET', 'a'],
      ['GET', 'long'],
      ['GET', 'a'],
      ['GET', 'a'],
    ]);
    expect(replies).toBe(`$-1\r\n$200000\r\n${'x'.repeat(200_000)}\r\n$-1\r\n$-1\r\n`);
    expect(pipelines.takeRan()).toEqual([2, 2]);
  });

  test('are timed as those that run alone, and end when they have taken long enough', () => {
    const pipelines = new Pipelines();
    const { server } = pipelines;
    server.run('CONFIG', 'SET', 'slowlog-log-slower-than', '0');
    server.run('CONFIG', 'RESETSTAT');
    server.run('SLOWLOG', 'RESET');
    let clockMs = 1000;
    // each reading of the clock is 4.5 µs later
    server.steadyMs = () => (clockMs += 0.0045);
    pipelines.send(
      Array.from({ length: 16 }, (_, i) => ['LRANGE', `list ${i}`, '0', '-1']),
      undefined,
      WIDE,
      0,
    );
    // the fifth one ends beyond 20 µs, each time; the last one is alone
    expect(pipelines.takeRan()).toEqual([5, 5, 5]);
    expect(server.run('INFO', 'commandstats')).toMatch(/cmdstat_lrange:calls=16,usec=72,/);
    const noted = server.run('SLOWLOG', 'GET', '-1');
    for (let i = 0; i < 16; i++) expect(noted).toContain(`list ${i}\r\n`);
  });

  const ALONE: [string, (pipelines: Pipelines) => void][] = [
    ['of a transaction', ({ server }) => server.run('MULTI')],
    ['without replies', ({ server }) => server.run('CLIENT', 'REPLY', 'OFF')],
    ['of a client that tracks', ({ server }) => server.run('CLIENT', 'TRACKING', 'ON', 'BCAST')],
    ['while somebody watches a key', ({ server }) => server.runAs(server.connect(), 'WATCH', 'other')],
    [
      'while events are wanted',
      ({ server }) => {
        server.access.process[PROCESS.notify] = NOTIFY.keyspaceEvents;
      },
    ],
    [
      'while the journal cannot follow',
      ({ server }) => {
        server.server.journals[0].syncLate = () => true;
      },
    ],
    [
      'while clients are paused',
      ({ server }) => {
        server.access.process[PROCESS.state] = STATE.pausedWrites;
      },
    ],
    [
      'where memory is limited',
      ({ server }) => {
        server.parts().dispatcher.memoryBounded = true;
      },
    ],
    [
      'where the latch is busy',
      ({ server }) => {
        const { access } = server;
        expect(new Latch(access.headers[0].i32, SHARD.latch, OTHER_THREAD, access.doorbells).tryAcquire()).toBe(true);
      },
    ],
  ];

  test.each(ALONE)('are none %s', (_, prepare) => {
    const pipelines = new Pipelines();
    pipelines.send(increments(2));
    expect(pipelines.takeRan()).toEqual([2]);
    prepare(pipelines);
    const { dispatcher, session } = pipelines.server.parts();
    pipelines.server.timing.countdown.fill(1000);
    const ahead = new LookAhead(pipelines.server.parts().executor);
    const input = Buffer.from('*2\r\n$4\r\nINCR\r\n$7\r\ncounter\r\n'.repeat(3));
    ahead.read(new RequestReader(), input, 0, input.length, 0);
    expect(dispatcher.runs.run(session, ahead, 0, WIDE)).toBe(0);
    expect(pipelines.server.access.latches[0].held()).toBe(false);
  });
});
