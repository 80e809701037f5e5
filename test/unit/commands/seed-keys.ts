/** Puts strings into the keyspace of an in-process server and reads them back, past all commands. */
import { HalfSipHash } from '../../../native-free-shm/half-siphash.ts';
import { NO_DEADLINE } from '../../../src/keyspace/entry.ts';
import type { Keyspace } from '../../../src/keyspace/keyspace.ts';
import { slotMap, slotOf } from '../../../src/keyspace/slot.ts';
import type { InProcess } from './in-process.ts';

/** The hash key of the in-process server. */
const hasher = new HalfSipHash(0x12345678, 0x0abcdef0);

/** Shard of a key. */
export function shardOf(server: InProcess, key: string): number {
  const shards = server.access.spaces.length;
  const bytes = Buffer.from(key, 'latin1');
  return shards === 1 ? 0 : slotMap(shards)[slotOf(bytes, 0, bytes.length)];
}

/** A key with this prefix that lies in this shard. */
export function keyInShard(server: InProcess, shard: number, prefix: string): string {
  for (let i = 0; ; i++) if (shardOf(server, `${prefix}${i}`) === shard) return `${prefix}${i}`;
}

function look(server: InProcess, db: number, key: string): { ks: Keyspace; h: number; bytes: Buffer; hash: number } {
  const bytes = Buffer.from(key, 'latin1');
  const ks = server.access.spaces[shardOf(server, key)];
  const hash = hasher.hash(bytes, 0, bytes.length);
  return { ks, h: ks.find(db, hash, bytes, 0, bytes.length), bytes, hash };
}

/** Creates or overwrites a string. */
export function put(server: InProcess, key: string, value: string, deadline = NO_DEADLINE, db = 0, raw = false): void {
  const { ks, h, bytes, hash } = look(server, db, key);
  const v = Buffer.from(value, 'latin1');
  if (!ks.reserve(bytes.length + v.length + (1 << 20))) throw new Error('no room');
  ks.clock = Math.floor(server.nowMs / 1000) & 0xffffff;
  ks.setString(db, hash, bytes, 0, bytes.length, v, 0, v.length, deadline, h, raw);
}

/** What a key holds, [value, deadline], or null. */
export function peek(server: InProcess, key: string, db = 0): [value: string, deadline: number] | null {
  const { ks, h } = look(server, db, key);
  if (h === 0) return null;
  ks.value(h);
  return [ks.vBuf.toString('latin1', ks.vStart, ks.vEnd), ks.deadlineOf(h)];
}
