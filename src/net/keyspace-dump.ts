/** Writes a shard's keys as journal records: the base of a data set that is made from what is in memory. */
import { showProgress } from '../../native-free-shm/heartbeats.ts';
import type { DurabilityRules } from '../dispatch/durability-rules.ts';
import { TYPE_STRING } from '../keyspace/entry.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';
import { payloadOf } from '../keyspace/rdb-payload.ts';
import type { BaseWriter } from '../persistence/journal-file.ts';

/** Takes records: a base, or the journal of a shard that is in use. */
export type RecordSink = Pick<BaseWriter, 'journal' | 'next'>;

/**
 * Records every key of the shard, but those that `rules` leave out, as the command that makes it. The caller holds the shard's latch.
 * Throws where the disk refuses.
 */
export function dumpKeyspace(ks: Keyspace, writer: RecordSink, rules: DurabilityRules): void {
  for (let db = 0; db < ks.databases; db++)
    ks.forEach(db, (h) => {
      ks.key(h);
      if (!rules.isNone(db, ks.kBuf, ks.kStart, ks.kEnd)) dumpEntry(ks, db, h, writer);
    });
}

/**
 * Records what must be in the journal of a shard when the rules change: the values of keys that were left out so far, and that keys are
 * gone which are left out from now on, or their old values would come back.
 */
export function dumpChanged(ks: Keyspace, writer: RecordSink, before: DurabilityRules, after: DurabilityRules): void {
  for (let db = 0; db < ks.databases; db++)
    ks.forEach(db, (h) => {
      ks.key(h);
      const was = before.isNone(db, ks.kBuf, ks.kStart, ks.kEnd);
      const is = after.isNone(db, ks.kBuf, ks.kStart, ks.kEnd);
      if (was === is) return;
      if (was) {
        dumpEntry(ks, db, h, writer);
        return;
      }
      writer.journal.command(db, 2);
      writer.journal.argText('DEL');
      writer.journal.arg(ks.kBuf, ks.kStart, ks.kEnd);
      writer.next();
    });
}

function dumpEntry(ks: Keyspace, db: number, h: number, writer: RecordSink): void {
  const { journal } = writer;
  const deadline = ks.deadlineOf(h);
  ks.key(h);
  if (ks.typeOf(h) !== TYPE_STRING) {
    const payload = payloadOf(ks, h, false);
    journal.command(db, deadline < 0 ? 5 : 6);
    journal.argText('RESTORE');
    journal.arg(ks.kBuf, ks.kStart, ks.kEnd);
    journal.argNumber(Math.max(deadline, 0));
    journal.arg(payload.buf, 0, payload.pos);
    journal.argText('REPLACE');
    if (deadline >= 0) journal.argText('ABSTTL');
    writer.next();
    showProgress();
    return;
  }
  ks.value(h);
  journal.command(db, deadline < 0 ? 3 : 5);
  journal.argText('SET');
  journal.arg(ks.kBuf, ks.kStart, ks.kEnd);
  journal.arg(ks.vBuf, ks.vStart, ks.vEnd);
  if (deadline >= 0) {
    journal.argText('PXAT');
    journal.argNumber(deadline);
  }
  writer.next();
  showProgress();
}
