/**
 * MEMORY STATS, DOCTOR, MALLOC-STATS and PURGE: what the memory of the data is used for. A figure of Redis's that has no
 * counterpart here is left out, as in INFO. Everything is a plain read, at a time of its own in each shard.
 */

import { usedBytes } from '../admin/info.ts';
import { residentBytes } from '../admin/resident-memory.ts';
import type { ServerContext, Session } from '../dispatch/session.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';

const MIB = 1024 * 1024;
/** Below that there is nothing worth a diagnosis. */
const LITTLE_BYTES = 5 * MIB;
/** A peak that is so much above what is used now is worth a word. */
const HIGH_PEAK_RATIO = 1.5;
const HIGH_FRAGMENTATION_RATIO = 1.4;
const MANY_CLIENT_BYTES = 200 * 1024;

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  let total = 0;
  for (const item of items) total += of(item);
  return total;
}

/** Bytes that the index of a database takes in a shard. */
function tableBytes(ks: Keyspace, db: number): number {
  return ks.root(db) === 0 ? 0 : ks.table.bytes(ks.root(db));
}

function deadlineBytes(ks: Keyspace, db: number): number {
  return ks.heapRoot(db) === 0 ? 0 : ks.heap.bytes(ks.heapRoot(db));
}

/** All that the commands of this file tell, as it is now; sizes in bytes. */
class MemoryFigures {
  readonly used: number;
  readonly peak: number;
  /** Pages with something in them. */
  readonly active: number;
  /** Pages that were ever touched: they stay with the process. */
  readonly resident: number;
  readonly clients: number;
  readonly clientCount: number;
  readonly journals: number;
  readonly keys: number;
  /** Of each database that has keys. */
  readonly databases: { db: number; table: number; deadlines: number }[] = [];

  constructor(server: ServerContext) {
    const { spaces } = server;
    const clients = server.clients.list();
    this.used = usedBytes(server);
    this.peak = server.samples.peakBytes(this.used);
    this.active = sum(spaces, (space) => space.arena.usedPageBytes());
    this.resident = sum(spaces, (space) => space.arena.committedBytes());
    this.clients = sum(clients, (client) => client.totalBytes);
    this.clientCount = clients.length;
    this.journals = sum(server.journals, (journal) => journal.head() - journal.written());
    let keys = 0;
    for (let db = 0; db < server.databases; db++) {
      const here = sum(spaces, (space) => space.count(db));
      if (here === 0) continue;
      keys += here;
      const table = sum(spaces, (space) => tableBytes(space, db));
      this.databases.push({ db, table, deadlines: sum(spaces, (space) => deadlineBytes(space, db)) });
    }
    this.keys = keys;
  }

  /** Bytes that are no keys and values. Clients and journals lie outside of what is used for the data. */
  overhead(): number {
    return sum(this.databases, ({ table, deadlines }) => table + deadlines);
  }
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}

export function memoryStats(session: Session, _args: Args, reply: ReplyWriter): void {
  const figures = new MemoryFigures(session.server);
  const { used, peak, active, resident, databases } = figures;
  const rss = residentBytes();
  const dataset = Math.max(0, used - figures.overhead());
  const rows: [name: string, value: number, isRatio?: boolean][] = [
    ['peak.allocated', peak],
    ['total.allocated', used],
    ['clients.normal', figures.clients],
    ['aof.buffer', figures.journals],
  ];
  const tail: typeof rows = [
    ['overhead.total', figures.overhead()],
    ['keys.count', figures.keys],
    ['keys.bytes-per-key', figures.keys === 0 ? 0 : Math.floor(used / figures.keys)],
    ['dataset.bytes', dataset],
    ['dataset.percentage', ratio(dataset * 100, used), true],
    ['peak.percentage', ratio(used * 100, peak), true],
    ['allocator.allocated', used],
    ['allocator.active', active],
    ['allocator.resident', resident],
    ['allocator-fragmentation.ratio', ratio(active, used), true],
    ['allocator-fragmentation.bytes', active - used],
    ['allocator-rss.ratio', ratio(resident, active), true],
    ['allocator-rss.bytes', resident - active],
    ['rss-overhead.ratio', ratio(rss, resident), true],
    ['rss-overhead.bytes', rss - resident],
    ['fragmentation', ratio(rss, used), true],
    ['fragmentation.bytes', rss - used],
  ];
  reply.map(rows.length + databases.length + tail.length);
  for (const row of rows) replyRow(reply, ...row);
  for (const { db, table, deadlines } of databases) {
    reply.bulkText(`db.${db}`);
    reply.map(2);
    replyRow(reply, 'overhead.hashtable.main', table);
    replyRow(reply, 'overhead.hashtable.expires', deadlines);
  }
  for (const row of tail) replyRow(reply, ...row);
}

function replyRow(reply: ReplyWriter, name: string, value: number, isRatio = false): void {
  reply.bulkText(name);
  if (isRatio) reply.double(value);
  else reply.integer(value);
}

export function memoryDoctor(session: Session, _args: Args, reply: ReplyWriter): void {
  const figures = new MemoryFigures(session.server);
  const findings: string[] = [];
  const { used, peak, active } = figures;
  if (used < LITTLE_BYTES) {
    findings.push('There is so little data that its memory says nothing yet. Ask again when there is more.');
  } else {
    if (peak > used * HIGH_PEAK_RATIO) {
      findings.push(
        'Peak: at some time there was much more data than now. Shared memory that was touched once stays with the process; it is used again when data grows.',
      );
    }
    if (active > used * HIGH_FRAGMENTATION_RATIO) {
      findings.push(
        'Fragmentation: in the pages that hold data much is free. New values of about the same size will fill it.',
      );
    }
    if (figures.clientCount > 0 && figures.clients / figures.clientCount > MANY_CLIENT_BYTES) {
      findings.push(
        'Clients: the connections hold many bytes each, because of long pipelines or of readers that are slow. CLIENT LIST shows which.',
      );
    }
    if (findings.length === 0) findings.push('Nothing about the memory is out of the ordinary.');
  }
  reply.verbatim(`${findings.join('\n')}\n`, 'txt');
}

export function memoryMallocStats(session: Session, _args: Args, reply: ReplyWriter): void {
  const { spaces } = session.server;
  const lines = spaces.map(
    ({ arena }, shard) =>
      `shard ${shard}: ${arena.liveBlocks()} blocks of ${arena.liveBytes()} bytes, ` +
      `pages in use ${arena.usedPageBytes()} bytes, touched ${arena.committedBytes()} bytes, room ${arena.roomBytes()} bytes`,
  );
  reply.verbatim(`skein-arena\n${lines.join('\n')}\n`, 'txt');
}

/** Memory that threads share does not go back to the system: there is nothing to purge. */
export function memoryPurge(_session: Session, _args: Args, reply: ReplyWriter): void {
  reply.ok();
}
