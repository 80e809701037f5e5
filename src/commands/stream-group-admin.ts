/** XGROUP: groups and consumers are made, moved and removed. */
import { StreamGroups } from '../datatypes/stream-group.ts';
import { ID_FORM, StreamId } from '../datatypes/stream-id.ts';
import { LONE_GROUP, STREAM_LAST_ID } from '../datatypes/stream-value.ts';
import type { Session } from '../dispatch/session.ts';
import type { Unit } from '../dispatch/unit.ts';
import { TYPE_STREAM } from '../keyspace/entry.ts';
import { STREAM_EVENT } from '../keyspace/key-events.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR, wrongFormError } from './errors.ts';
import { replyHelp } from './help-reply.ts';
import { putStream } from './stream-add.ts';
import { exactArgument, INVALID_ID, idArgument, isCharacterArgument } from './stream-arguments.ts';
import { GroupAccess, nameRefusal, noGroupError } from './stream-group-lookup.ts';

const KEY = 2;
const GROUP = 3;
const NO_KEY =
  'ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM ' +
  'option to create an empty stream automatically.';

const access = new GroupAccess();
const id = new StreamId();

// ---- options of CREATE and SETID; one command at a time
let makesStream = false;
let entriesRead = -1n;

/** Reads the options behind the id; false after an error reply. */
function parseOptions(args: Args, isCreate: boolean, reply: ReplyWriter): boolean {
  makesStream = false;
  entriesRead = -1n;
  for (let i = 5; i < args.count; i++) {
    if (isCreate && args.equalsIgnoreCase(i, 'mkstream')) {
      makesStream = true;
    } else if (i + 1 < args.count && args.equalsIgnoreCase(i, 'entriesread')) {
      const count = exactArgument(args, ++i, reply);
      if (count === null) return false;
      if (count < -1n) {
        reply.error('ERR value for ENTRIESREAD must be positive or -1');
        return false;
      }
      entriesRead = count;
    } else {
      reply.error(wrongFormError(args, 'XGROUP'));
      return false;
    }
  }
  return true;
}

/** Looks key and group up; false after an error reply: no such key, or no such group where one is needed. */
function open(unit: Unit, args: Args, reply: ReplyWriter, needsGroup: boolean): boolean {
  if (!access.open(unit, args, KEY, GROUP, true, reply)) return false;
  if (access.root === 0) {
    reply.error(NO_KEY);
    return false;
  }
  if (access.group !== 0 || !needsGroup) return true;
  reply.error(noGroupError(args, KEY, GROUP));
  return false;
}

export function xgroupCreate(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!parseOptions(args, true, reply)) return;
  if (makesStream ? !access.open(unit, args, KEY, GROUP, true, reply) : !open(unit, args, reply, false)) return;
  if (args.count > 8) return reply.error(wrongFormError(args, 'XGROUP'));
  const { streams } = access;
  if (!isCharacterArgument(args, 4, '$')) {
    if (!idArgument(args, 4, id, reply)) return;
  } else if (access.root === 0) {
    id.setZero();
  } else {
    streams.loadId(access.root, STREAM_LAST_ID, id);
  }
  if (access.group !== 0) return reply.error('BUSYGROUP Consumer Group name already exists');
  const refusal = nameRefusal(args, GROUP);
  if (refusal !== null) return reply.error(refusal);
  if (!unit.reserve(StreamGroups.CREATION_BYTES * 2 + args.length(KEY) + args.length(GROUP)))
    return reply.error(ERR.OOM);
  let root = access.root;
  if (root === 0) {
    root = streams.create();
    putStream(unit, args, KEY, root);
  }
  const table = streams.openGroups(root);
  streams.groups.createGroup(table, args.buf, args.starts[GROUP], args.ends[GROUP], id, entriesRead);
  reply.ok();
  unit.changed(KEY, STREAM_EVENT['xgroup-create']);
}

export function xgroupSetid(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!parseOptions(args, false, reply) || !open(unit, args, reply, true)) return;
  if (args.count > 7) return reply.error(wrongFormError(args, 'XGROUP'));
  const { streams, group, root } = access;
  if (isCharacterArgument(args, 4, '$')) streams.loadId(root, STREAM_LAST_ID, id);
  else if (isCharacterArgument(args, 4, '-')) id.setZero();
  else if (isCharacterArgument(args, 4, '+')) id.setMax();
  else if (id.parse(args.buf, args.starts[4], args.ends[4], false) !== ID_FORM.whole) return reply.error(INVALID_ID);
  streams.groups.setLastId(group, id);
  streams.groups.setEntriesRead(group, entriesRead);
  reply.ok();
  unit.changed(KEY, STREAM_EVENT['xgroup-setid']);
}

export function xgroupDestroy(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!open(unit, args, reply, false)) return;
  const { streams, group, root } = access;
  if (group === 0) return reply.integer(0);
  streams.groups.unlinkGroup(streams.groupsOf(root), group);
  unit.ks.values.drop(TYPE_STREAM, group, LONE_GROUP);
  reply.integer(1);
  unit.changed(KEY, STREAM_EVENT['xgroup-destroy']);
}

export function xgroupCreateConsumer(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!open(unit, args, reply, true)) return;
  const refusal = nameRefusal(args, 4);
  if (refusal !== null) return reply.error(refusal);
  const { groups } = access.streams;
  if (access.consumer(args, 4) !== 0) return reply.integer(0);
  groups.createConsumer(access.group, args.buf, args.starts[4], args.ends[4], unit.nowMs);
  reply.integer(1);
  unit.changed(KEY, STREAM_EVENT['xgroup-createconsumer']);
}

export function xgroupDelConsumer(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!open(unit, args, reply, true)) return;
  const consumer = access.consumer(args, 4);
  if (consumer === 0) return reply.integer(0);
  reply.integer(access.streams.groups.removeConsumer(access.group, consumer));
  unit.changed(KEY, STREAM_EVENT['xgroup-delconsumer']);
}

const HELP = [
  'CREATE <key> <groupname> <id|$> [option]',
  '    Make a group that reads behind an id. Options:',
  '    * MKSTREAM',
  '      Make the stream as well where there is none.',
  '    * ENTRIESREAD <count>',
  '      How many entries the group counts as read.',
  'CREATECONSUMER <key> <groupname> <consumer>',
  '    Make a consumer in a group.',
  'DELCONSUMER <key> <groupname> <consumer>',
  '    Remove a consumer and what is pending with it.',
  'DESTROY <key> <groupname>',
  '    Remove a group.',
  'SETID <key> <groupname> <id|$> [ENTRIESREAD <count>]',
  '    Let a group read on behind another id.',
];

export function xgroupHelp(_session: Session, _args: Args, reply: ReplyWriter): void {
  replyHelp(reply, 'XGROUP', HELP);
}
