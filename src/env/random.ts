/** Unpredictable bytes, behind a seam so that tests can stand in for them. */
import { randomBytes, randomFillSync } from 'node:crypto';

/** An unpredictable number of 32 bits, 0..2^32-1. */
export function random32(): number {
  return randomBytes(4).readUInt32LE(0);
}

const BATCH = 1024;
const batch = new Uint32Array(BATCH);
let taken = BATCH;

/** As random32, out of a batch: for what asks often, as the random members of a set do. */
export function quickRandom32(): number {
  if (taken === BATCH) {
    randomFillSync(batch);
    taken = 0;
  }
  return batch[taken++];
}

/** `bytes` unpredictable bytes as hexadecimal digits. */
export function randomHex(bytes: number): string {
  return randomBytes(bytes).toString('hex');
}
