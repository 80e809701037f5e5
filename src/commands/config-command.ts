/** CONFIG: settings at run time, and the reset of statistics. */
import { COUNTER_NAMES } from '../admin/server-counters.ts';
import { configGet, configSet } from '../admin/settings-config.ts';
import type { Session } from '../dispatch/session.ts';
import { globMatch } from '../keyspace/glob.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';
import { replyHelp } from './help-reply.ts';
import { isLocal } from './local-client.ts';

export function configGetCommand(session: Session, args: Args, reply: ReplyWriter): void {
  const patterns: string[] = [];
  for (let i = 2; i < args.count; i++) patterns.push(args.text(i));
  const found = configGet(session.server.settings, patterns, globMatch);
  reply.map(found.length);
  for (const [name, value] of found) {
    reply.bulkText(name);
    reply.bulkText(value);
  }
}

export function configSetCommand(session: Session, args: Args, reply: ReplyWriter): void {
  if (args.count % 2 !== 0) return reply.error(ERR.SYNTAX);
  const pairs: [string, string][] = [];
  for (let i = 2; i < args.count; i += 2) pairs.push([args.text(i), args.text(i + 1)]);
  const { settings, control, loading } = session.server;
  const error = configSet(settings, pairs, {
    localClient: isLocal(session),
    loading,
    directory: (base, path) => control.directory(base, path),
    apply: (names) => (session.isExecuting ? session.deferSettings(names) : control.settingsChanged(names)),
  });
  if (error === null) reply.ok();
  else reply.error(error);
}

export function configResetstat(session: Session, _args: Args, reply: ReplyWriter): void {
  const { counters, samples, commandStats, errorStats, latencyHistograms } = session.server;
  // what a snapshot would have to write is no statistic
  for (const name of COUNTER_NAMES) if (name !== 'changes') counters.reset(name);
  samples.resetRates();
  commandStats.reset();
  errorStats.reset();
  latencyHistograms.reset();
  reply.ok();
}

export function configRewrite(session: Session, _args: Args, reply: ReplyWriter): void {
  if (session.server.configFile === '') return reply.error('ERR The server is running without a config file');
  const error = session.server.control.rewriteConfig();
  if (error === null) reply.ok();
  else reply.error(error);
}

export function configHelp(_session: Session, _args: Args, reply: ReplyWriter): void {
  replyHelp(reply, 'CONFIG', [
    'GET <pattern> [<pattern> ...]',
    '    Settings whose names match, with their values.',
    'RESETSTAT',
    '    Let the statistics of INFO start anew.',
    'REWRITE',
    '    Write the present settings into the configuration file.',
    'SET <directive> <value> [<directive> <value> ...]',
    '    Change settings, all or none.',
  ]);
}
