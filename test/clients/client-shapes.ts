/** The ways a server is started for tests with real clients: once per reader of connections, and stock only once. */
import { serverUnderTest } from '../server/server-command.ts';
import type { ServerGroup, ServerProcess, StartOptions } from '../server/server-process.ts';

export interface Shape {
  readonly reader: 'static' | 'data';
}

/** With plain `data` events as well: Node versions whose sockets cannot be wrapped use them. */
export const SHAPES: readonly Shape[] =
  serverUnderTest().kind === 'stock' ? [{ reader: 'static' }] : [{ reader: 'static' }, { reader: 'data' }];

export function startShape(
  servers: ServerGroup,
  { reader }: Shape,
  changes: Partial<StartOptions> = {},
): Promise<ServerProcess> {
  return servers.start({
    command: serverUnderTest(),
    skeinOptions: { workers: 2, shards: 2 },
    env: reader === 'data' ? { SKEIN_READER: 'data' } : {},
    ...changes,
  });
}
