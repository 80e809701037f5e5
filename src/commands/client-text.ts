/** The names that a client gives itself and the lines in which CLIENT LIST shows clients. */
import { CLIENT_FLAG, type ClientInfo } from '../admin/client-records.ts';
import type { Session } from '../dispatch/session.ts';
import type { Args } from '../resp/args.ts';
import { commandTable } from './command-registry.ts';

export const BAD_CLIENT_NAME = 'ERR Client names cannot contain spaces, newlines or special characters.';

/** Only '!' … '~': the lines of CLIENT LIST must stay splittable at blanks. */
export function isPrintable(args: Args, index: number): boolean {
  for (let i = args.starts[index]; i < args.ends[index]; i++) {
    if (args.buf[i] < 0x21 || args.buf[i] > 0x7e) return false;
  }
  return true;
}

export function setClientName(session: Session, name: string): void {
  session.name = name;
  session.server.clients.describe(session.record, { name });
}

const FLAG_LETTERS: readonly [flag: number, letter: string][] = [
  [CLIENT_FLAG.monitor, 'O'],
  [CLIENT_FLAG.subscriber, 'P'],
  [CLIENT_FLAG.waiting, 'b'],
  [CLIENT_FLAG.tracking, 't'],
  [CLIENT_FLAG.brokenRedirect, 'R'],
  [CLIENT_FLAG.broadcast, 'B'],
  [CLIENT_FLAG.closing, 'A'],
  [CLIENT_FLAG.unixSocket, 'U'],
  [CLIENT_FLAG.noEvict, 'e'],
  [CLIENT_FLAG.noTouch, 'T'],
];

function flagLetters(info: ClientInfo): string {
  const { flags } = info;
  let letters = '';
  if (info.queued >= 0) letters += 'x';
  if (info.watchBroken) letters += 'd';
  for (const [flag, letter] of FLAG_LETTERS) if ((flags & flag) !== 0) letters += letter;
  return letters === '' ? 'N' : letters;
}

function wholeSeconds(fromMs: number, toMs: number): number {
  return Math.max(0, Math.floor(toMs / 1000) - Math.floor(fromMs / 1000));
}

/**
 * One line of CLIENT LIST, without its line end. Fields of things that Skein has no part of (a reply buffer of fixed size) are 0
 * because it spends no memory on them.
 */
export function clientLine(info: ClientInfo, nowMs: number): string {
  const row = info.commandRow < 0 ? null : commandTable().rows[info.commandRow];
  const isWriting = info.outputBytes > 0;
  return (
    `id=${info.id} addr=${info.addr} laddr=${info.laddr} fd=${info.fd} name=${info.name}` +
    ` age=${wholeSeconds(info.createdMs, nowMs)} idle=${wholeSeconds(info.lastMs, nowMs)} flags=${flagLetters(info)}` +
    ` db=${info.db} sub=${info.channels} psub=${info.patterns} ssub=${info.shardChannels} multi=${info.queued} qbuf=${info.queryBytes} qbuf-free=${info.queryFreeBytes} argv-mem=${info.argumentBytes} multi-mem=${info.queuedBytes} rbs=0 rbp=0` +
    ` obl=0 oll=${isWriting ? 1 : 0} omem=${info.outputBytes} tot-mem=${info.totalBytes + info.queuedBytes} events=${isWriting ? 'rw' : 'r'}` +
    ` cmd=${row === null ? 'NULL' : row.shownName} user=${info.user} redir=${info.redirect} resp=${info.resp}` +
    ` lib-name=${info.libName} lib-ver=${info.libVersion} watch=${info.watched}`
  );
}
