/** DUMP and RESTORE: a value as bytes that another server, stock ones too, can take. */
import { RdbReader } from '../datatypes/rdb-reader.ts';
import type { Unit } from '../dispatch/unit.ts';
import { NO_DEADLINE, TYPE_STRING } from '../keyspace/entry.ts';
import { GENERIC_EVENT } from '../keyspace/key-events.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';
import { hasPayloadForm, isWholePayload, PAYLOAD_TAIL_BYTES, payloadOf } from '../keyspace/rdb-payload.ts';
import { RdbValueReader, READ } from '../keyspace/rdb-value-reader.ts';
import type { Args } from '../resp/args.ts';
import { parseInt64 } from '../resp/numbers.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';

const BUSY_KEY = 'BUSYKEY Target key name already exists.';
const BAD_PAYLOAD = 'ERR DUMP payload version or checksum are wrong';
const BAD_FORMAT = 'ERR Bad data format';
const CLOCK_MASK = 0xffffff;
const MAX_FREQUENCY = 255;

export function dump(unit: Unit, _args: Args, reply: ReplyWriter): void {
  const h = unit.findRead(1);
  if (h === 0) return reply.null();
  const payload = payloadOf(unit.ks, h, true);
  reply.bulk(payload.buf, 0, payload.pos);
}

/** Options of RESTORE. */
class RestoreOptions {
  replace = false;
  absolute = false;
  /** Seconds since the last use, -1 = not given. */
  idleSeconds = -1;
  /** How often it was used, as LFU counts; -1 = not given. Nothing keeps it. */
  private frequency = -1;

  /** False after an error reply. */
  read(args: Args, reply: ReplyWriter): boolean {
    for (let i = 4; i < args.count; i++) {
      const more = args.count - i - 1;
      if (args.equalsIgnoreCase(i, 'replace')) {
        this.replace = true;
      } else if (args.equalsIgnoreCase(i, 'absttl')) {
        this.absolute = true;
      } else if (args.equalsIgnoreCase(i, 'idletime') && more > 0 && this.frequency < 0) {
        const idle = numberOf(args, ++i);
        if (idle === null) return refuse(reply, ERR.NOT_INTEGER);
        if (idle < 0) return refuse(reply, 'ERR Invalid IDLETIME value, must be >= 0');
        this.idleSeconds = idle;
      } else if (args.equalsIgnoreCase(i, 'freq') && more > 0 && this.idleSeconds < 0) {
        const frequency = numberOf(args, ++i);
        if (frequency === null) return refuse(reply, ERR.NOT_INTEGER);
        if (frequency < 0 || frequency > MAX_FREQUENCY)
          return refuse(reply, 'ERR Invalid FREQ value, must be >= 0 and <= 255');
        this.frequency = frequency;
      } else {
        return refuse(reply, ERR.SYNTAX);
      }
    }
    return true;
  }
}

function refuse(reply: ReplyWriter, text: string): false {
  reply.error(text);
  return false;
}

/** An int64 as a number, near its value beyond ±2^53; null where it is none. */
function numberOf(args: Args, index: number): number | null {
  const big = parseInt64(args.buf, args.starts[index], args.ends[index]);
  return big === null ? null : Number(big);
}

export function restore(unit: Unit, args: Args, reply: ReplyWriter): void {
  const options = new RestoreOptions();
  if (!options.read(args, reply)) return;
  let old = unit.findWrite(1);
  if (old !== 0 && !options.replace) return reply.error(BUSY_KEY);
  const ttl = numberOf(args, 2);
  if (ttl === null) return reply.error(ERR.NOT_INTEGER);
  if (ttl < 0) return reply.error('ERR Invalid TTL value, must be >= 0');
  const start = args.starts[3];
  const end = args.ends[3];
  if (!hasPayloadForm(args.buf, start, end)) return reply.error(BAD_PAYLOAD);
  const isWhole = isWholePayload(args.buf, start, end);
  if (!isWhole && !unit.skipsChecksums) return reply.error(BAD_PAYLOAD);
  const ks = unit.space(1);
  if (!ks.reserve((end - start) * 2)) return reply.error(ERR.OOM);
  const reader = new RdbReader(args.buf, start + 1, end - PAYLOAD_TAIL_BYTES);
  const value = new RdbValueReader(ks);
  const outcome = value.read(args.buf[start], reader);
  if (outcome === READ.noRoom) return reply.error(ERR.OOM);
  if (outcome !== READ.ok || reader.pos !== reader.end) {
    if (outcome === READ.ok && value.root !== 0) ks.values.drop(value.type, value.root, value.encoding);
    return reply.error(BAD_FORMAT);
  }
  const deadline = ttl === 0 ? NO_DEADLINE : options.absolute ? ttl : unit.nowMs + ttl;
  if (deadline !== NO_DEADLINE && deadline <= unit.nowMs) {
    if (value.root !== 0) ks.values.drop(value.type, value.root, value.encoding);
    if (old !== 0) {
      unit.effectDelete(1);
      ks.remove(unit.db, old);
      unit.changed(1, GENERIC_EVENT.del);
    }
    return reply.ok();
  }
  if (old !== 0) {
    ks.remove(unit.db, old);
    old = 0;
  }
  const h = link(unit, ks, args, value, reader, deadline);
  if (options.idleSeconds >= 0) ks.setClock(h, (ks.clock - options.idleSeconds) & CLOCK_MASK);
  unit.changed(1, GENERIC_EVENT.restore);
  // a payload that only DEBUG lets pass would not be loaded again
  if (isWhole) journalRestored(unit, args, deadline);
  else unit.effectValue(1);
  reply.ok();
}

/** Makes what was read the value of key argument 1, which is absent. Returns the entry. */
function link(
  unit: Unit,
  ks: Keyspace,
  args: Args,
  value: RdbValueReader,
  reader: RdbReader,
  deadline: number,
): number {
  const { db } = unit;
  const hash = unit.hashOf(1);
  const { buf } = args;
  const start = args.starts[1];
  const end = args.ends[1];
  if (value.type === TYPE_STRING)
    return ks.setString(db, hash, buf, start, end, reader.sBuf, reader.sStart, reader.sEnd, deadline, 0);
  return ks.createStructure(db, hash, buf, start, end, value.type, value.root, value.encoding, deadline, 0);
}

/** The effect: the same payload with an absolute deadline, whatever was there before. */
function journalRestored(unit: Unit, args: Args, deadline: number): void {
  const effect = unit.effect(1, deadline === NO_DEADLINE ? 5 : 6);
  effect.argText('RESTORE');
  effect.arg(args.buf, args.starts[1], args.ends[1]);
  effect.argNumber(Math.max(deadline, 0));
  effect.arg(args.buf, args.starts[3], args.ends[3]);
  effect.argText('REPLACE');
  if (deadline !== NO_DEADLINE) effect.argText('ABSTTL');
}
