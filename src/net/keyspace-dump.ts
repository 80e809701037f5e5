/** Writes a shard's keys as journal records: the base of a data set that is made from what is in memory. */
import { showProgress } from '../../native-free-shm/heartbeats.ts';
import { TYPE_STRING } from '../keyspace/entry.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';
import { payloadOf } from '../keyspace/rdb-payload.ts';
import type { BaseWriter } from '../persistence/journal-file.ts';

/** Records every key of the shard as the command that makes it. The caller holds the shard's latch. Throws where the disk refuses. */
export function dumpKeyspace(ks: Keyspace, writer: BaseWriter): void {
  for (let db = 0; db < ks.databases; db++) ks.forEach(db, (h) => dumpEntry(ks, db, h, writer));
}

function dumpEntry(ks: Keyspace, db: number, h: number, writer: BaseWriter): void {
  const { journal } = writer;
  const deadline = ks.deadlineOf(h);
  ks.key(h);
  if (ks.typeOf(h) !== TYPE_STRING) {
    const payload = payloadOf(ks, h, false);
    journal.command(db, deadline < 0 ? 4 : 5);
    journal.argText('RESTORE');
    journal.arg(ks.kBuf, ks.kStart, ks.kEnd);
    journal.argNumber(Math.max(deadline, 0));
    journal.arg(payload.buf, 0, payload.pos);
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
