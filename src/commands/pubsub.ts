/** SUBSCRIBE and its kin, PUBLISH, PUBSUB, MONITOR. Who receives what is decided in src/pubsub. */
import type { Session } from '../dispatch/session.ts';
import { TOPIC } from '../pubsub/subscription-registry.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { wrongFormError } from './errors.ts';
import { replyHelp } from './help-reply.ts';

const NAME_TOO_LONG = 'ERR the name of a channel is too long';
const MESSAGE_TOO_LONG = 'ERR the message is too long to be published';
const NO_ROOM = 'OOM there is no room for another subscription';

const SUBSCRIBED = ['subscribe', 'psubscribe', 'ssubscribe'];
const UNSUBSCRIBED = ['unsubscribe', 'punsubscribe', 'sunsubscribe'];

/** How many subscriptions of the kind of this topic the session has: channels and patterns count together. */
function countOf(session: Session, topic: number): number {
  const { subscriptions } = session;
  if (subscriptions === null) return 0;
  return topic === TOPIC.shardChannel ? subscriptions.sharded : subscriptions.plain;
}

function subscribeTo(session: Session, args: Args, reply: ReplyWriter, topic: number): void {
  const { pushes } = session.server;
  for (let i = 1; i < args.count; i++) if (args.length(i) > pushes.maxNameBytes) return reply.error(NAME_TOO_LONG);
  session.answersByPush = true;
  for (let i = 1; i < args.count; i++) {
    if (!pushes.subscribe(session, topic, args.text(i))) return reply.error(NO_ROOM);
    reply.push(3);
    reply.bulkText(SUBSCRIBED[topic]);
    reply.bulk(args.buf, args.starts[i], args.ends[i]);
    reply.integer(countOf(session, topic));
  }
  noteCounts(session);
}

function unsubscribeFrom(session: Session, args: Args, reply: ReplyWriter, topic: number): void {
  session.answersByPush = true;
  const named: string[] = [];
  for (let i = 1; i < args.count; i++) named.push(args.text(i));
  const names = args.count > 1 ? named : [...(session.subscriptions?.byTopic[topic].keys() ?? [])];
  for (const name of names) {
    session.server.pushes.unsubscribe(session, topic, name);
    reply.push(3);
    reply.bulkText(UNSUBSCRIBED[topic]);
    reply.bulkText(name);
    reply.integer(countOf(session, topic));
  }
  if (names.length === 0) {
    reply.push(3);
    reply.bulkText(UNSUBSCRIBED[topic]);
    reply.null();
    reply.integer(countOf(session, topic));
  }
  noteCounts(session);
}

/** What CLIENT LIST shows. */
function noteCounts(session: Session): void {
  const [channels, patterns, shardChannels] = session.subscriptions?.byTopic ?? [];
  session.server.clients.subscribed(session.record, channels?.size ?? 0, patterns?.size ?? 0, shardChannels?.size ?? 0);
}

export function subscribe(session: Session, args: Args, reply: ReplyWriter): void {
  subscribeTo(session, args, reply, TOPIC.channel);
}

export function psubscribe(session: Session, args: Args, reply: ReplyWriter): void {
  subscribeTo(session, args, reply, TOPIC.pattern);
}

export function ssubscribe(session: Session, args: Args, reply: ReplyWriter): void {
  subscribeTo(session, args, reply, TOPIC.shardChannel);
}

export function unsubscribe(session: Session, args: Args, reply: ReplyWriter): void {
  unsubscribeFrom(session, args, reply, TOPIC.channel);
}

export function punsubscribe(session: Session, args: Args, reply: ReplyWriter): void {
  unsubscribeFrom(session, args, reply, TOPIC.pattern);
}

export function sunsubscribe(session: Session, args: Args, reply: ReplyWriter): void {
  unsubscribeFrom(session, args, reply, TOPIC.shardChannel);
}

function publishOn(session: Session, args: Args, reply: ReplyWriter, isShard: boolean): void {
  const { registry, log } = session.server.pushes;
  if (args.length(1) + args.length(2) > log.maxBytes) return reply.error(MESSAGE_TOO_LONG);
  const { buf, starts, ends } = args;
  reply.integer(registry.publish(isShard, log, buf, starts[1], ends[1], starts[2], ends[2]));
}

export function publish(session: Session, args: Args, reply: ReplyWriter): void {
  publishOn(session, args, reply, false);
}

export function spublish(session: Session, args: Args, reply: ReplyWriter): void {
  publishOn(session, args, reply, true);
}

function replyNames(session: Session, args: Args, reply: ReplyWriter, topic: number): void {
  const names = session.server.pushes.registry.list(topic, args.count > 2 ? args.bytes(2) : null);
  reply.array(names.length);
  for (const name of names) reply.bulk(name, 0, name.length);
}

function replyCounts(session: Session, args: Args, reply: ReplyWriter, topic: number): void {
  const { registry } = session.server.pushes;
  reply.array((args.count - 2) * 2);
  for (let i = 2; i < args.count; i++) {
    reply.bulk(args.buf, args.starts[i], args.ends[i]);
    reply.integer(registry.count(topic, args.buf, args.starts[i], args.ends[i]));
  }
}

export function pubsubChannels(session: Session, args: Args, reply: ReplyWriter): void {
  if (args.count > 3) return reply.error(wrongFormError(args, 'PUBSUB'));
  replyNames(session, args, reply, TOPIC.channel);
}

export function pubsubShardchannels(session: Session, args: Args, reply: ReplyWriter): void {
  if (args.count > 3) return reply.error(wrongFormError(args, 'PUBSUB'));
  replyNames(session, args, reply, TOPIC.shardChannel);
}

export function pubsubNumsub(session: Session, args: Args, reply: ReplyWriter): void {
  replyCounts(session, args, reply, TOPIC.channel);
}

export function pubsubShardnumsub(session: Session, args: Args, reply: ReplyWriter): void {
  replyCounts(session, args, reply, TOPIC.shardChannel);
}

export function pubsubNumpat(session: Session, _args: Args, reply: ReplyWriter): void {
  reply.integer(session.server.pushes.registry.names(TOPIC.pattern));
}

export function pubsubHelp(_session: Session, _args: Args, reply: ReplyWriter): void {
  replyHelp(reply, 'PUBSUB', [
    'CHANNELS [<pattern>]',
    '    The channels that somebody listens to; with a pattern, those that fit it.',
    'NUMPAT',
    '    How many different patterns somebody listens to.',
    'NUMSUB [<channel> ...]',
    '    How many connections listen to each of these channels.',
    'SHARDCHANNELS [<pattern>]',
    '    As CHANNELS, for shard channels.',
    'SHARDNUMSUB [<shardchannel> ...]',
    '    As NUMSUB, for shard channels.',
  ]);
}

export function monitor(session: Session, _args: Args, reply: ReplyWriter): void {
  session.server.pushes.setMonitor(session, true);
  reply.ok();
}
