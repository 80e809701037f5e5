/** express-session with connect-redis, over real HTTP: two web servers share the sessions of their visitors. */
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { RedisStore } from 'connect-redis';
import session from 'express-session';
import { createClient } from 'redis';
import { describe, expect, test } from 'vitest';
import { waitUntil } from '../server/wait-until.ts';
import { oneServer } from './one-server.ts';

interface Visits {
  visits?: number;
  user?: string;
}
type Session = session.Session & Visits;
type Middleware = (request: object, response: object, next: (error?: Error) => void) => void;

const server = oneServer();
const { closers } = server;

async function connect() {
  const client = createClient({ url: `redis://127.0.0.1:${server.port}` });
  client.on('error', () => {});
  await client.connect();
  closers.push(() => client.destroy());
  return client;
}

type StoreOptions = Omit<ConstructorParameters<typeof RedisStore>[0], 'client'>;

class WebServer {
  readonly store: RedisStore;
  private readonly http: http.Server;
  private readonly middleware: Middleware;

  private constructor(store: RedisStore, maxAge: number) {
    this.store = store;
    const options = { store, secret: 'secret', resave: false, saveUninitialized: false, cookie: { maxAge } };
    this.middleware = session(options) as unknown as Middleware;
    this.http = http.createServer((request, response) => this.serve(request, response));
  }

  static async start(options: StoreOptions, maxAge = 600_000): Promise<WebServer> {
    const web = new WebServer(new RedisStore({ client: await connect(), ...options }), maxAge);
    await new Promise<void>((resolve) => web.http.listen(0, '127.0.0.1', resolve));
    closers.push(() => {
      web.http.closeAllConnections();
      web.http.close();
    });
    return web;
  }

  /** What the page says, and the cookie to come back with. */
  async visit(path: string, cookie = ''): Promise<{ text: string; cookie: string }> {
    const { port } = this.http.address() as AddressInfo;
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { cookie } });
    const given = response.headers.get('set-cookie')?.split(';')[0];
    return { text: await response.text(), cookie: given ?? cookie };
  }

  private serve(request: http.IncomingMessage, response: http.ServerResponse): void {
    // what express adds to its requests and the middleware asks for
    const withUrl = Object.assign(request, { originalUrl: request.url });
    this.middleware(withUrl, response, (error) => {
      if (error) return void response.writeHead(500).end(error.message);
      const { session: visitor } = request as unknown as { session: Session };
      const [, page, name] = request.url!.split('/');
      if (page === 'login') visitor.user = name;
      if (page === 'logout') return void visitor.destroy(() => response.end('bye'));
      if (page !== 'look') visitor.visits = (visitor.visits ?? 0) + 1;
      response.end(`${visitor.user ?? 'nobody'} ${visitor.visits ?? 0}`);
    });
  }
}

describe('sessions', () => {
  test('log in here, go on there, log out: gone everywhere', async () => {
    const [here, there] = await Promise.all([WebServer.start({}), WebServer.start({})]);
    const { text, cookie } = await here.visit('/login/änne');
    expect(text).toBe('%C3%A4nne 1');
    for (let n = 2; n < 12; n++) {
      const { text } = await (n % 2 === 0 ? there : here).visit('/', cookie);
      expect(text).toBe(`%C3%A4nne ${n}`);
    }
    const redis = await connect();
    const keys = await redis.keys('sess:*');
    expect(keys.length).toBe(1);
    const left = await redis.pTTL(keys[0]);
    expect(left).toBeGreaterThan(590_000);
    expect(left).toBeLessThanOrEqual(600_000);
    expect((await there.visit('/logout', cookie)).text).toBe('bye');
    expect(await redis.exists(keys)).toBe(0);
    expect((await here.visit('/look', cookie)).text).toBe('nobody 0');
    // whoever only looks leaves nothing behind
    expect(await redis.keys('sess:*')).toEqual([]);
  });

  test('fifty visitors at once, each with a session of their own', async () => {
    const webs = await Promise.all([WebServer.start({ prefix: 'crowd:' }), WebServer.start({ prefix: 'crowd:' })]);
    const seen = await Promise.all(
      Array.from({ length: 50 }, async (_, i) => {
        let { cookie } = await webs[i % 2].visit(`/login/user${i}`);
        for (let n = 0; n < i % 5; n++) ({ cookie } = await webs[n % 2].visit('/', cookie));
        return (await webs[(i + 1) % 2].visit('/look', cookie)).text;
      }),
    );
    expect(seen).toEqual(Array.from({ length: 50 }, (_, i) => `user${i} ${1 + (i % 5)}`));
    expect(await webs[0].store.length()).toBe(50);
    const all: { id: string; user: string }[] = await webs[1].store.all();
    expect(all.map((one) => one.user).sort()).toEqual(seen.map((text) => text.split(' ')[0]).sort());
    const ids: string[] = await webs[0].store.ids();
    expect(new Set(ids)).toEqual(new Set(all.map((one) => one.id)));
    await webs[0].store.clear();
    expect(await webs[1].store.length()).toBe(0);
  });

  test('a session that nobody visits ends, one that is visited lasts', async () => {
    const web = await WebServer.start({ prefix: 'short:' }, 1500);
    const [kept, left] = [await web.visit('/login/kept'), await web.visit('/login/left')];
    const began = performance.now();
    const look = async () => expect((await web.visit('/look', kept.cookie)).text).toBe('kept 1');
    await waitUntil(
      'the end of the one',
      async () => {
        await look();
        return (await web.store.length()) === 1;
      },
      10_000,
      100,
    );
    expect(performance.now() - began).toBeGreaterThan(900);
    await look();
    expect((await web.visit('/look', left.cookie)).text).toBe('nobody 0');
  });
});
