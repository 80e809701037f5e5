/** Faults in what EXEC and scripts have in common. */
import type { Plant } from './planted-server.ts';

const SEVERAL = 'src/dispatch/several-commands.ts';

/** The last of the latches that are collected before the first command is taken for granted. */
export const LAST_LATCH_NOT_TAKEN: readonly Plant[] = [
  {
    file: SEVERAL,
    text: 'if (waits ? !executor.acquireWaiting(turn) : !executor.acquire()) return BUSY;',
    replacement: `if (count > 1) unit.heldCount--;
      if (waits ? !executor.acquireWaiting(turn) : !executor.acquire()) return BUSY;
      unit.heldCount = count; this.untaken = count > 1 ? latched[count - 1] : -1;`,
  },
  {
    file: SEVERAL,
    text: 'this.executor.latches[shard].release();',
    replacement: 'if (shard !== this.untaken) this.executor.latches[shard].release();',
  },
];

/** A latch for which a running script reaches is taken for granted where it is busy. */
export const BUSY_LATCH_NOT_TAKEN: readonly Plant[] = [
  {
    file: SEVERAL,
    text: 'if (!this.executor.latches[shard].tryAcquire()) return this.giveBackFrom(before);',
    replacement: 'if (!this.executor.latches[shard].tryAcquire()) (this.untaken ??= new Set()).add(shard);',
  },
  {
    file: SEVERAL,
    text: 'this.executor.latches[shard].release();',
    replacement: 'if (this.untaken?.delete(shard) !== true) this.executor.latches[shard].release();',
  },
];
