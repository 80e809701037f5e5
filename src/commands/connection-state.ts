/** PING, ECHO, AUTH, HELLO, SELECT, RESET, QUIT: the state of the client's own connection. */
import { CLIENT_FLAG } from '../admin/client-records.ts';
import { REDIS_VERSION } from '../admin/version.ts';
import type { Session } from '../dispatch/session.ts';
import type { Args } from '../resp/args.ts';
import { parseInteger } from '../resp/numbers.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { BAD_CLIENT_NAME, isPrintable, setClientName } from './client-text.ts';
import { clearTracking } from './client-tracking.ts';
import { ERR } from './errors.ts';
import { databaseArgument } from './integer-arguments.ts';

const WRONGPASS = 'WRONGPASS invalid username-password pair or user is disabled.';
const NO_PASSWORD_SET =
  'ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?';
const HELLO_NOAUTH =
  'NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time';

/** Where messages come in between, a RESP2 client expects nothing but arrays. */
function pingSubscriber(args: Args, reply: ReplyWriter): void {
  reply.array(2);
  reply.bulkText('pong');
  if (args.count === 2) reply.bulk(args.buf, args.starts[1], args.ends[1]);
  else reply.bulkText('');
}

export function ping(session: Session, args: Args, reply: ReplyWriter): void {
  if (args.count > 2) reply.error("ERR wrong number of arguments for 'ping' command");
  else if (session.isSubscriber && session.resp === 2) pingSubscriber(args, reply);
  else if (args.count === 2) reply.bulk(args.buf, args.starts[1], args.ends[1]);
  else reply.simple('PONG');
}

export function echo(_session: Session, args: Args, reply: ReplyWriter): void {
  reply.bulk(args.buf, args.starts[1], args.ends[1]);
}

/** Compares a password in a time that depends on the given bytes only, not on where they differ. */
function passwordFits(args: Args, index: number, password: string): boolean {
  const length = args.length(index);
  let difference = length ^ password.length;
  for (let i = 0; i < length; i++) {
    difference |=
      args.buf[args.starts[index] + i] ^ (password.length > 0 ? password.charCodeAt(i % password.length) : 0);
  }
  return difference === 0;
}

/** Logs the session in as `user`, if name and password (argument indexes; no name: the default user) are right. */
function authenticate(session: Session, args: Args, userIndex: number | null, passwordIndex: number): boolean {
  if (userIndex !== null && args.text(userIndex) !== 'default') return false;
  const password = session.server.settings.text('requirepass');
  // without a password the default user accepts any
  if (password !== '' && !passwordFits(args, passwordIndex, password)) return false;
  session.authenticated = true;
  session.user = 'default';
  session.server.clients.describe(session.record, { user: session.user });
  return true;
}

export function auth(session: Session, args: Args, reply: ReplyWriter): void {
  if (args.count > 3) return reply.error(ERR.SYNTAX);
  if (args.count === 2 && session.server.settings.text('requirepass') === '') return reply.error(NO_PASSWORD_SET);
  const fits = args.count === 2 ? authenticate(session, args, null, 1) : authenticate(session, args, 1, 2);
  if (fits) reply.ok();
  else reply.error(WRONGPASS);
}

/** The options of HELLO as argument indexes, 0 where absent; an error text where they are wrong. */
function parseHello(args: Args): { user: number; name: number } | string {
  let user = 0;
  let name = 0;
  for (let i = 2; i < args.count; i++) {
    const more = args.count - 1 - i;
    if (args.equalsIgnoreCase(i, 'auth') && more >= 2) {
      user = i + 1;
      i += 2;
    } else if (args.equalsIgnoreCase(i, 'setname') && more >= 1) {
      name = ++i;
      if (!isPrintable(args, name)) return BAD_CLIENT_NAME;
    } else {
      return `ERR Syntax error in HELLO option '${args.text(i)}'`;
    }
  }
  return { user, name };
}

export function hello(session: Session, args: Args, reply: ReplyWriter): void {
  let version = 0;
  if (args.count >= 2) {
    version = parseInteger(args.buf, args.starts[1], args.ends[1]);
    if (Number.isNaN(version)) return reply.error('ERR Protocol version is not an integer or out of range');
    if (version !== 2 && version !== 3) return reply.error('NOPROTO unsupported protocol version');
  }
  const options = parseHello(args);
  if (typeof options === 'string') return reply.error(options);
  if (options.user > 0 && !authenticate(session, args, options.user, options.user + 1)) return reply.error(WRONGPASS);
  if (!session.authenticated) return reply.error(HELLO_NOAUTH);
  if (options.name > 0) setClientName(session, args.text(options.name));
  if (version !== 0) setProtocol(session, version === 3 ? 3 : 2, reply);
  replyHello(session, reply);
}

function setProtocol(session: Session, resp: 2 | 3, reply: ReplyWriter): void {
  session.resp = resp;
  reply.resp = resp;
  session.server.clients.setResp(session.record, resp);
}

function replyHello(session: Session, reply: ReplyWriter): void {
  reply.map(7);
  reply.bulkText('server');
  reply.bulkText('redis');
  reply.bulkText('version');
  reply.bulkText(REDIS_VERSION);
  reply.bulkText('proto');
  reply.integer(session.resp);
  reply.bulkText('id');
  reply.integer(session.id);
  reply.bulkText('mode');
  reply.bulkText('standalone');
  reply.bulkText('role');
  reply.bulkText('master');
  reply.bulkText('modules');
  reply.array(0);
}

export function select(session: Session, args: Args, reply: ReplyWriter): void {
  const db = databaseArgument(args, 1, session.server.databases, reply);
  if (Number.isNaN(db)) return;
  session.db = db;
  reply.ok();
}

export function reset(session: Session, _args: Args, reply: ReplyWriter): void {
  session.server.pushes.leave(session);
  session.server.clients.subscribed(session.record, 0, 0, 0);
  session.reset();
  setProtocol(session, 2, reply);
  const clients = session.server.clients;
  clients.describe(session.record, { name: '', user: session.user });
  clients.setFlag(session.record, CLIENT_FLAG.noEvict | CLIENT_FLAG.noTouch, false);
  clearTracking(session);
  reply.simple('RESET');
}

export function quit(session: Session, _args: Args, reply: ReplyWriter): void {
  session.closeAfterReply = true;
  // nobody redirects to it from now on
  session.server.clients.setFlag(session.record, CLIENT_FLAG.closing, true);
  reply.ok();
}
