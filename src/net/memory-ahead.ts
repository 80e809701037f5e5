/** Has memory ready before the workers need it: touches it in the acceptor's spare time, a huge page per turn of its event loop. */
import { TouchAhead } from '../../native-free-shm/touch-ahead.ts';
import type { ShardAccess } from '../shard/shard-access.ts';
import type { WorldMemory } from '../shard/world.ts';

export class MemoryAhead {
  private readonly arenas: readonly TouchAhead[];
  private scheduled = false;

  constructor(world: WorldMemory, access: ShardAccess) {
    const { spaces, pasts } = access;
    const data = world.shards.map(({ arena }, shard) => new TouchAhead(arena, spaces[shard].arena.i32));
    const stores = world.shards.map(({ past }, shard) => new TouchAhead(past.store, pasts[shard].store.i32));
    this.arenas = [...data, ...stores];
    // the first keys shall not wait either
    for (const arena of data) arena.prepare(0);
  }

  /** Called a few times a second. */
  look(): void {
    for (const arena of this.arenas) arena.look();
    this.schedule();
  }

  private schedule(): void {
    if (this.scheduled || !this.arenas.some((arena) => arena.wanted)) return;
    this.scheduled = true;
    setImmediate(this.touch);
  }

  private readonly touch = (): void => {
    this.scheduled = false;
    this.arenas.find((arena) => arena.wanted)?.step();
    this.schedule();
  };
}
