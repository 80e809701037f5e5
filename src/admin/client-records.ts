/**
 * What every thread may know of every connection: one fixed-size record per connection in shared memory.
 *
 *   head     Int32 per worker:  [ open records | records ever used (upper bound for readers) | 1: somebody wants one closed ]
 *            behind them one Int64: the newest client id of the process
 *   records  worker 0: record 0, 1, 2 …; worker 1: …      record number = worker * recordsPerWorker + place
 *   record   1088 bytes:
 *     0..63    Int32: sequence, state, kill word, flags, db, command row, fd, resp, lengths of the six texts
 *     64..127  Float64: id, created ms, last used ms, bytes of: query, output, all memory, arguments, free query room
 *     128..    texts, each in its own field: addr, laddr, name, libName, libVersion, user
 *     1024..   Int32: subscriptions to channels, patterns, shard channels | Float64: id of the client that gets its invalidations
 *     1048..   Int32: watch word (src/shard/interest-table.ts), commands queued + 1, watched keys, claim word | Float64: bytes of queued commands
 *
 * The worker that has the connection writes its record; any thread reads, and may set the kill word.
 * Invariant 1: state, id and texts change only while the sequence word is odd; a reader that saw an odd or a changed
 *   sequence reads again.
 * Invariant 2: the kill word names the id that is to be closed (killWord), so that a request never meets the next connection
 *   in the same record. It is stored before the worker's wanted word is set; the owner clears that word before it looks at
 *   the records: no request is missed, and nobody looks where there was none.
 * Invariant 3: the watch word is made a new ticket by its connection's worker, and is marked by whoever holds the latch of a watched
 *   key's shard, by compare-exchange. It outlives the connection: a ticket never comes again in the record.
 * Invariant 4: the claim word is made a new even ticket when the client begins to wait (R10). Whoever ends the waiting (who serves it,
 *   its timeout, CLIENT UNBLOCK, its death) first makes it odd by compare-exchange: exactly one of them does, and answers or cleans up.
 *   A ticket never comes again in the record.
 * Invariant 5: numbers outside the sequence (db, times, buffers) are single stores, each true at some moment.
 */
const RECORD_BYTES = 1088;
const RECORD_WORDS = RECORD_BYTES / 4;
const RECORD_DOUBLES = RECORD_BYTES / 8;

const SEQUENCE = 0;
const STATE = 1;
const KILL = 2;
const FLAGS = 3;
const DB = 4;
const COMMAND = 5;
const FD = 6;
const RESP = 7;
const LENGTHS = 8;
const SUBSCRIPTIONS = 256;

const D_ID = 8;
const D_CREATED = 9;
const D_LAST = 10;
const D_QUERY = 11;
const D_OUTPUT = 12;
const D_TOTAL = 13;
const D_ARGUMENTS = 14;
const D_QUERY_FREE = 15;
const D_REDIRECT = 130;
/** Watch word (src/shard/interest-table.ts), queued commands + 1 (0: no MULTI), watched keys; bytes of the queued commands. */
const WATCH = 262;
const QUEUED = 263;
const WATCHED = 264;
const CLAIM = 265;
const D_QUEUED_BYTES = 133;

/** Offset and room of each text in a record. */
const TEXTS = {
  addr: { index: 0, at: 128, room: 160 },
  laddr: { index: 1, at: 288, room: 160 },
  name: { index: 2, at: 448, room: 256 },
  libName: { index: 3, at: 704, room: 128 },
  libVersion: { index: 4, at: 832, room: 64 },
  user: { index: 5, at: 896, room: 128 },
} as const;
type TextName = keyof typeof TEXTS;

const STATE_FREE = 0;
const STATE_OPEN = 1;

const HEAD_WORDS_PER_WORKER = 16;
const HEAD_OPEN = 0;
const HEAD_USED = 1;
const HEAD_KILL_WANTED = 2;

/** A write takes about a microsecond; a reader gives up after some milliseconds of an unfinished one. */
const READ_ATTEMPTS = 100_000;

/** State bits of a connection, shown as letters in CLIENT LIST's flags. */
export const CLIENT_FLAG = {
  unixSocket: 1 << 0,
  closing: 1 << 1,
  noEvict: 1 << 2,
  noTouch: 1 << 3,
  waiting: 1 << 4,
  subscriber: 1 << 5,
  monitor: 1 << 6,
  tracking: 1 << 7,
  brokenRedirect: 1 << 8,
  broadcast: 1 << 9,
} as const;

export interface ClientRecordsMemory {
  head: SharedArrayBuffer;
  records: SharedArrayBuffer;
  workers: number;
  recordsPerWorker: number;
}

/** The changeable texts of a connection; latin1, cut to the room they have in the record. */
export interface ClientTexts {
  name?: string;
  libName?: string;
  libVersion?: string;
  user?: string;
}

export interface ClientOpening {
  id: number;
  addr: string;
  laddr: string;
  fd: number;
  nowMs: number;
  isUnixSocket?: boolean;
}

/** One consistent reading of a record. */
export interface ClientInfo {
  record: number;
  id: number;
  addr: string;
  laddr: string;
  name: string;
  libName: string;
  libVersion: string;
  user: string;
  fd: number;
  createdMs: number;
  lastMs: number;
  flags: number;
  db: number;
  resp: number;
  commandRow: number;
  channels: number;
  patterns: number;
  shardChannels: number;
  /** Id of the client that gets its invalidations: 0 itself, -1 nobody. */
  redirect: number;
  /** Commands since MULTI, -1 outside of it, and their memory. */
  queued: number;
  queuedBytes: number;
  /** Watched keys, and whether one of them was touched. */
  watched: number;
  watchBroken: boolean;
  queryBytes: number;
  queryFreeBytes: number;
  argumentBytes: number;
  outputBytes: number;
  totalBytes: number;
}

/** Bytes that a connection holds, as CLIENT LIST tells them apart. */
export interface ClientBuffers {
  /** Input that no command has used yet. */
  queryBytes: number;
  /** Room behind it that is allocated. */
  queryFreeBytes: number;
  /** Arguments of the command that waits. */
  argumentBytes: number;
  /** Replies that the kernel has not taken, staged and held ones included. */
  outputBytes: number;
  /** All of it. */
  totalBytes: number;
}

/** What a kill word holds for a client id: never 0, which says that nobody wants anything. */
function killWord(id: number): number {
  return ((id % 0xffffffff) + 1) | 0;
}

/** Shared memory for `workers` × `recordsPerWorker` connections; committed as records are used. */
export function createClientRecords(workers: number, recordsPerWorker: number): ClientRecordsMemory {
  return {
    head: new SharedArrayBuffer(workers * HEAD_WORDS_PER_WORKER * 4 + 8),
    records: new SharedArrayBuffer(workers * recordsPerWorker * RECORD_BYTES),
    workers,
    recordsPerWorker,
  };
}

export class ClientRecords {
  private readonly head: Int32Array;
  private readonly newestId: BigInt64Array;
  private readonly i32: Int32Array;
  private readonly f64: Float64Array;
  private readonly bytes: Buffer;
  private readonly workers: number;
  private readonly perWorker: number;
  private readonly worker: number;
  /** Freed places of this worker; only the owner opens and closes, so the list need not be shared. */
  private readonly free: number[] = [];

  /** `worker`: whose records this object opens and closes; -1 for a thread that only reads. */
  constructor(memory: ClientRecordsMemory, worker: number) {
    this.head = new Int32Array(memory.head);
    this.newestId = new BigInt64Array(memory.head, memory.workers * HEAD_WORDS_PER_WORKER * 4, 1);
    this.i32 = new Int32Array(memory.records);
    this.f64 = new Float64Array(memory.records);
    this.bytes = Buffer.from(memory.records);
    this.workers = memory.workers;
    this.perWorker = memory.recordsPerWorker;
    this.worker = worker;
  }

  /** A new client id, greater than all before it in the process: a whole number below 2^53. */
  nextId(): number {
    return Number(Atomics.add(this.newestId, 0, 1n)) + 1;
  }

  /** Takes a record for a new connection; -1 when all are in use. */
  open(opening: ClientOpening): number {
    const place = this.takePlace();
    if (place < 0) return -1;
    const record = this.worker * this.perWorker + place;
    const w = record * RECORD_WORDS;
    const d = record * RECORD_DOUBLES;
    const i32 = this.i32;
    Atomics.add(i32, w + SEQUENCE, 1);
    i32[w + STATE] = STATE_OPEN;
    i32[w + KILL] = 0;
    i32[w + FLAGS] = opening.isUnixSocket ? CLIENT_FLAG.unixSocket : 0;
    i32[w + DB] = 0;
    i32[w + COMMAND] = -1;
    i32[w + FD] = opening.fd;
    i32[w + RESP] = 2;
    this.f64[d + D_ID] = opening.id;
    this.f64[d + D_CREATED] = opening.nowMs;
    this.f64[d + D_LAST] = opening.nowMs;
    this.f64.fill(0, d + D_QUERY, d + D_QUERY_FREE + 1);
    i32.fill(0, w + SUBSCRIPTIONS, w + SUBSCRIPTIONS + 3);
    this.f64[d + D_REDIRECT] = -1;
    i32[w + QUEUED] = 0;
    i32[w + WATCHED] = 0;
    i32[w + CLAIM] |= 1;
    this.f64[d + D_QUEUED_BYTES] = 0;
    this.writeText(record, 'addr', opening.addr);
    this.writeText(record, 'laddr', opening.laddr);
    this.writeText(record, 'name', '');
    this.writeText(record, 'libName', '');
    this.writeText(record, 'libVersion', '');
    this.writeText(record, 'user', 'default');
    Atomics.add(i32, w + SEQUENCE, 1);
    Atomics.add(this.head, this.worker * HEAD_WORDS_PER_WORKER + HEAD_OPEN, 1);
    return record;
  }

  private takePlace(): number {
    const freed = this.free.pop();
    if (freed !== undefined) return freed;
    const at = this.worker * HEAD_WORDS_PER_WORKER + HEAD_USED;
    const used = this.head[at];
    if (used >= this.perWorker) return -1;
    Atomics.store(this.head, at, used + 1);
    return used;
  }

  close(record: number): void {
    const w = record * RECORD_WORDS;
    if (this.i32[w + STATE] !== STATE_OPEN) throw new Error(`client record ${record} is not open`);
    Atomics.add(this.i32, w + SEQUENCE, 1);
    this.i32[w + STATE] = STATE_FREE;
    Atomics.add(this.i32, w + SEQUENCE, 1);
    Atomics.sub(this.head, this.worker * HEAD_WORDS_PER_WORKER + HEAD_OPEN, 1);
    this.free.push(record % this.perWorker);
  }

  /** Once per batch: the connection was used now, by this command in this database. */
  touch(record: number, nowMs: number, commandRow: number, db: number): void {
    const w = record * RECORD_WORDS;
    this.i32[w + COMMAND] = commandRow;
    this.i32[w + DB] = db;
    this.f64[record * RECORD_DOUBLES + D_LAST] = nowMs;
  }

  buffers(record: number, sizes: ClientBuffers): void {
    const d = record * RECORD_DOUBLES;
    this.f64[d + D_QUERY] = sizes.queryBytes;
    this.f64[d + D_QUERY_FREE] = sizes.queryFreeBytes;
    this.f64[d + D_ARGUMENTS] = sizes.argumentBytes;
    this.f64[d + D_OUTPUT] = sizes.outputBytes;
    this.f64[d + D_TOTAL] = sizes.totalBytes;
  }

  /** Name, library, user: what CLIENT SETNAME, SETINFO, AUTH and RESET change. */
  describe(record: number, texts: ClientTexts): void {
    const w = record * RECORD_WORDS;
    Atomics.add(this.i32, w + SEQUENCE, 1);
    if (texts.name !== undefined) this.writeText(record, 'name', texts.name);
    if (texts.libName !== undefined) this.writeText(record, 'libName', texts.libName);
    if (texts.libVersion !== undefined) this.writeText(record, 'libVersion', texts.libVersion);
    if (texts.user !== undefined) this.writeText(record, 'user', texts.user);
    Atomics.add(this.i32, w + SEQUENCE, 1);
  }

  setResp(record: number, resp: 2 | 3): void {
    this.i32[record * RECORD_WORDS + RESP] = resp;
  }

  setFlag(record: number, flag: number, on: boolean): void {
    const at = record * RECORD_WORDS + FLAGS;
    this.i32[at] = on ? this.i32[at] | flag : this.i32[at] & ~flag;
  }

  /** Subscriptions of the connection, by kind. */
  subscribed(record: number, channels: number, patterns: number, shardChannels: number): void {
    const at = record * RECORD_WORDS + SUBSCRIPTIONS;
    this.i32[at] = channels;
    this.i32[at + 1] = patterns;
    this.i32[at + 2] = shardChannels;
    this.setFlag(record, CLIENT_FLAG.subscriber, channels + patterns + shardChannels > 0);
  }

  // ---- transactions

  /** The words among which `watchPlace` names one. */
  get watchWords(): Int32Array {
    return this.i32;
  }

  /** Place of the connection's watch word. */
  watchPlace(record: number): number {
    return record * RECORD_WORDS + WATCH;
  }

  /** The connection's thread: a ticket that no watch has had; what is listed under older ones marks nothing any more. */
  newWatchTicket(record: number): number {
    const place = this.watchPlace(record);
    const ticket = ((Atomics.load(this.i32, place) | 1) + 1) | 0;
    Atomics.store(this.i32, place, ticket);
    return ticket;
  }

  /** Was something touched that is watched under this ticket? */
  watchTouched(record: number, ticket: number): boolean {
    return Atomics.load(this.i32, this.watchPlace(record)) !== ticket;
  }

  // ---- waiting (R10)

  /** Place of the connection's claim word among `watchWords`. */
  claimPlace(record: number): number {
    return record * RECORD_WORDS + CLAIM;
  }

  /** The connection's thread: it begins to wait, under this ticket. */
  newClaimTicket(record: number): number {
    const place = this.claimPlace(record);
    const ticket = ((Atomics.load(this.i32, place) | 1) + 1) | 0;
    Atomics.store(this.i32, place, ticket);
    return ticket;
  }

  /** The ticket under which the connection waits; odd: it does not. */
  claimTicket(record: number): number {
    return Atomics.load(this.i32, this.claimPlace(record));
  }

  /** Does the client whose claim word is at `place` still wait under this ticket? */
  isClaimable(place: number, ticket: number): boolean {
    return Atomics.load(this.i32, place) === ticket;
  }

  /** Any thread: ends the waiting under this ticket. False: somebody else did. */
  claim(place: number, ticket: number): boolean {
    return Atomics.compareExchange(this.i32, place, ticket, ticket | 1) === ticket;
  }

  setWatched(record: number, keys: number): void {
    this.i32[record * RECORD_WORDS + WATCHED] = keys;
  }

  /** What MULTI has queued; -1 commands: there is no MULTI. */
  setQueued(record: number, commands: number, bytes: number): void {
    this.i32[record * RECORD_WORDS + QUEUED] = commands + 1;
    this.f64[record * RECORD_DOUBLES + D_QUEUED_BYTES] = bytes;
  }

  /** Where its invalidations go: 0 to itself, -1 nowhere. */
  setRedirect(record: number, id: number): void {
    this.f64[record * RECORD_DOUBLES + D_REDIRECT] = id;
  }

  /** Any thread: asks the owner to close connection `id`, if it still has this record. Ring the owner's bell afterwards. */
  kill(record: number, id: number): void {
    Atomics.store(this.i32, record * RECORD_WORDS + KILL, killWord(id));
    Atomics.store(this.head, this.workerOf(record) * HEAD_WORDS_PER_WORKER + HEAD_KILL_WANTED, 1);
  }

  /** The owner, when rung: somebody wants connections closed; asked once, it has to look at all kill words. */
  takeKillWanted(): boolean {
    const at = this.worker * HEAD_WORDS_PER_WORKER + HEAD_KILL_WANTED;
    return this.head[at] !== 0 && Atomics.exchange(this.head, at, 0) !== 0;
  }

  /** The owner: somebody wants this connection closed. */
  killWanted(record: number): boolean {
    const word = Atomics.load(this.i32, record * RECORD_WORDS + KILL);
    return word !== 0 && word === killWord(this.f64[record * RECORD_DOUBLES + D_ID]);
  }

  /** The worker that has the connection of a record. */
  workerOf(record: number): number {
    return Math.floor(record / this.perWorker);
  }

  /** Open connections over all workers. */
  count(): number {
    let sum = 0;
    for (let worker = 0; worker < this.workers; worker++) sum += this.countOf(worker);
    return sum;
  }

  countOf(worker: number): number {
    return Atomics.load(this.head, worker * HEAD_WORDS_PER_WORKER + HEAD_OPEN);
  }

  /** Readings of all open connections, by ascending id. */
  list(): ClientInfo[] {
    const result: ClientInfo[] = [];
    for (let worker = 0; worker < this.workers; worker++) {
      const used = Atomics.load(this.head, worker * HEAD_WORDS_PER_WORKER + HEAD_USED);
      for (let place = 0; place < used; place++) {
        const info = this.read(worker * this.perWorker + place);
        if (info !== null) result.push(info);
      }
    }
    return result.sort((a, b) => a.id - b.id);
  }

  /** One consistent reading, or null where no connection is. */
  read(record: number): ClientInfo | null {
    const w = record * RECORD_WORDS;
    for (let attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
      const before = Atomics.load(this.i32, w + SEQUENCE);
      if ((before & 1) !== 0) {
        Atomics.pause();
        continue;
      }
      const info = this.i32[w + STATE] === STATE_OPEN ? this.readFields(record) : null;
      if (Atomics.load(this.i32, w + SEQUENCE) === before) return info;
    }
    // the owner stopped in the middle of a write: it is dying, and so is the process
    return null;
  }

  private readFields(record: number): ClientInfo {
    const w = record * RECORD_WORDS;
    const d = record * RECORD_DOUBLES;
    const i32 = this.i32;
    const f64 = this.f64;
    return {
      record,
      id: f64[d + D_ID],
      addr: this.readText(record, 'addr'),
      laddr: this.readText(record, 'laddr'),
      name: this.readText(record, 'name'),
      libName: this.readText(record, 'libName'),
      libVersion: this.readText(record, 'libVersion'),
      user: this.readText(record, 'user'),
      fd: i32[w + FD],
      createdMs: f64[d + D_CREATED],
      lastMs: f64[d + D_LAST],
      flags: i32[w + FLAGS],
      db: i32[w + DB],
      resp: i32[w + RESP],
      commandRow: i32[w + COMMAND],
      channels: i32[w + SUBSCRIPTIONS],
      patterns: i32[w + SUBSCRIPTIONS + 1],
      shardChannels: i32[w + SUBSCRIPTIONS + 2],
      redirect: f64[d + D_REDIRECT],
      queued: i32[w + QUEUED] - 1,
      queuedBytes: f64[d + D_QUEUED_BYTES],
      watched: i32[w + WATCHED],
      watchBroken: (i32[w + WATCH] & 1) !== 0,
      queryBytes: f64[d + D_QUERY],
      queryFreeBytes: f64[d + D_QUERY_FREE],
      argumentBytes: f64[d + D_ARGUMENTS],
      outputBytes: f64[d + D_OUTPUT],
      totalBytes: f64[d + D_TOTAL],
    };
  }

  private writeText(record: number, name: TextName, text: string): void {
    const field = TEXTS[name];
    const written = this.bytes.write(text, record * RECORD_BYTES + field.at, field.room, 'latin1');
    this.i32[record * RECORD_WORDS + LENGTHS + field.index] = written;
  }

  private readText(record: number, name: TextName): string {
    const field = TEXTS[name];
    const at = record * RECORD_BYTES + field.at;
    // a torn length is thrown away by the sequence check, but must not read beyond the field before that
    const length = Math.min(Math.max(this.i32[record * RECORD_WORDS + LENGTHS + field.index], 0), field.room);
    return this.bytes.toString('latin1', at, at + length);
  }
}
