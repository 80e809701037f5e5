/** Look-up of a key that must hold a certain type or be absent. */
import type { Unit } from '../dispatch/unit.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';

/**
 * Looks up key argument `arg` for reading: true, and its entry (0: absent) in `unit.entry`, its keyspace in `unit.ks`; false
 * after WRONGTYPE has been answered.
 */
export function typedRead(unit: Unit, arg: number, type: number, reply: ReplyWriter): boolean {
  const h = (unit.entry = unit.findRead(arg));
  if (h === 0 || unit.ks.typeOf(h) === type) return true;
  reply.error(ERR.WRONGTYPE);
  return false;
}

/** As typedRead, for a write. */
export function typedWrite(unit: Unit, arg: number, type: number, reply: ReplyWriter): boolean {
  const h = (unit.entry = unit.findWrite(arg));
  if (h === 0 || unit.ks.typeOf(h) === type) return true;
  reply.error(ERR.WRONGTYPE);
  return false;
}
