/** All shared memory of pub/sub, client-side caching and MONITOR; made by the acceptor. */
import { createEventLog, type EventLogMemory } from './event-log.ts';
import { createRegistry, type RegistryMemory } from './subscription-registry.ts';
import { createTrackingTable, type TrackingMemory } from './tracking-table.ts';

export interface PubsubMemory {
  log: EventLogMemory;
  registry: RegistryMemory;
  tracking: TrackingMemory;
}

/** Room of the event log: what a worker may lag behind before it loses its listeners. */
const LOG_BYTES = 64 * 2 ** 20;

export function createPubsubMemory(workers: number, shards: number, logBytes = LOG_BYTES): PubsubMemory {
  return {
    log: createEventLog(workers, logBytes),
    registry: createRegistry(workers),
    tracking: createTrackingTable(workers, shards),
  };
}
