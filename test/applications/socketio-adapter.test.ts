/** socket.io over several of its servers, which know of each other only through the adapter. */
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdapter, createShardedAdapter } from '@socket.io/redis-adapter';
import { createAdapter as createStreamsAdapter } from '@socket.io/redis-streams-adapter';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { Server } from 'socket.io';
import { io, type Socket } from 'socket.io-client';
import { describe, expect, test } from 'vitest';
import { waitUntil } from '../server/wait-until.ts';
import { oneServer } from './one-server.ts';

const server = oneServer();
const { closers } = server;

function ioredis(): Redis {
  const client = new Redis({ port: server.port, host: '127.0.0.1' });
  client.on('error', () => {});
  closers.push(() => client.disconnect());
  return client;
}

async function nodeRedis(RESP: 2 | 3 = 2) {
  const client = createClient({ url: `redis://127.0.0.1:${server.port}`, RESP });
  client.on('error', () => {});
  await client.connect();
  closers.push(() => client.close()); // what a server said at its end is still under way
  return client;
}

type Adapter =
  | ReturnType<typeof createAdapter>
  | ReturnType<typeof createShardedAdapter>
  | ReturnType<typeof createStreamsAdapter>;

/** Every way to be one cluster. */
const ADAPTERS: { name: string; make: () => Promise<Adapter> }[] = [
  { name: 'PUBLISH over ioredis', make: async () => createAdapter(ioredis(), ioredis()) },
  { name: 'PUBLISH over node-redis', make: async () => createAdapter(await nodeRedis(), await nodeRedis()) },
  {
    name: 'SPUBLISH over node-redis',
    make: async () => createShardedAdapter(await nodeRedis(), await nodeRedis(), { subscriptionMode: 'dynamic' }),
  },
  {
    name: 'SPUBLISH over ioredis, rooms in one channel',
    make: async () => createShardedAdapter(ioredis(), ioredis(), { subscriptionMode: 'static' }),
  },
  { name: 'streams over ioredis', make: async () => createStreamsAdapter(ioredis(), { blockTimeInMs: 200 }) },
  {
    name: 'streams over node-redis',
    make: async () => createStreamsAdapter(await nodeRedis(), { blockTimeInMs: 200 }),
  },
];

const COUNT = 3;

describe.each(ADAPTERS)('$name', ({ make }) => {
  let nodes: Server[];
  let clients: Socket[];
  /** What each client has heard. */
  let heard: string[][];

  /** Three servers with two clients each, who all know of each other. */
  async function startNodes(): Promise<void> {
    nodes = [];
    clients = [];
    heard = [];
    for (let n = 0; n < COUNT; n++) {
      const listener = http.createServer();
      const node = new Server(listener, { adapter: await make() });
      await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
      closers.push(() => new Promise((resolve) => node.close(resolve)));
      nodes.push(node);
      for (const _ of [0, 1]) addClient((listener.address() as AddressInfo).port);
    }
    await waitUntil('the clients', () => clients.every((client) => client.connected));
    await waitUntil('a whole cluster', async () => {
      const counts = await Promise.all(nodes.map((node) => node.of('/').adapter.serverCount()));
      return counts.every((count) => count === COUNT);
    });
  }

  function addClient(port: number): void {
    const client = io(`http://127.0.0.1:${port}`, { transports: ['websocket'], forceNew: true, reconnection: false });
    const mine: string[] = [];
    client.on('said', (what: string | Uint8Array) => mine.push(typeof what === 'string' ? what : what.join()));
    clients.push(client);
    heard.push(mine);
    closers.push(() => client.disconnect());
  }

  /** The server's end of a client, on whichever node it is. */
  const ownEnd = (i: number) => nodes[Math.floor(i / 2)].of('/').sockets.get(clients[i].id!)!;

  test('broadcasts, rooms, bytes: each hears what is for it, once and in order', async () => {
    await startNodes();
    for (const i of [0, 3, 4]) await ownEnd(i).join('room');
    // a server may join the room's channel a little later than the client joined the room
    await waitUntil('the room', () => {
      nodes[1].to('room').emit('said', 'probe');
      return [0, 3, 4].every((i) => heard[i].includes('probe'));
    });
    nodes[1].emit('said', 'begin');
    await waitUntil('the begin', () => heard.every((mine) => mine.at(-1) === 'begin'));
    for (const mine of heard) mine.length = 0;
    for (let n = 0; n < 50; n++) nodes[0].emit('said', `all ${n}`);
    nodes[1].to('room').emit('said', 'room');
    nodes[1].except('room').emit('said', 'others');
    nodes[1].emit('said', Uint8Array.of(0, 13, 255));
    nodes[1].to(clients[5].id!).emit('said', 'private');
    ownEnd(2).broadcast.emit('said', 'not to 2');
    const all = Array.from({ length: 50 }, (_, n) => `all ${n}`);
    const expected = clients.map((_, i) => [
      [0, 3, 4].includes(i) ? 'room' : 'others',
      '0,13,255',
      ...(i === 5 ? ['private'] : []),
      ...(i === 2 ? [] : ['not to 2']),
    ]);
    const complete = () => heard.every((mine, i) => mine.length >= 50 + expected[i].length);
    await waitUntil('all words', complete);
    for (const [i, mine] of heard.entries()) {
      // two servers that speak have no order between them
      expect(mine.filter((what) => what.startsWith('all '))).toEqual(all);
      expect(mine.filter((what) => !what.startsWith('all '))).toEqual(expected[i]);
    }
  });

  test('servers ask each other: sockets, rooms from afar, words with an answer', async () => {
    await startNodes();
    for (const [i, client] of clients.entries()) client.on('ask', (answer: (value: number) => void) => answer(i));
    const ids = clients.map((client) => client.id!);
    for (const node of nodes) {
      const sockets = await node.fetchSockets();
      expect(sockets.map((socket) => socket.id).sort()).toEqual([...ids].sort());
    }
    nodes[2].in([ids[0], ids[2]]).socketsJoin('far');
    await waitUntil('the joins', () => [0, 2].every((i) => ownEnd(i).rooms.has('far')));
    expect((await nodes[1].in('far').fetchSockets()).map((socket) => socket.id).sort()).toEqual(
      [ids[0], ids[2]].sort(),
    );
    const answers: number[] = await nodes[1].in('far').timeout(5000).emitWithAck('ask');
    expect([...answers].sort()).toEqual([0, 2]);
    expect([...(await nodes[0].timeout(5000).emitWithAck('ask'))].sort()).toEqual([0, 1, 2, 3, 4, 5]);
    nodes[0].in('far').socketsLeave('far');
    await waitUntil('the leaves', () => [0, 2].every((i) => !ownEnd(i).rooms.has('far')));
    nodes[0].in(ids[4]).disconnectSockets(true);
    await waitUntil('the end of one', () => !clients[4].connected);
    expect((await nodes[0].fetchSockets()).length).toBe(5);
  });

  test('serverSideEmit: to all other servers, with their answers', async () => {
    await startNodes();
    const told: string[] = [];
    for (const [n, node] of nodes.entries()) {
      node.on('hello', (what: string) => told.push(`${n} ${what}`));
      node.on('count', (answer: (value: number) => void) => answer(10 + n));
    }
    nodes[1].serverSideEmit('hello', 'you');
    await waitUntil('both others', () => told.length === 2);
    expect(told.sort()).toEqual(['0 you', '2 you']);
    expect((await nodes[1].serverSideEmitWithAck('count')).sort()).toEqual([10, 12]);
    expect(told.length).toBe(2);
  });
});
