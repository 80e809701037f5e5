/** A connection between a socket that does what the test says and a dispatcher that answers by rule. */
import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { type ClientInfo, ClientRecords, createClientRecords } from '../../../src/admin/client-records.ts';
import { COUNTER, COUNTER_NAMES } from '../../../src/admin/server-counters.ts';
import { ANSWERED, type Dispatcher, PARKED } from '../../../src/dispatch/dispatcher.ts';
import type { Executor } from '../../../src/dispatch/executor.ts';
import { LookAhead } from '../../../src/dispatch/look-ahead.ts';
import type { ServerContext } from '../../../src/dispatch/session.ts';
import { Session } from '../../../src/dispatch/session.ts';
import { Connection, type ConnectionThread } from '../../../src/net/connection.ts';
import { newConnectionLimits } from '../../../src/net/connection-limits.ts';
import { InputBuffers } from '../../../src/net/input-buffers.ts';
import { Outbox } from '../../../src/net/outbox.ts';
import type { PushHub } from '../../../src/pubsub/push-hub.ts';
import type { Args } from '../../../src/resp/args.ts';
import { ReplyWriter } from '../../../src/resp/reply-writer.ts';
import { type Command, frame } from '../../server/resp-client.ts';
import { waitUntil } from '../../server/wait-until.ts';

const MIB = 1 << 20;

/** Takes bytes as fast as the test wants: `taking` false leaves them pending. */
class FakeSocket {
  taking = true;
  destroyed = false;
  writableLength = 0;
  resumed = 0;
  ended = false;
  sent = '';
  readonly _handle = null;
  private readonly pending: { bytes: Buffer; done: () => void }[] = [];

  write(bytes: Buffer, done: () => void): void {
    if (this.taking) this.take(Buffer.from(bytes), done);
    else {
      this.writableLength += bytes.length;
      this.pending.push({ bytes: Buffer.from(bytes), done });
    }
  }

  private take(bytes: Buffer, done: () => void): void {
    this.sent += bytes.toString('latin1');
    done();
  }

  /** The client reads everything that is there. */
  drain(): void {
    this.writableLength = 0;
    for (const { bytes, done } of this.pending.splice(0)) this.take(bytes, done);
  }

  resume(): void {
    this.resumed++;
  }

  end(done: () => void): void {
    this.ended = true;
    done();
  }

  destroy(): void {
    this.destroyed = true;
  }
}

/** ECHO answers its argument, BIG <n> a bulk string of n bytes, PARK is answered later, by the test. */
class World {
  readonly socket = new FakeSocket();
  readonly records = new ClientRecords(createClientRecords(1, 4), 0);
  readonly counters = new Float64Array(COUNTER_NAMES.length);
  readonly limits = newConnectionLimits();
  readonly log: string[] = [];
  readonly ran: string[] = [];
  readonly connection: Connection;
  readonly session: Session;
  nowMs = 1_000_000;
  steadyMs = 0;
  /** What each command takes. */
  commandMs = 0;

  constructor() {
    this.limits.queryBytes = 1 << 30;
    this.limits.bulkBytes = 512 * MIB;
    for (const limit of this.limits.output) Object.assign(limit, { hardBytes: Infinity, softBytes: Infinity });
    const reply = new ReplyWriter();
    const executor = { touchedCount: 0, wrote: false, clearTouched() {} } as unknown as Executor;
    const outbox = new Outbox({
      reply,
      executor,
      journals: [],
      diskBroken: () => false,
      syncFailed: () => false,
      schedule: (run) => setImmediate(run),
      isAlways: () => false,
      awaitSafe() {},
      syncHere() {},
      mostGatherTurns: 0,
    });
    const thread: ConnectionThread = {
      dispatcher: {
        dispatchRow: (_: Session, __: unknown, args: Args) => this.dispatch(args, reply),
        // each command by itself
        runs: { run: () => 0 },
        publish() {},
      } as unknown as Dispatcher,
      outbox,
      reply,
      executor,
      pushes: {} as PushHub,
      ahead: new LookAhead(executor),
      counters: this.counters,
      limits: this.limits,
      records: this.records,
      inputs: new InputBuffers(),
      timing: { openSegment: () => this.steadyMs, closeSegment() {} },
      readClock: () => this.nowMs,
      forget: () => {},
      logClosing: (_, before, after) => this.log.push(before + after),
    };
    this.session = new Session({} as ServerContext, 1, true);
    this.session.record = this.records.open({ id: 1, addr: 'a', laddr: 'b', fd: 1, nowMs: this.nowMs });
    this.connection = new Connection(this.socket as unknown as Socket, this.session, thread);
  }

  private dispatch(args: Args, reply: ReplyWriter): number {
    const name = args.text(0);
    this.ran.push(name);
    this.steadyMs += this.commandMs;
    if (name === 'PARK') {
      this.session.park();
      return PARKED;
    }
    if (name === 'BIG') reply.bulkText('x'.repeat(Number(args.text(1))));
    else reply.bulk(args.buf, args.starts[1], args.ends[1]);
    return ANSWERED;
  }

  /** Bytes from the client; false: the socket is to be read no further. */
  send(...commands: Command[]): boolean {
    return this.sendBytes(Buffer.concat(commands.map(frame)));
  }

  sendBytes(bytes: Buffer): boolean {
    return this.connection.onBytes(Buffer.from(bytes), 0, bytes.length);
  }

  /** As sendBytes, but into a buffer with so much room in front, whose bytes are others afterwards. */
  sendWithLead(bytes: Buffer, lead: number): void {
    const buf = Buffer.concat([Buffer.alloc(lead, '?'), bytes]);
    this.connection.onBytes(buf, lead, buf.length);
    buf.fill('!');
  }

  get shown(): ClientInfo {
    const info = this.records.read(this.session.record);
    if (info === null) throw new Error('the client has no record');
    return info;
  }
}

const echo = (text: string): Command => ['ECHO', text];
const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`;

describe('output of one batch', () => {
  test('ends near 1 MiB; the rest of the pipeline goes on in later turns while the client reads', async () => {
    const world = new World();
    const big: Command = ['BIG', 300_000];
    expect(world.send(...Array(20).fill(big), echo('last'))).toBe(false);
    expect(world.ran).toHaveLength(4);
    await waitUntil('all commands', () => world.ran.length === 21);
    await waitUntil('all output', () => world.socket.sent.endsWith(bulk('last')));
    expect(world.socket.sent).toBe(bulk('x'.repeat(300_000)).repeat(20) + bulk('last'));
    await waitUntil('reading goes on', () => world.socket.resumed === 1);
  });

  test('is not made for a client that does not read, until it does', async () => {
    const world = new World();
    world.socket.taking = false;
    world.send(...Array(20).fill(['BIG', 300_000]), echo('last'));
    for (let i = 0; i < 20; i++) await new Promise(setImmediate);
    expect(world.ran).toHaveLength(4);
    expect(world.shown).toMatchObject({ outputBytes: 4 * bulk('x'.repeat(300_000)).length });
    await waitUntil('all commands', () => {
      world.socket.drain();
      return world.ran.length === 21;
    });
    await waitUntil('all output', () => {
      world.socket.drain();
      return world.socket.sent.endsWith(bulk('last'));
    });
    expect(world.socket.sent).toBe(bulk('x'.repeat(300_000)).repeat(20) + bulk('last'));
    world.socket.taking = true;
    await waitUntil('reading goes on', () => world.socket.resumed === 1);
    world.send(echo('again'));
    expect(world.shown).toMatchObject({ outputBytes: 0, queryBytes: 0, totalBytes: 0 });
  });

  test('commands that were behind are served before the connection ends with its input', async () => {
    const world = new World();
    world.send(...Array(10).fill(['BIG', 600_000]), echo('last'));
    world.connection.onEnd();
    expect(world.socket.ended).toBe(false);
    await waitUntil('the end', () => world.socket.ended);
    expect(world.ran).toHaveLength(11);
    expect(world.socket.sent.endsWith(bulk('last'))).toBe(true);
  });
});

describe('time of one batch', () => {
  test('ends after some milliseconds; others have their turn before the rest', async () => {
    const world = new World();
    world.commandMs = 0.1;
    const texts = Array.from({ length: 500 }, (_, i) => `text ${i}`);
    expect(world.send(...texts.map(echo))).toBe(false);
    const first = world.ran.length;
    expect(first).toBeLessThan(130);
    const others: number[] = [];
    while (world.ran.length < 500) {
      await new Promise(setImmediate);
      others.push(world.ran.length);
    }
    expect(others.length).toBeGreaterThan(2);
    await waitUntil('reading goes on', () => world.socket.resumed === 1);
    await new Promise(setImmediate);
    expect(world.socket.sent).toBe(texts.map(bulk).join(''));
    expect(world.shown).toMatchObject({ queryBytes: 0, totalBytes: 0 });
  });

  test('does not end while commands are quick', () => {
    const world = new World();
    world.commandMs = 0.001;
    expect(world.send(...Array(1000).fill(echo('x')))).toBe(true);
    expect(world.ran).toHaveLength(1000);
  });
});

describe('frames that are cut', () => {
  const texts = ['one', 'x'.repeat(90), 'three', ''];
  const bytes = Buffer.concat(texts.map((text) => frame(echo(text))));

  test.each([0, 20, 60, 10_000])('with room for %i bytes in front of the next ones', async (lead) => {
    for (let cut = 1; cut < bytes.length; cut++) {
      const world = new World();
      world.sendWithLead(bytes.subarray(0, cut), lead);
      world.sendWithLead(bytes.subarray(cut), lead);
      await new Promise(setImmediate);
      expect(world.socket.sent, `cut after ${cut} bytes`).toBe(texts.map(bulk).join(''));
      expect(world.shown).toMatchObject({ queryBytes: 0, totalBytes: 0 });
    }
  });

  test('many times, as a fast client sends them', async () => {
    const world = new World();
    for (let turn = 0; turn < 20; turn++)
      for (let at = 0; at < bytes.length; at += 37) world.sendWithLead(bytes.subarray(at, at + 37), 4096);
    const expected = texts.map(bulk).join('').repeat(20);
    await waitUntil('the replies', () => world.socket.sent.length === expected.length);
    expect(world.socket.sent).toBe(expected);
  });
});

describe('pushes that others get as well', () => {
  const shared = { buf: Buffer.from('aabbccdd'), pos: 8, version: 1 };
  const own = Buffer.from('OWN');

  test.each([
    [
      'ranges that join',
      [
        [0, 4],
        [4, 8],
      ],
      'aabbccdd',
    ],
    [
      'ranges with a gap',
      [
        [0, 2],
        [4, 6],
      ],
      'aacc',
    ],
    ['bytes of its own behind', [[2, 4], null], 'bbOWN'],
    ['bytes of its own between', [[0, 2], null, [2, 6]], 'aaOWNbbcc'],
    ['bytes of its own first', [null, [6, 8]], 'OWNdd'],
  ] as [string, ([number, number] | null)[], string][])('%s', async (_, parts, expected) => {
    const world = new World();
    for (const part of parts) {
      if (part === null) world.connection.push(own, 0, 3, -1);
      else world.connection.pushShared(shared, part[0], part[1]);
    }
    world.connection.flushPushes();
    await waitUntil('the pushes', () => world.socket.sent.length >= expected.length);
    expect(world.socket.sent).toBe(expected);
    expect(world.shown).toMatchObject({ outputBytes: 0 });
  });

  test('wait for the reply that is owed, though the bytes are others by then', async () => {
    const world = new World();
    const lent = { buf: Buffer.from('message'), pos: 7, version: 1 };
    world.send(['PARK']);
    world.connection.pushShared(lent, 0, 7);
    world.connection.flushPushes();
    lent.buf.fill(0);
    world.connection.complete(Buffer.from('+reply\r\n'));
    await waitUntil('both', () => world.socket.sent.length > 10);
    expect(world.socket.sent).toBe('+reply\r\nmessage');
  });

  test('count for the output limit', () => {
    const world = new World();
    world.limits.output[0].hardBytes = 7;
    world.connection.pushShared(shared, 0, 4);
    expect(world.socket.destroyed).toBe(false);
    world.connection.pushShared(shared, 4, 8);
    expect(world.socket.destroyed).toBe(true);
  });
});

describe('client-output-buffer-limit', () => {
  test('hard: the connection is closed at once, without the output', () => {
    const world = new World();
    world.limits.output[0].hardBytes = 100_000;
    world.send(...Array(20).fill(['BIG', 9_000]));
    expect(world.socket.destroyed).toBe(true);
    expect(world.socket.sent).toBe('');
    expect(world.ran).toHaveLength(12);
    expect(world.counters[COUNTER.outputLimitDisconnections]).toBe(1);
    expect(world.log).toEqual(['Client  closed for overcoming of output buffer limits.']);
  });

  test('hard: output that is still owed counts', () => {
    const world = new World();
    world.limits.output[0].hardBytes = 100_000;
    world.socket.taking = false;
    world.send(['BIG', 60_000]);
    expect(world.socket.destroyed).toBe(false);
    world.send(['BIG', 60_000]);
    expect(world.socket.destroyed).toBe(true);
  });

  test('soft: after so many seconds beyond it, and not when the client caught up in between', () => {
    const world = new World();
    Object.assign(world.limits.output[0], { softBytes: 50_000, softMs: 2000 });
    world.socket.taking = false;
    const over = () => {
      world.send(['BIG', 60_000]);
      world.nowMs += 1500;
      world.connection.sweep(world.nowMs, 0);
      expect(world.socket.destroyed).toBe(false);
    };
    over();
    world.socket.drain();
    world.nowMs += 1000;
    world.connection.sweep(world.nowMs, 0);
    over();
    world.nowMs += 501;
    world.connection.sweep(world.nowMs, 0);
    expect(world.socket.destroyed).toBe(true);
    expect(world.counters[COUNTER.outputLimitDisconnections]).toBe(1);
  });

  test('follows the class of the connection', () => {
    const world = new World();
    world.connection.outputClass = 2;
    world.limits.output[2].hardBytes = 1000;
    world.send(['BIG', 2000]);
    expect(world.socket.destroyed).toBe(true);
  });
});

describe('a parked command', () => {
  test('shows its arguments, and they count as input', () => {
    const world = new World();
    world.limits.queryBytes = 2 * MIB;
    expect(world.send(['PARK', 'x'.repeat(MIB)], echo('rest'))).toBe(false);
    expect(world.shown.argumentBytes).toBeGreaterThanOrEqual(MIB);
    expect(world.shown.queryBytes).toBe(frame(echo('rest')).length);
    expect(world.shown.totalBytes).toBeGreaterThan(MIB + frame(echo('rest')).length);
    expect(world.send(echo('y'.repeat(MIB)))).toBe(false);
    expect(world.socket.destroyed).toBe(true);
    expect(world.counters[COUNTER.inputLimitDisconnections]).toBe(1);
  });

  test('runs before what came behind it, whenever that came', async () => {
    const world = new World();
    world.send(['PARK', '']);
    expect(world.send(echo('one'))).toBe(false);
    expect(world.send(echo('two'))).toBe(false);
    expect(world.ran).toEqual(['PARK']);
    world.connection.onEnd();
    world.connection.complete(Buffer.from('+parked\r\n'));
    await waitUntil('the end', () => world.socket.ended);
    expect(world.socket.sent).toBe(`+parked\r\n${bulk('one')}${bulk('two')}`);
    world.send(echo('three'));
    expect(world.ran).toEqual(['PARK', 'ECHO', 'ECHO']);
  });

  test('after a big frame keeps a buffer of its own size', () => {
    const world = new World();
    const big = frame(echo('x'.repeat(8 * MIB)));
    world.sendBytes(big.subarray(0, 1000));
    world.sendBytes(big.subarray(1000));
    world.send(['PARK', ''], echo('rest'));
    const { queryBytes, queryFreeBytes } = world.shown;
    expect(queryBytes + queryFreeBytes).toBeLessThan(1000);
  });

  test('gives back the big buffer it came in', () => {
    const world = new World();
    const bytes = Buffer.concat([frame(['PARK', 'x'.repeat(8 * MIB)]), frame(echo('rest'))]);
    world.sendBytes(bytes.subarray(0, 1000));
    world.sendBytes(bytes.subarray(1000));
    const { queryBytes, queryFreeBytes } = world.shown;
    expect(queryBytes + queryFreeBytes).toBeLessThan(1000);
  });
});

describe('settings in force', () => {
  test('proto-max-bulk-len is that of the moment', async () => {
    const world = new World();
    world.limits.bulkBytes = MIB;
    world.send(echo('before'));
    world.limits.bulkBytes = 2 * MIB;
    world.send(['BIG', '5', 'x'.repeat(MIB + 1)]);
    await waitUntil('the replies', () => world.socket.sent === bulk('before') + bulk('xxxxx'));
    world.limits.bulkBytes = MIB;
    world.send(['BIG', '5', 'x'.repeat(MIB + 1)]);
    await waitUntil('the error', () => world.socket.sent.includes('-ERR Protocol error: invalid bulk length'));
  });

  test('timeout: whoever sends or takes bytes is not idle', async () => {
    const world = new World();
    const bytes = frame(echo('x'.repeat(100)));
    for (let at = 0; at < bytes.length; at += 10) {
      world.sendBytes(bytes.subarray(at, at + 10));
      world.nowMs += 9_000;
      world.connection.sweep(world.nowMs, 10);
    }
    await waitUntil('the reply', () => world.socket.sent === bulk('x'.repeat(100)));
    world.nowMs += 10_001;
    world.connection.sweep(world.nowMs, 10);
    expect(world.socket.destroyed).toBe(true);
  });
});
