/** Hunts on a server with planted faults: rounds of a race and its checker, until a violation is seen. */
import { ReplyError } from '../server/reply-reader.ts';
import type { ServerGroup, ServerProcess } from '../server/server-process.ts';
import { within } from '../server/wait-until.ts';
import { type Plant, planted } from './planted-server.ts';

/** One round; the violation that its checker saw, or null. A checker may throw it as well. */
export type Hunt = (server: ServerProcess, round: number) => Promise<string | null>;

export interface Search {
  readonly start: () => Promise<ServerProcess>;
  readonly hunt: Hunt;
  readonly rounds: number;
  readonly roundMs: number;
  /** There is a fault: it may bring the server down or leave a history that cannot be decided. */
  readonly expected: boolean;
}

/** A server of two workers with these plants. */
export function startPlanted(servers: ServerGroup, plants: readonly Plant[]): Promise<ServerProcess> {
  return servers.start({ ...planted(plants), skeinOptions: { workers: 2, shards: 4 } });
}

/** The first violation within the rounds, null where there was none. A server that an expected fault brought down is started anew. */
export async function firstViolation({ start, hunt, rounds, roundMs, expected }: Search): Promise<string | null> {
  let server = await start();
  for (let round = 0; round < rounds; round++) {
    if (!server.running) server = await start();
    try {
      const violation = await within('one round', hunt(server, round), roundMs);
      if (violation !== null) return violation;
    } catch (error) {
      // a reply that is an error is no Error
      const text = error instanceof ReplyError ? error.message : String(error);
      if (text.includes('not linearizable')) return text;
      const broken = /one round|ECONN|connection closed|internal error/.test(text) || !server.running;
      if (!expected || !(broken || text.includes('undecided'))) throw error;
      if (broken) await server.kill();
    }
  }
  return null;
}
