/** A thread's way to all shards: headers, latches, keyspaces, bells and heartbeats over the shared memory of the process. */
import { Arena } from '../../native-free-shm/arena.ts';
import { DOORBELL_WORDS, Doorbell } from '../../native-free-shm/doorbell.ts';
import { HalfSipHash } from '../../native-free-shm/half-siphash.ts';
import { Heartbeats } from '../../native-free-shm/heartbeats.ts';
import { Latch } from '../../native-free-shm/latch.ts';
import { Turn } from '../../native-free-shm/turn.ts';
import { SizeLimits } from '../datatypes/size-limits.ts';
import { Keyspace } from '../keyspace/keyspace.ts';
import { FIRST_WORKER, PROCESS, SHARD, ShardHeader, type WorldMemory } from './world.ts';

export class ShardAccess {
  readonly process: Int32Array;
  readonly headers: readonly ShardHeader[];
  readonly latches: readonly Latch[];
  readonly spaces: readonly Keyspace[];
  /** By thread number. */
  readonly doorbells: readonly Doorbell[];
  readonly heartbeats: Heartbeats;
  readonly turn: Turn;
  /** Sizes up to which values stay compact; whoever reads the settings keeps them up to date. */
  readonly limits = new SizeLimits();

  /** `thread`: number of the attaching thread; `threads`: the highest thread number in use. */
  constructor(world: WorldMemory, thread: number, threads: number) {
    this.process = new Int32Array(world.process);
    this.headers = world.shards.map((shard) => new ShardHeader(shard.header));
    this.doorbells = Array.from(
      { length: threads + 1 },
      (_, number) => new Doorbell(this.process, PROCESS.doorbells + number * DOORBELL_WORDS),
    );
    this.heartbeats = new Heartbeats(this.process, PROCESS.heartbeats);
    this.latches = this.headers.map(
      (header) => new Latch(header.i32, SHARD.latch, thread, this.doorbells, this.heartbeats),
    );
    const hasher = new HalfSipHash(world.hashKey[0], world.hashKey[1]);
    this.spaces = world.shards.map(
      (shard, i) => new Keyspace(i, new Arena(shard.arena), shard.roots, hasher, this.limits),
    );
    this.turn = new Turn(this.process, PROCESS.turn, thread, this.doorbells);
  }

  /** Live bytes of all shards: data and the tables that find it. */
  liveBytes(): number {
    let sum = 0;
    for (const space of this.spaces) sum += space.arena.liveBytes();
    return sum;
  }

  stateBits(): number {
    return this.process[PROCESS.state];
  }

  setState(bit: number, on: boolean): void {
    if (on) Atomics.or(this.process, PROCESS.state, bit);
    else Atomics.and(this.process, PROCESS.state, ~bit);
  }

  ringWorker(worker: number): void {
    this.doorbells[FIRST_WORKER + worker].ring();
  }
}
