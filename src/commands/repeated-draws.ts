/**
 * SRANDMEMBER, HRANDFIELD, ZRANDMEMBER with a negative count: the client may ask for as many elements as it likes, out of the smallest key.
 * Redis writes until the client's output limit, or memory, ends it; here the shard's latch would be held meanwhile.
 */
import { showProgress } from '../../native-free-shm/heartbeats.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';

const MOST_BYTES = 128 * 1024 * 1024;
const TOO_LONG = `ERR the reply would be longer than ${MOST_BYTES} bytes`;
const PROGRESS_EVERY = 1024;

/** Writes `count` elements behind an opened array; `mark`: where that begins. Stops where nobody would take them all. */
export function drawRepeatedly(reply: ReplyWriter, mark: number, count: number, draw: () => void): void {
  const end = Math.min(reply.most, mark + MOST_BYTES);
  for (let i = 0; i < count; i++) {
    draw();
    if (reply.pos > end) return stop(reply, mark);
    if (i % PROGRESS_EVERY === 0) showProgress();
  }
}

function stop(reply: ReplyWriter, mark: number): void {
  // the connection will be closed for that: what is written does not matter any more
  if (reply.pos > reply.most) return;
  reply.rewind(mark);
  reply.error(TOO_LONG);
}
