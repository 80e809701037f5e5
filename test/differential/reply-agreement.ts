/**
 * When two servers' replies count as equal: byte for byte, except where Redis itself promises less:
 * orders it leaves open, a random choice, and remaining times that depend on when the command arrived.
 */
import { decodeReply, type Reply, ReplyError } from '../server/reply-reader.ts';
import type { Words } from './arbitrary-parts.ts';
import { isHyperLogLogKey } from './hyper-log-log-arbitraries.ts';
import { isSetKey } from './set-arbitraries.ts';
import { isSortKey } from './sort-arbitraries.ts';
import { sameGroups, sameStreamErrors } from './stream-agreement.ts';

/** How far apart remaining times may lie: the two servers get a command one after the other, on a busy machine. */
const TOLERANCE_SECONDS = 3;

const UNORDERED = new Set(['keys', 'hkeys', 'hvals', 'smembers', 'sinter', 'sunion', 'sdiff', 'spop']);
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
  if (name === 'bitcount' || name === 'bitpos') {
    return (left === 0 || left === -1 || left instanceof ReplyError) && right instanceof ReplyError;
  }
  // 7.2 refuses a rank that has no opposite
  if (name === 'lpos' && words.includes('-9223372036854775808')) return right instanceof ReplyError;
  // WITHSCORE came with 7.2
  if ((name === 'zrank' || name === 'zrevrank') && words.length > 3) {
    return left instanceof ReplyError && right instanceof ReplyError;
  }
  // what Redis looks at as a HyperLogLog it keeps as it could be changed
  if (name === 'object' && left === 'raw' && right === 'embstr') return isHyperLogLogKey(words[2]);
  // 7.2 keeps small sets and small lists as listpacks
  if (name === 'object' && right === 'listpack') {
    if (left === 'quicklist') return true;
    // and SORT of stock gives a sorted set its large form
    return left === 'hashtable'
      ? isSetKey(words[2]) || isSortKey(words[2])
      : left === 'skiplist' && isSortKey(words[2]);
  }
  // the result of INCRBYFLOAT, where it is a whole number
  if (name === 'object' && words[1]?.toLowerCase() === 'encoding') return left === 'embstr' && right === 'int';
  return false;
}

/** The same cursor and the same pairs, in any order. */
function samePairs(left: Reply, right: Reply): boolean {
  if (!Array.isArray(left) || !Array.isArray(right) || left[0] !== right[0]) return false;
  return pairsOf(left[1]) === pairsOf(right[1]);
}

/** The same cursor and the same members, in any order. */
function sameMembers(left: Reply, right: Reply): boolean {
  if (!Array.isArray(left) || !Array.isArray(right) || left[0] !== right[0]) return false;
  return JSON.stringify([...(left[1] as Reply[])].sort()) === JSON.stringify([...(right[1] as Reply[])].sort());
}

function pairsOf(reply: Reply): string {
  const words = reply as Reply[];
  const pairs = words.flatMap((word, i) => (i % 2 === 0 ? [JSON.stringify([word, words[i + 1]])] : []));
  return pairs.sort().join(' ');
}

/** The same fields and values, in any order. */
function sameFields(left: Reply, right: Reply): boolean {
  const text = (reply: Reply) => pairsOf(reply instanceof Map ? [...reply].flat() : reply);
  return left !== null && right !== null && text(left) === text(right);
}

/** How far apart two doubles may be that both servers computed: their sines may differ in the last digit. */
const SCORE_TOLERANCE = 1e-12;

/** The same but for the digits of doubles: 7.0 writes 17 of them, 7.2 as few as tell the number. */
function sameScores(left: Reply, right: Reply): boolean {
  if (Array.isArray(left) && Array.isArray(right)) {
    return left.length === right.length && left.every((item, i) => sameScores(item, right[i]));
  }
  if (left === right) return true;
  if (typeof left !== typeof right || (typeof left !== 'string' && typeof left !== 'number')) return false;
  const [a, b] = [Number(left), Number(right)];
  return !Number.isInteger(a) && Math.abs(a - b) <= SCORE_TOLERANCE * Math.abs(a);
}

/** Nothing in both, or as many elements in both. */
function sameShape(left: Reply, right: Reply): boolean {
  if (Array.isArray(left) && Array.isArray(right)) return left.length === right.length;
  return (left === null) === (right === null) && Array.isArray(left) === Array.isArray(right);
}

/**
 * Places that are equally far away: their order is open, and with COUNT which of them come, too. Redis sorts them with an unstable sort
 * of its own; seven and more of them leave it in another order than they entered.
 */
function sameNearness(words: Words, left: Reply, right: Reply): boolean {
  if (!Array.isArray(left) || !Array.isArray(right) || left.length !== right.length || left.length === 0) return false;
  if (words.some((word) => word.toUpperCase() === 'COUNT')) return true;
  const members = (reply: Reply[]) => JSON.stringify(reply.map((item) => JSON.stringify(item)).sort());
  return members(left) === members(right);
}

/** True where the replies to one command agree. */
export function repliesAgree(words: Words, a: Buffer, b: Buffer): boolean {
  if (a.equals(b)) return true;
  const [left, right] = [decodeReply(a), decodeReply(b)];
  const name = words[0].toLowerCase();
  if (isListed(name, words, left, right)) return true;
  if (left instanceof ReplyError && right instanceof ReplyError) return sameStreamErrors(left, right);
  if (left instanceof ReplyError || right instanceof ReplyError) return false;
  if (sameGroups(words, left, right)) return true;
  if (UNORDERED.has(name) && a[0] === b[0] && Array.isArray(left) && Array.isArray(right)) {
    return JSON.stringify([...left].sort()) === JSON.stringify([...right].sort());
  }
  if (/^z/.test(name) && sameScores(left, right)) return true;
  if (/^geo(search|radius)/.test(name) && sameNearness(words, left, right)) return true;
  if (name === 'zscan' || name === 'hscan') return samePairs(left, right);
  if (name === 'zrandmember' || name === 'srandmember' || name === 'hrandfield') return sameShape(left, right);
  if (name === 'sscan') return sameMembers(left, right);
  if (name === 'hgetall') return sameFields(left, right);
  if (name === 'randomkey') return left !== null && right !== null;
  // Redis shares the objects of small integers, and with them the time of the last access
  if (name === 'object' && words[1]?.toLowerCase() === 'idletime') return Number(left) >= 0 && Number(right) >= 0;
  const time = TIME_REPLIES[name];
  return time !== undefined && sameTime(left, right, time);
}
