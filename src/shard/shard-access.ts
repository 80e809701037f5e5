/** A thread's way to all shards: headers, latches, keyspaces, bells and heartbeats over the shared memory of the process. */
import { Arena } from '../../native-free-shm/arena.ts';
import { DOORBELL_WORDS, Doorbell } from '../../native-free-shm/doorbell.ts';
import { HalfSipHash } from '../../native-free-shm/half-siphash.ts';
import { Heartbeats } from '../../native-free-shm/heartbeats.ts';
import { Latch } from '../../native-free-shm/latch.ts';
import { OldBlocks } from '../../native-free-shm/old-blocks.ts';
import { PastGauge } from '../../native-free-shm/past-gauge.ts';
import { Turn } from '../../native-free-shm/turn.ts';
import { SizeLimits } from '../datatypes/size-limits.ts';
import { Keyspace } from '../keyspace/keyspace.ts';
import { InterestTable } from './interest-table.ts';
import { FIRST_WORKER, PAUSE_BITS, PROCESS, SHARD, ShardHeader, STATE, type WorldMemory } from './world.ts';

export class ShardAccess {
  readonly process: Int32Array;
  /** The one Float64 of PROCESS.pauseEndMs. */
  readonly pauseEnd: Float64Array;
  readonly headers: readonly ShardHeader[];
  readonly latches: readonly Latch[];
  readonly spaces: readonly Keyspace[];
  /** By shard: what a snapshot still needs. */
  readonly pasts: readonly OldBlocks[];
  /** What all snapshots need together. */
  readonly pastGauge: PastGauge;
  /** By thread number. */
  readonly doorbells: readonly Doorbell[];
  readonly heartbeats: Heartbeats;
  readonly turn: Turn;
  /** Sizes up to which values stay compact; whoever reads the settings keeps them up to date. */
  readonly limits = new SizeLimits();

  /** `thread`: number of the attaching thread; `threads`: the highest thread number in use. */
  constructor(world: WorldMemory, thread: number, threads: number) {
    this.process = new Int32Array(world.process);
    this.pauseEnd = new Float64Array(world.process, PROCESS.pauseEndMs * 4, 1);
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
    this.pastGauge = new PastGauge(this.process, PROCESS.pastGauge, () => {
      return (Atomics.or(this.process, PROCESS.state, STATE.snapshotFull) & STATE.snapshotFull) === 0;
    });
    this.pasts = world.shards.map((shard, i) => new OldBlocks(shard.past, this.spaces[i].arena, this.pastGauge));
    this.turn = new Turn(this.process, PROCESS.turn, thread, this.doorbells);
  }

  /** Live bytes of all shards: data and the tables that find it. */
  liveBytes(): number {
    let sum = 0;
    for (const space of this.spaces) sum += space.arena.liveBytes();
    return sum;
  }

  /** CLIENT PAUSE as it is in force: unix ms of its end (0: there is none), and whether every command waits. */
  pauseState(): { endMs: number; all: boolean } {
    const bits = this.stateBits();
    const endMs = (bits & PAUSE_BITS) === 0 ? 0 : this.pauseEnd[0];
    return { endMs, all: (bits & STATE.pausedAll) !== 0 };
  }

  /** Who is interested in the keys of each shard. `watchWords`: the words of clients that watches mark (ClientRecords). */
  interestTables(world: WorldMemory, watchWords: Int32Array): InterestTable[] {
    return world.shards.map(
      (shard, i) => new InterestTable(shard.interest, this.spaces[i], this.headers[i].i32, watchWords),
    );
  }

  stateBits(): number {
    return this.process[PROCESS.state];
  }

  setState(bit: number, on: boolean): void {
    if (on) Atomics.or(this.process, PROCESS.state, bit);
    else Atomics.and(this.process, PROCESS.state, ~bit);
  }

  /** Lets writes go on that wait for a snapshot's memory, where there is room again. For whoever gives that memory back. */
  admitWrites(workers: number): void {
    if ((this.stateBits() & STATE.snapshotFull) === 0 || !this.pastGauge.hasRoom()) return;
    this.setState(STATE.snapshotFull, false);
    for (let worker = 0; worker < workers; worker++) this.ringWorker(worker);
  }

  ringWorker(worker: number): void {
    this.doorbells[FIRST_WORKER + worker].ring();
  }
}
