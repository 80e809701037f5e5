/**
 * When replies about groups of streams count as equal: when they are the same but for the times in them, which depend on when a
 * command came, and for consumers with nothing pending: 7.2 makes a consumer that asks whether or not it gets something.
 */
import type { Reply, ReplyError } from '../server/reply-reader.ts';
import type { Words } from './arbitrary-parts.ts';

/** Times; and what 7.2.7 counts better than 7.0. */
const OPEN_FIELDS: readonly Reply[] = ['idle', 'inactive', 'seen-time', 'active-time', 'lag', 'entries-read'];
const ID = /^\d+-\d+$/;

/** A pending entry: its id, perhaps its consumer, a time, how often it was delivered. */
function isPending(items: readonly Reply[]): boolean {
  const { length } = items;
  if (length !== 3 && length !== 4) return false;
  if (typeof items[0] !== 'string' || !ID.test(items[0])) return false;
  return typeof items[length - 1] === 'number' && typeof items[length - 2] === 'number';
}

/** What is told of a consumer that has nothing. */
function isIdleConsumer(reply: Reply): boolean {
  const items = reply instanceof Map ? [...reply].flat() : reply;
  if (!Array.isArray(items) || !items.some((item) => item === 'idle' || item === 'seen-time')) return false;
  const at = items.findIndex((item) => item === 'pel-count' || item === 'pending');
  return items[at + 1] === 0;
}

function comparable(reply: Reply): unknown {
  if (reply instanceof Map) return comparable([...reply].flat());
  if (!Array.isArray(reply)) return reply;
  const items: Reply[] = [];
  for (let i = 0; i < reply.length; i++) {
    const isCount = reply[i] === 'consumers' && typeof reply[i + 1] === 'number';
    if (OPEN_FIELDS.includes(reply[i]) || isCount) i++;
    else if (!isIdleConsumer(reply[i])) items.push(reply[i]);
  }
  if (isPending(items)) items.splice(-2, 1);
  return items.map(comparable);
}

/** 7.2 puts the command's name in quotes, and names the sign that it takes. */
const UNBALANCED = /^ERR Unbalanced /;

/** Where the sequence of a millisecond is used up, XADD of 7.0 says one of these: which one an errno decides that something else left. */
const USED_UP = /^ERR (Elements are too large|The ID specified in XADD is equal or smaller)/;

/** The error texts of stream commands that 7.2 has changed. */
export function sameStreamErrors(left: ReplyError, right: ReplyError): boolean {
  return [UNBALANCED, USED_UP].some((texts) => texts.test(left.message) && texts.test(right.message));
}

/** Are these replies to a command on groups the same in what can be the same? */
export function sameGroups(words: Words, left: Reply, right: Reply): boolean {
  const name = words[0].toLowerCase();
  if (name === 'xgroup') return words[1]?.toLowerCase() === 'createconsumer' && left === 1 && right === 0;
  if (name !== 'xpending' && name !== 'xinfo') return false;
  return JSON.stringify(comparable(left)) === JSON.stringify(comparable(right));
}
