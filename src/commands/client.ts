/** CLIENT: identity and state of connections. Listing and killing work over all workers through the shared client records. */
import { CLIENT_FLAG, type ClientInfo } from '../admin/client-records.ts';
import type { Session } from '../dispatch/session.ts';
import type { Args } from '../resp/args.ts';
import { parseInteger } from '../resp/numbers.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { BAD_CLIENT_NAME, clientLine, isPrintable, setClientName } from './client-text.ts';
import { commandTable } from './command-registry.ts';
import { ERR } from './errors.ts';
import { replyHelp } from './help-reply.ts';
import { REPLY_MODE } from './reply-mode.ts';

/** Types that CLIENT LIST and KILL tell apart. */
const CLIENT_TYPES = ['normal', 'slave', 'replica', 'pubsub', 'master'];

/** The name of a client type in lower case, or null after an error reply. */
export function clientTypeArgument(args: Args, index: number, reply: ReplyWriter): string | null {
  const name = args.text(index).toLowerCase();
  if (CLIENT_TYPES.includes(name)) return name;
  reply.error(`ERR Unknown client type '${args.text(index)}'`);
  return null;
}

/** Is a connection of this type? Who has subscriptions is not a normal one. */
export function isOfType(info: ClientInfo, type: string): boolean {
  const own = (info.flags & CLIENT_FLAG.subscriber) !== 0 ? 'pubsub' : 'normal';
  return type === own;
}

function ofType(infos: readonly ClientInfo[], type: string): ClientInfo[] {
  return infos.filter((info) => isOfType(info, type));
}

export function clientId(session: Session, _args: Args, reply: ReplyWriter): void {
  reply.integer(session.id);
}

export function clientGetname(session: Session, _args: Args, reply: ReplyWriter): void {
  if (session.name === '') reply.null();
  else reply.bulkText(session.name);
}

export function clientSetname(session: Session, args: Args, reply: ReplyWriter): void {
  if (!isPrintable(args, 2)) return reply.error(BAD_CLIENT_NAME);
  setClientName(session, args.text(2));
  reply.ok();
}

export function clientSetinfo(session: Session, args: Args, reply: ReplyWriter): void {
  const isName = args.equalsIgnoreCase(2, 'lib-name');
  if (!isName && !args.equalsIgnoreCase(2, 'lib-ver')) return reply.error(`ERR Unrecognized option '${args.text(2)}'`);
  if (!isPrintable(args, 3)) {
    return reply.error(`ERR ${args.text(2)} cannot contain spaces, newlines or special characters.`);
  }
  const text = args.text(3);
  if (isName) session.libName = text;
  else session.libVersion = text;
  session.server.clients.describe(session.record, isName ? { libName: text } : { libVersion: text });
  reply.ok();
}

/** As `info`, with the bytes of the running command, if it is the session's own: the record knows of them only between batches. */
function asItIs(session: Session, args: Args, info: ClientInfo): ClientInfo {
  if (info.id !== session.id) return info;
  let argumentBytes = 0;
  for (let i = 0; i < args.count; i++) argumentBytes += args.length(i);
  const frameBytes = args.frameStart < 0 ? args.ends[args.count - 1] - args.starts[0] : args.frameEnd - args.frameStart;
  return { ...info, queryBytes: frameBytes, argumentBytes, totalBytes: info.totalBytes + frameBytes };
}

/** Brings the session's own record up to this command, so that it shows itself as it is. */
function refreshOwnRecord(session: Session, args: Args): void {
  session.server.clients.touch(session.record, session.nowMs, commandTable().lookup(args)!.id, session.db);
}

export function clientInfo(session: Session, args: Args, reply: ReplyWriter): void {
  refreshOwnRecord(session, args);
  const info = session.server.clients.read(session.record);
  if (info === null) throw new Error(`client ${session.id} has no record`);
  reply.verbatim(`${clientLine(asItIs(session, args, info), session.nowMs)}\n`, 'txt');
}

function replyClients(session: Session, args: Args, infos: readonly ClientInfo[], reply: ReplyWriter): void {
  let text = '';
  for (const info of infos) text += `${clientLine(asItIs(session, args, info), session.nowMs)}\n`;
  reply.verbatim(text, 'txt');
}

export function clientList(session: Session, args: Args, reply: ReplyWriter): void {
  refreshOwnRecord(session, args);
  const clients = session.server.clients;
  if (args.count === 2) return replyClients(session, args, clients.list(), reply);
  if (args.count === 4 && args.equalsIgnoreCase(2, 'type')) {
    const type = clientTypeArgument(args, 3, reply);
    if (type !== null) replyClients(session, args, ofType(clients.list(), type), reply);
    return;
  }
  if (args.count > 3 && args.equalsIgnoreCase(2, 'id')) return listByIds(session, args, reply);
  reply.error(ERR.SYNTAX);
}

/** Clients in the order of the given ids, as often as they are named. */
function listByIds(session: Session, args: Args, reply: ReplyWriter): void {
  const byId = new Map(session.server.clients.list().map((info) => [info.id, info]));
  const chosen: ClientInfo[] = [];
  for (let i = 3; i < args.count; i++) {
    const id = parseInteger(args.buf, args.starts[i], args.ends[i]);
    if (Number.isNaN(id)) return reply.error('ERR Invalid client ID');
    const info = byId.get(id);
    if (info !== undefined) chosen.push(info);
  }
  replyClients(session, args, chosen, reply);
}

export function clientReply(session: Session, args: Args, reply: ReplyWriter): void {
  if (args.equalsIgnoreCase(2, 'on')) {
    session.replyMode = REPLY_MODE.on;
    reply.ok();
  } else if (args.equalsIgnoreCase(2, 'off')) {
    session.replyMode = REPLY_MODE.off;
  } else if (args.equalsIgnoreCase(2, 'skip')) {
    if (session.replyMode !== REPLY_MODE.off) session.replyMode = REPLY_MODE.skipNext;
  } else {
    reply.error(ERR.SYNTAX);
  }
}

/** ON or OFF in argument 2; null after an error reply. */
function onOff(args: Args, reply: ReplyWriter): boolean | null {
  if (args.equalsIgnoreCase(2, 'on')) return true;
  if (args.equalsIgnoreCase(2, 'off')) return false;
  reply.error(ERR.SYNTAX);
  return null;
}

export function clientNoEvict(session: Session, args: Args, reply: ReplyWriter): void {
  const on = onOff(args, reply);
  if (on === null) return;
  session.noEvict = on;
  session.server.clients.setFlag(session.record, CLIENT_FLAG.noEvict, on);
  reply.ok();
}

export function clientNoTouch(session: Session, args: Args, reply: ReplyWriter): void {
  const on = onOff(args, reply);
  if (on === null) return;
  session.noTouch = on;
  session.server.clients.setFlag(session.record, CLIENT_FLAG.noTouch, on);
  reply.ok();
}

export function clientHelp(_session: Session, _args: Args, reply: ReplyWriter): void {
  replyHelp(reply, 'CLIENT', [
    'CACHING (YES|NO)',
    '    Whether to track the keys of the next command (modes OPTIN and OPTOUT).',
    'GETREDIR',
    '    The id of the connection that gets the invalidations of this one.',
    'GETNAME',
    '    The name of this connection.',
    'ID',
    '    The id of this connection.',
    'INFO',
    '    The line that CLIENT LIST shows for this connection.',
    'KILL <ip:port>',
    '    Close the connection from <ip:port>.',
    'KILL <option> <value> [<option> <value> [...]]',
    '    Close the connections that all options name:',
    '    * ADDR (<ip:port>|<unixsocket>:0)',
    '      those from this address',
    '    * ID <client-id>',
    '      the one with this id',
    '    * LADDR (<ip:port>|<unixsocket>:0)',
    '      those to this local address',
    '    * MAXAGE <seconds>',
    '      those that are at least so old',
    '    * SKIPME (YES|NO)',
    '      whether to spare this connection (default: yes)',
    '    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)',
    '      those of this type',
    '    * USER <username>',
    '      those of this user',
    'LIST [TYPE (NORMAL|MASTER|REPLICA|PUBSUB)] [ID <client-id> [...]]',
    '    A line about each connection.',
    'NO-EVICT (ON|OFF)',
    '    Spare this connection when clients are closed to gain memory.',
    'NO-TOUCH (ON|OFF)',
    '    Let commands of this connection leave the idle time of keys alone.',
    'PAUSE <timeout> [WRITE|ALL]',
    '    Let commands (or only those that may change something) of all connections',
    '    wait for so many milliseconds.',
    'REPLY (ON|OFF|SKIP)',
    '    Whether commands of this connection are answered.',
    'SETINFO <option> <value>',
    '    Tell about the client library:',
    '    * LIB-NAME <name>',
    '    * LIB-VER <version>',
    'SETNAME <name>',
    '    Give this connection a name.',
    'TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]',
    '         [OPTIN] [OPTOUT] [NOLOOP]',
    '    Tell this connection when keys change that it has read.',
    'TRACKINGINFO',
    '    How keys are tracked for this connection.',
    'UNBLOCK <client-id> [TIMEOUT|ERROR]',
    '    End the waiting of a connection, as if its time were over or with an error.',
    'UNPAUSE',
    '    End the pause.',
  ]);
}
