/**
 * Syncs of several files at the same time: who is in a round does one itself and hands others to lanes, threads that do nothing else.
 * (Never libuv's pool: a sync there waits behind everybody's work, R18.) With no lanes all is done one after the other; so it is at first, for
 * many servers never sync two files at a time: who could use lanes says so, and the acceptor starts them.
 *
 *   lane words   doorbell (16) │ task: 0 none, 1 + file number │ result: 0 under way, 1 done, < 0 error number
 *                               round → lane                     lane → round
 *
 * Invariant 1: a lane has one task at a time; the next is given, by whoever has the round word, only after its result was read.
 * Invariant 2: `sync` returns when every sync that it started has ended, whether or not one failed.
 */
import { Doorbell } from '../../native-free-shm/doorbell.ts';
import { errnoOf, type Files } from '../env/files.ts';
import { GLOBAL, type JournalMemory, LANE_WORDS } from './journal-memory.ts';

const TASK = 16;
const RESULT = 17;
const DONE = 1;
/** A lane that sleeps looks at the stop word now and then even without a ring. */
const LANE_SLEEP_MS = 60_000;

export class SyncLanes {
  private readonly i32: Int32Array;
  private readonly files: Files;
  private readonly bells: Doorbell[] = [];

  constructor(memory: JournalMemory, files: Files) {
    this.i32 = new Int32Array(memory.control);
    this.files = files;
    for (let lane = 0; lane < memory.lanes; lane++) this.bells.push(new Doorbell(this.i32, laneAt(lane)));
  }

  /** Syncs all files. Returns -1, or the index of a file whose sync failed; its error number is in `errno`. */
  sync(fds: readonly number[]): number {
    let failed = -1;
    for (let next = 0; next < fds.length; ) {
      const first = next++;
      const left = fds.length - next;
      const handed = left === 0 ? 0 : Math.min(this.running(), left);
      for (let lane = 0; lane < handed; lane++) this.hand(lane, fds[next + lane]);
      const own = syncOne(this.files, fds[first]);
      if (own < 0) failed = this.fail(first, own);
      for (let lane = 0; lane < handed; lane++) {
        const result = this.await(lane);
        if (result < 0) failed = this.fail(next + lane, result);
      }
      if (failed >= 0) return failed;
      next += handed;
    }
    return failed;
  }

  /** Lanes that may be used; they are asked for where they could be. */
  private running(): number {
    const running = Atomics.load(this.i32, GLOBAL.lanesRunning);
    if (running < this.bells.length) Atomics.store(this.i32, GLOBAL.lanesWanted, 1);
    return running;
  }

  /** Error number of the last failed sync. */
  errno = 0;

  /** Ends the lanes. */
  ringAll(): void {
    for (const bell of this.bells) bell.ring();
  }

  private fail(index: number, errno: number): number {
    this.errno = errno;
    return index;
  }

  private hand(lane: number, fd: number): void {
    const at = laneAt(lane);
    Atomics.store(this.i32, at + RESULT, 0);
    Atomics.store(this.i32, at + TASK, 1 + fd);
    this.bells[lane].ring();
  }

  private await(lane: number): number {
    const at = laneAt(lane) + RESULT;
    for (;;) {
      const result = Atomics.load(this.i32, at);
      if (result !== 0) return result;
      Atomics.wait(this.i32, at, 0);
    }
  }
}

function laneAt(lane: number): number {
  return GLOBAL.lanes + lane * LANE_WORDS;
}

/** DONE or an error number. */
function syncOne(files: Files, fd: number): number {
  try {
    files.syncData(fd);
    return DONE;
  } catch (error) {
    return errnoOf(error);
  }
}

/** Whether somebody could use lanes that are not there. From now on they are: the caller starts them all. */
export function takeLaneWish(memory: JournalMemory): boolean {
  const i32 = new Int32Array(memory.control);
  if (Atomics.exchange(i32, GLOBAL.lanesWanted, 0) === 0) return false;
  // a lane finds the task that it was given before it began
  return Atomics.exchange(i32, GLOBAL.lanesRunning, memory.lanes) === 0;
}

/** The life of lane `lane`, on its own thread: returns when the journal thread has finished. */
export function runLane(memory: JournalMemory, lane: number, files: Files): void {
  const i32 = new Int32Array(memory.control);
  const at = laneAt(lane);
  const bell = new Doorbell(i32, at);
  while (Atomics.load(i32, GLOBAL.stop) !== 2) {
    bell.waitSync(LANE_SLEEP_MS);
    const task = Atomics.exchange(i32, at + TASK, 0);
    if (task === 0) continue;
    Atomics.store(i32, at + RESULT, syncOne(files, task - 1));
    Atomics.notify(i32, at + RESULT);
  }
}
