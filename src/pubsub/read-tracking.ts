/**
 * Which client's reads the running command's keys are noted for. One object per thread; the dispatcher says whose command it is,
 * the executor names the keys that were read, inside the unit.
 */
import { EVENT, type EventLog } from './event-log.ts';
import type { Listener } from './push-listener.ts';
import type { TrackingClients } from './tracking-clients.ts';

const NO_KEY = Buffer.alloc(0);

export class ReadTracking {
  private readonly clients: TrackingClients;
  private readonly log: EventLog;
  private readonly worker: number;
  private listener: Listener | null = null;
  /** The worker that has the client whose reads are to be noted; -1: they are not. */
  readerWorker = -1;
  /** Shared record of the client whose command runs. */
  client = -1;
  /** tracking-table-max-keys; 0: as many as there is room for. */
  maxKeys = 0;

  constructor(clients: TrackingClients, log: EventLog, worker: number) {
    this.clients = clients;
    this.log = log;
    this.worker = worker;
  }

  /** A command of a client of this thread is about to run. */
  begin(listener: Listener, tracks: boolean): void {
    this.client = listener.record;
    this.listener = listener;
    this.readerWorker = tracks ? this.worker : -1;
  }

  /** A command of another worker's client is about to run; that worker has noted its keys for it. */
  beginForwarded(record: number, worker: number, tracks: boolean): void {
    this.client = record;
    this.listener = null;
    this.readerWorker = tracks ? worker : -1;
  }

  /** Before a command of this thread's client goes to another worker: notes one of its keys. */
  remember(listener: Listener, hash: number, buf: Buffer, start: number, end: number): void {
    this.clients.remember(listener, hash, buf, start, end);
  }

  /** Under the latch of the key's shard: the running command has read it. */
  note(shard: number, hash: number, buf: Buffer, start: number, end: number): void {
    const { table } = this.clients;
    if (this.listener !== null) this.clients.remember(this.listener, hash, buf, start, end);
    if (table.isFull(shard)) this.evictFrom(shard);
    table.register(shard, hash, this.readerWorker);
  }

  /** Under the latch of a shard: too many keys are tracked, one of this shard's makes room. False: none has to, or there is none. */
  evict(shard: number): boolean {
    const { table } = this.clients;
    if (this.maxKeys === 0 || table.countOf(shard) === 0 || table.keys() <= this.maxKeys) return false;
    this.evictFrom(shard);
    return true;
  }

  private evictFrom(shard: number): void {
    const hash = this.clients.table.evict(shard);
    if (hash !== null) this.log.append(EVENT.invalidate, -1, hash, -1, NO_KEY, 0, 0);
  }
}
