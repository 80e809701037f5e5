/** Unpredictable bytes, behind a seam so that tests can stand in for them. */
import { randomBytes } from 'node:crypto';

/** An unpredictable number of 32 bits, 0..2^32-1. */
export function random32(): number {
  return randomBytes(4).readUInt32LE(0);
}

/** `bytes` unpredictable bytes as hexadecimal digits. */
export function randomHex(bytes: number): string {
  return randomBytes(bytes).toString('hex');
}
