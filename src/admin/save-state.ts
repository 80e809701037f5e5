/** How saving goes: numbers in shared memory, written by the acceptor, read by everybody (INFO, LASTSAVE, the gate). */
export const SAVE = {
  /** Unix ms of the last snapshot that succeeded; the start of the process stands for the first. */
  lastSaveMs: 0,
  /** 1: the last snapshot failed. */
  failed: 1,
  /** Unix ms when the snapshot under way began, 0 = none. */
  begunMs: 2,
  /** How long the last one took in seconds, -1 = there was none. */
  lastSeconds: 3,
  /** Value of the counter of changes when the last successful snapshot was taken. */
  changesThen: 4,
  /** Snapshots that succeeded. */
  saves: 5,
  /** Most bytes that the past took during the last snapshot. */
  lastKeptBytes: 6,
  /** The same for rewrites of the journal. */
  rewriteFailed: 7,
  rewriteBegunMs: 8,
  rewriteLastSeconds: 9,
  rewrites: 10,
  /** Bytes of the bases of the journal. */
  baseBytes: 12,
  /** 1: a rewrite waits until the snapshot under way is done. */
  rewriteScheduled: 11,
  /** 1: the snapshot under way, of whatever kind, is to end. Set by anybody, cleared when it has ended. */
  stop: 13,
  /** Keys that the snapshot under way will write, and has written. */
  keysTotal: 14,
  keysDone: 15,
  /** Bytes that its past takes now. */
  keptBytes: 16,
  /** Setting rdb-key-save-delay: microseconds to wait after each key. */
  keyDelayMicros: 17,
  /** Keys of the last load of an RDB file: taken, and left out because their time was over. */
  loadedKeys: 18,
  expiredKeys: 19,
} as const;
const SAVE_WORDS = 24;

export function createSaveState(nowMs: number): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(SAVE_WORDS * 8);
  const words = new Float64Array(memory);
  words[SAVE.lastSaveMs] = nowMs;
  words[SAVE.lastSeconds] = -1;
  words[SAVE.rewriteLastSeconds] = -1;
  return memory;
}
