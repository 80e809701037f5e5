/** CLIENT TRACKING, CACHING, GETREDIR, TRACKINGINFO: what a client wants to hear about the keys of which it keeps copies. */
import { CLIENT_FLAG } from '../admin/client-records.ts';
import type { Session } from '../dispatch/session.ts';
import type { Tracking, TrackingOptions } from '../pubsub/tracking-clients.ts';
import type { Args } from '../resp/args.ts';
import { parseInteger } from '../resp/numbers.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';

const REDIRECT_MISSING = 'ERR The client ID you want redirect to does not exist';
const REDIRECT_TWICE = 'ERR A client can only redirect to a single other client';
const PREFIX_NEEDS_BCAST = 'ERR PREFIX option requires BCAST mode to be enabled';
const SWITCH_MODE =
  "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode.";
const NOT_WITH_BCAST = 'ERR OPTIN and OPTOUT are not compatible with BCAST';
const NOT_BOTH = "ERR You can't specify both OPTIN mode and OPTOUT mode";
const SWITCH_OPT =
  "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode.";
const NOT_TRACKING =
  'ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled';

/** Reads the redirection in argument `i` into `options`; false after an error reply. */
function readRedirect(session: Session, args: Args, i: number, options: TrackingOptions, reply: ReplyWriter): boolean {
  if (options.redirect !== 0) {
    reply.error(REDIRECT_TWICE);
    return false;
  }
  const id = parseInteger(args.buf, args.starts[i], args.ends[i]);
  if (Number.isNaN(id)) {
    reply.error(ERR.NOT_INTEGER);
    return false;
  }
  // 0 stands for the client itself, as if the option were not there
  const info = session.server.clients.list().find((one) => one.id === id);
  if (info === undefined) {
    reply.error(REDIRECT_MISSING);
    return false;
  }
  options.redirect = id === session.id ? 0 : id;
  options.redirectRecord = info.record;
  return true;
}

/** The options behind ON or OFF; null after an error reply. */
function parseOptions(session: Session, args: Args, reply: ReplyWriter): TrackingOptions | null {
  const options: TrackingOptions = {
    broadcast: false,
    optIn: false,
    optOut: false,
    noLoop: false,
    redirect: 0,
    redirectRecord: -1,
    prefixes: [],
  };
  for (let i = 3; i < args.count; i++) {
    const hasValue = i + 1 < args.count;
    if (args.equalsIgnoreCase(i, 'redirect') && hasValue) {
      if (!readRedirect(session, args, ++i, options, reply)) return null;
    } else if (args.equalsIgnoreCase(i, 'bcast')) options.broadcast = true;
    else if (args.equalsIgnoreCase(i, 'optin')) options.optIn = true;
    else if (args.equalsIgnoreCase(i, 'optout')) options.optOut = true;
    else if (args.equalsIgnoreCase(i, 'noloop')) options.noLoop = true;
    else if (args.equalsIgnoreCase(i, 'prefix') && hasValue) options.prefixes.push(args.text(++i));
    else {
      reply.error(ERR.SYNTAX);
      return null;
    }
  }
  return options;
}

/** The first two of these that overlap, where one begins with the other; null: none. */
function overlap(known: readonly string[], added: readonly string[]): string | null {
  for (let i = 0; i < added.length; i++) {
    for (const prefix of known) {
      if (prefix !== added[i] && (prefix.startsWith(added[i]) || added[i].startsWith(prefix)))
        return `ERR Prefix '${added[i]}' overlaps with an existing prefix '${prefix}'. Prefixes for a single client must not overlap.`;
    }
    for (const prefix of added.slice(i + 1)) {
      if (prefix.startsWith(added[i]) || added[i].startsWith(prefix))
        return `ERR Prefix '${added[i]}' overlaps with another provided prefix '${prefix}'. Prefixes for a single client must not overlap.`;
    }
  }
  return null;
}

/** Why these options cannot be, or cannot follow what is in force; null: they can. */
function refusal(options: TrackingOptions, before: Tracking | null): string | null {
  if (!options.broadcast && options.prefixes.length > 0) return PREFIX_NEEDS_BCAST;
  if (before !== null && before.broadcast !== options.broadcast) return SWITCH_MODE;
  if (options.broadcast && (options.optIn || options.optOut)) return NOT_WITH_BCAST;
  if (options.optIn && options.optOut) return NOT_BOTH;
  if (before !== null && ((options.optIn && before.optOut) || (options.optOut && before.optIn))) return SWITCH_OPT;
  return options.broadcast ? overlap(before?.prefixes ?? [], options.prefixes) : null;
}

export function clientTracking(session: Session, args: Args, reply: ReplyWriter): void {
  const options = parseOptions(session, args, reply);
  if (options === null) return;
  if (args.equalsIgnoreCase(2, 'off')) {
    clearTracking(session);
    return reply.ok();
  }
  if (!args.equalsIgnoreCase(2, 'on')) return reply.error(ERR.SYNTAX);
  const problem = refusal(options, session.tracking);
  if (problem !== null) return reply.error(problem);
  const { pushes, clients } = session.server;
  session.tracking = pushes.tracking.start(session, options);
  if (options.redirect !== 0) pushes.log.wantRedirects(clients.workerOf(options.redirectRecord));
  clients.setFlag(session.record, CLIENT_FLAG.tracking, true);
  clients.setFlag(session.record, CLIENT_FLAG.broadcast, options.broadcast);
  clients.setFlag(session.record, CLIENT_FLAG.brokenRedirect, false);
  clients.setRedirect(session.record, options.redirect);
  reply.ok();
}

/** Tracks no more; RESET does it, too. */
export function clearTracking(session: Session): void {
  const { pushes, clients } = session.server;
  pushes.tracking.stop(session);
  session.tracking = null;
  clients.setFlag(session.record, CLIENT_FLAG.tracking | CLIENT_FLAG.broadcast | CLIENT_FLAG.brokenRedirect, false);
  clients.setRedirect(session.record, -1);
}

export function clientCaching(session: Session, args: Args, reply: ReplyWriter): void {
  const { tracking } = session;
  if (tracking === null) return reply.error(NOT_TRACKING);
  if (args.equalsIgnoreCase(2, 'yes')) {
    if (!tracking.optIn)
      return reply.error('ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.');
    tracking.caching = true;
  } else if (args.equalsIgnoreCase(2, 'no')) {
    if (!tracking.optOut)
      return reply.error('ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.');
    tracking.caching = false;
  } else {
    return reply.error(ERR.SYNTAX);
  }
  reply.ok();
}

export function clientGetredir(session: Session, _args: Args, reply: ReplyWriter): void {
  reply.integer(session.tracking === null ? -1 : session.tracking.redirect);
}

function flagsOf(tracking: Tracking | null): string[] {
  if (tracking === null) return ['off'];
  const flags = ['on'];
  if (tracking.broadcast) flags.push('bcast');
  if (tracking.optIn) flags.push('optin');
  if (tracking.optIn && tracking.caching === true) flags.push('caching-yes');
  if (tracking.optOut) flags.push('optout');
  if (tracking.optOut && tracking.caching === false) flags.push('caching-no');
  if (tracking.noLoop) flags.push('noloop');
  if (tracking.isBroken) flags.push('broken_redirect');
  return flags;
}

export function clientTrackinginfo(session: Session, _args: Args, reply: ReplyWriter): void {
  const { tracking } = session;
  const flags = flagsOf(tracking);
  reply.map(3);
  reply.bulkText('flags');
  reply.set(flags.length);
  for (const flag of flags) reply.bulkText(flag);
  reply.bulkText('redirect');
  reply.integer(tracking === null ? -1 : tracking.redirect);
  reply.bulkText('prefixes');
  const prefixes = tracking?.prefixes ?? [];
  reply.array(prefixes.length);
  for (const prefix of prefixes) reply.bulkText(prefix);
}
