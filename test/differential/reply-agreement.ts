/**
 * When two servers' replies count as equal: byte for byte, except where Redis itself promises less:
 * orders it leaves open, a random choice, and remaining times that depend on when the command arrived.
 */
import { decodeReply, type Reply, ReplyError } from '../server/reply-reader.ts';
import type { Words } from './command-arbitraries.ts';

/** How far apart remaining times may lie: the two servers get a command one after the other, on a busy machine. */
const TOLERANCE_SECONDS = 3;

const UNORDERED = new Set(['keys']);
const TIME_UNIT_PER_SECOND: Readonly<Record<string, number>> = {
  ttl: 1,
  pttl: 1000,
  expiretime: 1,
  pexpiretime: 1000,
};

function sameTime(a: Reply, b: Reply, unitsPerSecond: number): boolean {
  const [left, right] = [Number(a), Number(b)]; // a 64-bit one may be rounded: by far less than the tolerance
  return left >= 0 && right >= 0 && Math.abs(left - right) <= TOLERANCE_SECONDS * unitsPerSecond;
}

/** True where the replies to one command agree. */
export function repliesAgree(words: Words, a: Buffer, b: Buffer): boolean {
  if (a.equals(b)) return true;
  const [left, right] = [decodeReply(a), decodeReply(b)];
  if (left instanceof ReplyError || right instanceof ReplyError) return false;
  const name = words[0].toLowerCase();
  if (UNORDERED.has(name) && Array.isArray(left) && Array.isArray(right)) {
    return JSON.stringify([...left].sort()) === JSON.stringify([...right].sort());
  }
  if (name === 'randomkey') return left !== null && right !== null;
  // Redis shares the objects of small integers, and with them the time of the last access
  if (name === 'object' && words[1]?.toLowerCase() === 'idletime') return Number(left) >= 0 && Number(right) >= 0;
  const unit = TIME_UNIT_PER_SECOND[name];
  return unit !== undefined && sameTime(left, right, unit);
}
