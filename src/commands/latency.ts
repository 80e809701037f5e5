/** LATENCY: what took long, by kind of event, and how long each command takes. */
import type { LatencySeries } from '../admin/latency-events.ts';
import type { Session } from '../dispatch/session.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { commandTable } from './command-registry.ts';
import type { CommandRow } from './command-row.ts';
import { replyHelp } from './help-reply.ts';
import { latencyGraphText, latencyReport } from './latency-report.ts';

export function latencyLatest(session: Session, _args: Args, reply: ReplyWriter): void {
  const events = session.server.latencyEvents.all();
  reply.array(events.length);
  for (const { event, samples, highestMs } of events) {
    const { unixSeconds, latencyMs } = samples[samples.length - 1];
    reply.array(4);
    reply.bulkText(event);
    reply.integer(unixSeconds);
    reply.integer(latencyMs);
    reply.integer(highestMs);
  }
}

export function latencyHistory(session: Session, args: Args, reply: ReplyWriter): void {
  const samples = session.server.latencyEvents.byName(args.text(2))?.samples ?? [];
  reply.array(samples.length);
  for (const { unixSeconds, latencyMs } of samples) {
    reply.array(2);
    reply.integer(unixSeconds);
    reply.integer(latencyMs);
  }
}

export function latencyReset(session: Session, args: Args, reply: ReplyWriter): void {
  const names: string[] = [];
  for (let i = 2; i < args.count; i++) names.push(args.text(i));
  reply.integer(session.server.latencyEvents.reset(names));
}

export function latencyGraph(session: Session, args: Args, reply: ReplyWriter): void {
  const series: LatencySeries | null = session.server.latencyEvents.byName(args.text(2));
  if (series === null) return reply.error(`ERR No samples available for event '${args.text(2)}'`);
  reply.verbatim(latencyGraphText(series, session.server.nowMs()), 'txt');
}

export function latencyDoctor(session: Session, _args: Args, reply: ReplyWriter): void {
  const { latencyEvents, settings } = session.server;
  reply.verbatim(latencyReport(latencyEvents.all(), settings, session.server.nowMs()), 'txt');
}

/** The rows whose calls count for a name: those of a container's subcommands singly, hidden ones together. */
function shownRows(named: readonly CommandRow[]): Map<string, number[]> {
  const shown = new Map<string, number[]>();
  const add = (row: CommandRow): void => {
    shown.set(row.shownName, [...(shown.get(row.shownName) ?? []), row.id]);
  };
  for (const row of named) {
    add(row);
    if (row.parent === null) for (const sub of row.subcommands?.rows ?? []) add(sub);
  }
  return shown;
}

export function latencyHistogram(session: Session, args: Args, reply: ReplyWriter): void {
  const named: CommandRow[] = [];
  const table = commandTable();
  if (args.count === 2) named.push(...table.commands);
  for (let i = 2; i < args.count; i++) {
    const row = table.byName(args.text(i));
    if (row !== null) named.push(row);
  }
  const { commandStats, latencyHistograms } = session.server;
  const found: { name: string; calls: number; histogram: [number, number][] }[] = [];
  for (const [name, ids] of shownRows(named)) {
    let calls = 0;
    for (const id of ids) calls += commandStats.figures(id).calls;
    const histogram = latencyHistograms.cumulative(ids, calls);
    if (histogram.length > 0) found.push({ name, calls, histogram });
  }
  reply.map(found.length);
  for (const { name, calls, histogram } of found) {
    reply.bulkText(name);
    reply.map(2);
    reply.bulkText('calls');
    reply.integer(calls);
    reply.bulkText('histogram_usec');
    reply.map(histogram.length);
    for (const [micros, count] of histogram) {
      reply.integer(micros);
      reply.integer(count);
    }
  }
}

export function latencyHelp(_session: Session, _args: Args, reply: ReplyWriter): void {
  replyHelp(reply, 'LATENCY', [
    'DOCTOR',
    '    A report on what took long, with advice.',
    'GRAPH <event>',
    '    The samples of an event, drawn in characters.',
    'HISTORY <event>',
    '    The samples of an event: unix time and milliseconds.',
    'LATEST',
    '    The last sample and the highest latency of each event.',
    'RESET [<event> ...]',
    '    Forget the samples of these events (default: of all).',
    'HISTOGRAM [<command> ...]',
    '    For these commands (default: all): how many calls took at most so many',
    '    microseconds.',
  ]);
}
