/**
 * A lock in one shared word for rare and short sections (some copies of bytes) that are on no command's usual way.
 *
 *   word   0 free | 1 held
 *
 * Invariant 1: who holds it takes no other lock and no latch, and does not wait.
 */

/** A waiting thread looks again after this long, should a wake-up be missed. */
const NAP_MS = 1;

/** Looks at the word so often before the thread sleeps: about the length of one section. */
const SPINS = 200;

/** Takes the lock in words[index]; for sections on a usual way, which need no function object. They must not throw. */
export function lockWord(words: Int32Array, index: number): void {
  for (let spins = 0; Atomics.compareExchange(words, index, 0, 1) !== 0; spins++) {
    if (spins < SPINS) Atomics.pause();
    else Atomics.wait(words, index, 1, NAP_MS);
  }
}

/** Gives back what `lockWord` took. */
export function unlockWord(words: Int32Array, index: number): void {
  Atomics.store(words, index, 0);
  Atomics.notify(words, index, 1);
}

/** Runs `section` while this thread holds the lock in words[index]; its result. */
export function underWordLock<T>(words: Int32Array, index: number, section: () => T): T {
  while (Atomics.compareExchange(words, index, 0, 1) !== 0) Atomics.wait(words, index, 1, NAP_MS);
  try {
    return section();
  } finally {
    Atomics.store(words, index, 0);
    Atomics.notify(words, index, 1);
  }
}
