/**
 * How many clients the system's limit of open files leaves room for (ulimit -n). The server opens files while it runs: the thread that writes
 * snapshots needs some, and so does each shard when the journal is rewritten. Clients must not take these away.
 */
import { readdirSync, readFileSync } from 'node:fs';

/** Files that stay free for what the server does itself. */
const RESERVED = 32;
const RESERVED_PER_SHARD = 2;

/** Files that this process may have open; Infinity where that cannot be told. */
export function openFileLimit(): number {
  try {
    const found = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'));
    return found === null ? Number.POSITIVE_INFINITY : Number(found[1]);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/** Connections that there may be at the same time, 0 at least; `clients`: how many there are now. Infinity as above. */
export function mostClients(clients: number, shards: number): number {
  const limit = openFileLimit();
  if (limit === Number.POSITIVE_INFINITY) return limit;
  const own = readdirSync('/proc/self/fd').length - clients;
  return Math.max(limit - own - RESERVED - RESERVED_PER_SHARD * shards, 0);
}
