/** The server of a file of application tests. */
import { afterAll, afterEach, beforeAll } from 'vitest';
import { SHAPES, startShape } from '../clients/client-shapes.ts';
import { ServerGroup } from '../server/server-process.ts';

export interface OneServer {
  /** Known once the tests run. */
  readonly port: number;
  /** Called after each test, the last one first. */
  readonly closers: (() => unknown)[];
}

/** Starts a server before the tests of the file that calls this, and ends it behind them. */
export function oneServer(): OneServer {
  const servers = new ServerGroup();
  const closers: (() => unknown)[] = [];
  let port = 0;
  beforeAll(async () => {
    port = (await startShape(servers, SHAPES[0])).port;
  });
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });
  afterAll(() => servers.removeAll());
  return {
    get port() {
      return port;
    },
    closers,
  };
}
