/**
 * When two servers' replies count as equal: byte for byte, except where Redis itself promises less:
 * orders it leaves open, a random choice, and remaining times that depend on when the command arrived.
 */
import { decodeReply, type Reply, ReplyError } from '../server/reply-reader.ts';
import type { Words } from './command-arbitraries.ts';

/** How far apart remaining times may lie: the two servers get a command one after the other, on a busy machine. */
const TOLERANCE_SECONDS = 3;

const UNORDERED = new Set(['keys']);
/** Latest time of death that Skein keeps, in unix ms; stock keeps later ones. */
const LATEST_MS = 2 ** 53;
interface TimeReply {
  readonly perSecond: number;
  readonly isRemaining: boolean;
}
const TIME_REPLIES: Readonly<Record<string, TimeReply>> = {
  ttl: { perSecond: 1, isRemaining: true },
  pttl: { perSecond: 1000, isRemaining: true },
  expiretime: { perSecond: 1, isRemaining: false },
  pexpiretime: { perSecond: 1000, isRemaining: false },
};

function sameTime(a: Reply, b: Reply, { perSecond, isRemaining }: TimeReply): boolean {
  const latest = ((LATEST_MS - (isRemaining ? Date.now() : 0)) / 1000) * perSecond;
  const left = Math.min(Number(a), latest); // a 64-bit one may be rounded: by far less than the tolerance
  const right = Number(b);
  return left >= 0 && right >= 0 && Math.abs(left - right) <= TOLERANCE_SECONDS * perSecond;
}

/** Differences from stock 7.0.15 that are meant: each stands in test/compat/DIFFERENCES.md. `left` is stock's reply. */
function isListed(name: string, words: Words, left: Reply, right: Reply): boolean {
  // 7.2 looks at the arguments before it looks at the key
  if (name === 'bitcount' || name === 'bitpos') return (left === 0 || left === -1) && right instanceof ReplyError;
  // the result of INCRBYFLOAT, where it is a whole number
  if (name === 'object' && words[1]?.toLowerCase() === 'encoding') return left === 'embstr' && right === 'int';
  return false;
}

/** True where the replies to one command agree. */
export function repliesAgree(words: Words, a: Buffer, b: Buffer): boolean {
  if (a.equals(b)) return true;
  const [left, right] = [decodeReply(a), decodeReply(b)];
  const name = words[0].toLowerCase();
  if (isListed(name, words, left, right)) return true;
  if (left instanceof ReplyError || right instanceof ReplyError) return false;
  if (UNORDERED.has(name) && Array.isArray(left) && Array.isArray(right)) {
    return JSON.stringify([...left].sort()) === JSON.stringify([...right].sort());
  }
  if (name === 'randomkey') return left !== null && right !== null;
  // Redis shares the objects of small integers, and with them the time of the last access
  if (name === 'object' && words[1]?.toLowerCase() === 'idletime') return Number(left) >= 0 && Number(right) >= 0;
  const time = TIME_REPLIES[name];
  return time !== undefined && sameTime(left, right, time);
}
