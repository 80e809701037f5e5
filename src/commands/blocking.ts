/** What the commands have in common that wait for keys: their timeouts, their look-ups, and the waiting itself. */
import type { Unit } from '../dispatch/unit.ts';
import type { Args } from '../resp/args.ts';
import { parseLongDouble } from '../resp/long-double.ts';
import { parseInt64 } from '../resp/numbers.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { typedWrite } from './typed-entry.ts';

const MAX_I64 = 2n ** 63n - 1n;
const OUT_OF_RANGE = 'ERR timeout is out of range';
const NO_ROOM = 'OOM there is no room for another client that waits';

/** A timeout in seconds, with fractions: ms, 0 for ever; NaN after an error reply. */
export function secondsArgument(args: Args, index: number, nowMs: number, reply: ReplyWriter): number {
  const seconds = parseLongDouble(args.buf, args.starts[index], args.ends[index]);
  if (seconds === null || seconds.range === 'nan') return refuse(reply, 'ERR timeout is not a float or out of range');
  if (seconds.range === 'infinite' && !seconds.negative) return refuse(reply, OUT_OF_RANGE);
  if (seconds.range === 'infinite') return refuse(reply, 'ERR timeout is negative');
  const ms = Math.ceil(
    (seconds.negative ? -1000 : 1000) * Number(seconds.mantissa) * 2 ** Math.max(seconds.exponent, -1000),
  );
  if (ms > Number(MAX_I64)) return refuse(reply, OUT_OF_RANGE);
  return checked(BigInt(ms), nowMs, reply);
}

/** A timeout in whole ms, 0 for ever; NaN after an error reply. */
export function msArgument(args: Args, index: number, nowMs: number, reply: ReplyWriter): number {
  const ms = parseInt64(args.buf, args.starts[index], args.ends[index]);
  if (ms === null) return refuse(reply, 'ERR timeout is not an integer or out of range');
  return checked(ms, nowMs, reply);
}

function checked(ms: bigint, nowMs: number, reply: ReplyWriter): number {
  if (ms < 0n) return refuse(reply, 'ERR timeout is negative');
  if (ms > MAX_I64 - BigInt(Math.floor(nowMs))) return refuse(reply, OUT_OF_RANGE);
  return Number(ms);
}

function refuse(reply: ReplyWriter, text: string): number {
  reply.error(text);
  return Number.NaN;
}

/**
 * As typedWrite. When a client that has waited is served, keys of other types, and those of shards that are not held, are as good as
 * absent: the client goes on waiting for them, or is served with another one.
 */
export function typedWaited(unit: Unit, arg: number, type: number, reply: ReplyWriter): boolean {
  if (!unit.serving) return typedWrite(unit, arg, type, reply);
  unit.entry = unit.holds(unit.shardOfArg[arg]) ? unit.findWrite(arg) : 0;
  if (unit.entry !== 0 && unit.ks.typeOf(unit.entry) !== type) unit.entry = 0;
  return true;
}

/** May the running command wait for what it has not found? */
export function mayWait(unit: Unit): boolean {
  return unit.mayBlock && !unit.serving && !unit.replaying && unit.session !== null;
}

/** The client of a command that may wait does so, for keys first … first + keys - 1; `kind`: a WAITER_KIND. */
export function waitForKeys(
  unit: Unit,
  args: Args,
  first: number,
  keys: number,
  kind: number,
  timeoutMs: number,
  reply: ReplyWriter,
): void {
  if (!unit.session!.server.blocked.block(unit, args, first, keys, kind, timeoutMs)) reply.error(NO_ROOM);
}
