/** A second thread that attaches to an arena and changes a table in turns with the test; see arena-attach.test.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import { Arena, type ArenaMemory } from '../../native-free-shm/arena.ts';
import { DeadlineHeap } from '../../native-free-shm/deadline-heap.ts';
import { HalfSipHash } from '../../native-free-shm/half-siphash.ts';
import { HashTable } from '../../native-free-shm/hash-table.ts';
import { takeTurns } from './arena-attach-turns.ts';
import { BACK_WORD } from './entry-fixture.ts';

export interface AttachData {
  memory: ArenaMemory;
  turn: SharedArrayBuffer;
  root: number;
  heapRoot: number;
}

const data = workerData as AttachData;
const arena = new Arena(data.memory);
try {
  takeTurns({
    arena,
    table: new HashTable(arena, 16, 28),
    heap: new DeadlineHeap(arena, BACK_WORD),
    sip: new HalfSipHash(7, 8),
    root: data.root,
    heapRoot: data.heapRoot,
    turn: new Int32Array(data.turn),
    me: 1,
  });
  parentPort!.postMessage('done');
} catch (error) {
  parentPort!.postMessage(String(error));
  Atomics.store(new Int32Array(data.turn), 0, -1);
  Atomics.notify(new Int32Array(data.turn), 0);
}
