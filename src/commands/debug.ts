/** DEBUG: for tests and for looking inside. */
import type { Session } from '../dispatch/session.ts';
import type { Unit } from '../dispatch/unit.ts';
import { globMatch } from '../keyspace/glob.ts';
import type { Args } from '../resp/args.ts';
import { parseFloatStrict, parseInteger } from '../resp/numbers.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR, wrongFormError } from './errors.ts';
import { replyHelp } from './help-reply.ts';
import { encodingName } from './object.ts';

/** DEBUG with a subcommand that is none. */
export function debug(_session: Session, args: Args, reply: ReplyWriter): void {
  reply.error(wrongFormError(args, 'DEBUG'));
}

/** Blocks this thread with all its clients; other threads go on. */
export function debugSleep(session: Session, args: Args, reply: ReplyWriter): void {
  if (args.count !== 3) return reply.error(wrongFormError(args, 'DEBUG'));
  const seconds = parseFloatStrict(args.buf, args.starts[2], args.ends[2]);
  if (seconds > 0) session.server.control.sleepSync(seconds * 1000);
  reply.ok();
}

export function debugSetActiveExpire(session: Session, args: Args, reply: ReplyWriter): void {
  if (args.count !== 3) return reply.error(wrongFormError(args, 'DEBUG'));
  session.server.control.setActiveExpire(flagOf(args));
  reply.ok();
}

export function debugSkipChecksums(session: Session, args: Args, reply: ReplyWriter): void {
  if (args.count !== 3) return reply.error(wrongFormError(args, 'DEBUG'));
  session.server.control.skipChecksums(flagOf(args));
  reply.ok();
}

function flagOf(args: Args): boolean {
  const flag = parseInteger(args.buf, args.starts[2], args.ends[2]);
  return flag !== 0 && !Number.isNaN(flag);
}

/** SET-DISABLE-DENY-SCRIPTS: whether scripts may run what they may not. */
export function debugDenyScripts(session: Session, args: Args, reply: ReplyWriter): void {
  if (args.count !== 3) return reply.error(wrongFormError(args, 'DEBUG'));
  session.server.scripting.store.setFree(args.text(2) !== '0');
  reply.ok();
}

/** RELOAD: the data set comes from the journal files alone; the answer follows when it is there. */
export function debugReload(session: Session, _args: Args, _reply: ReplyWriter): void {
  session.park();
  session.server.control.reload(session, false);
}

/** The same; with `appendonly no` from the files that BGREWRITEAOF has written, if it has. */
export function debugLoadAof(session: Session, _args: Args, _reply: ReplyWriter): void {
  session.park();
  session.server.control.reload(session, true);
}

export function debugLog(session: Session, args: Args, reply: ReplyWriter): void {
  if (args.count !== 3) return reply.error(wrongFormError(args, 'DEBUG'));
  session.server.control.log(`DEBUG LOG: ${args.text(2)}`);
  reply.ok();
}

export function debugError(_session: Session, args: Args, reply: ReplyWriter): void {
  if (args.count !== 3) return reply.error(wrongFormError(args, 'DEBUG'));
  reply.error(args.text(2));
}

/** Matches as KEYS would; for patterns that are meant to be slow. */
export function debugStringmatch(_session: Session, args: Args, reply: ReplyWriter): void {
  if (args.count !== 4) return reply.error(wrongFormError(args, 'DEBUG'));
  const { buf, starts, ends } = args;
  reply.integer(globMatch(buf, starts[2], ends[2], buf, starts[3], ends[3], false) ? 1 : 0);
}

/** Switches of parts that Skein has no counterpart of: there is nothing that they could change. */
export function debugNothing(_session: Session, args: Args, reply: ReplyWriter): void {
  if (args.count !== 3) reply.error(wrongFormError(args, 'DEBUG'));
  else reply.ok();
}

export function debugSegfault(session: Session, _args: Args, _reply: ReplyWriter): void {
  session.server.control.crash('segfault');
}

export function debugPanic(session: Session, _args: Args, _reply: ReplyWriter): void {
  session.server.control.crash('panic');
}

/** Shows what is there, though its time may be over. */
export function debugObject(unit: Unit, args: Args, reply: ReplyWriter): void {
  const ks = unit.spaces[unit.shardOfArg[2]];
  const h = ks.find(unit.db, unit.hashes[2], args.buf, args.starts[2], args.ends[2]);
  if (h === 0) return reply.error(ERR.NO_SUCH_KEY);
  const place = `0x${(h >>> 0).toString(16)}0`;
  reply.simple(
    `Value at:${place} refcount:1 encoding:${encodingName(ks, h)} lru:${ks.clockOf(h)} lru_seconds_idle:${ks.idleSeconds(h)}`,
  );
}

/** Walks table, heap and arena of every shard and fails on any broken invariant. */
export function debugCheck(unit: Unit, _args: Args, reply: ReplyWriter): void {
  for (let i = 0; i < unit.heldCount; i++) {
    const ks = unit.spaceOf(unit.held[i]);
    for (let db = 0; db < ks.databases; db++) {
      if (ks.root(db) === 0) continue;
      ks.table.check(ks.root(db));
      ks.heap.check(ks.heapRoot(db));
    }
  }
  reply.ok();
}

export function debugHelp(_session: Session, _args: Args, reply: ReplyWriter): void {
  replyHelp(reply, 'DEBUG', [
    'CHECK',
    '    Walk the tables of all shards and answer an error when an invariant is broken.',
    'DIGEST',
    '    A digest of the whole data set.',
    'DIGEST-VALUE <key> [<key> ...]',
    '    Digests of single keys.',
    'ERROR <text>',
    '    Answer this error.',
    'LOADAOF',
    '    The same as RELOAD.',
    'LOG <text>',
    '    Write a line into the log.',
    'OBJECT <key>',
    '    Inner facts about a key.',
    'PANIC',
    '    End the process as a broken invariant does.',
    'POPULATE <count> [<prefix>] [<size>]',
    '    Add so many keys: <prefix>:<n> holds value:<n>, filled with zeros to <size> bytes.',
    'PROTOCOL <type>',
    '    A sample reply of a type.',
    'QUICKLIST-PACKED-THRESHOLD <size>',
    '    Accepted; long elements of lists are kept apart in any case.',
    'RELOAD',
    '    Drop the data and load it from the journal files again.',
    'SEGFAULT',
    '    End the process at once.',
    'SET-ACTIVE-EXPIRE (0|1)',
    '    Whether expired keys are removed before anybody asks for them.',
    'SLEEP <seconds>',
    '    Stop the thread of this connection for a while.',
    'STRINGMATCH-LEN <pattern> <text>',
    '    Whether a text matches a glob pattern.',
  ]);
}
