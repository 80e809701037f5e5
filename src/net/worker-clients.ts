/**
 * The connections of one worker: adopts them, gives them what they share, closes those that somebody wants closed.
 */
import type { Socket } from 'node:net';
import type { ClientRecords } from '../admin/client-records.ts';
import { COUNTER } from '../admin/server-counters.ts';
import { type ServerContext, Session } from '../dispatch/session.ts';
import type { Args } from '../resp/args.ts';
import { Connection, type ConnectionThread } from './connection.ts';
import { refuseTooMany } from './listener.ts';
import { adoptSocket, type ReadBuffer, socketFd } from './socket-adoption.ts';

export class WorkerClients {
  private readonly connections = new Map<number, Connection>();
  private readonly server: ServerContext;
  private readonly records: ClientRecords;
  private readonly thread: ConnectionThread;
  private readonly counters: Float64Array;
  private readonly readBuffer: ReadBuffer | null;
  private readonly finished: () => void;

  constructor(parts: {
    server: ServerContext;
    thread: ConnectionThread;
    counters: Float64Array;
    readBuffer: ReadBuffer | null;
    /** A connection of this worker has ended. */
    finished: () => void;
  }) {
    this.server = parts.server;
    this.records = parts.server.clients;
    this.thread = parts.thread;
    this.counters = parts.counters;
    this.readBuffer = parts.readBuffer;
    this.finished = parts.finished;
  }

  /** Takes over a fresh socket. `unixPath` is the listening path of a Unix socket, '' for TCP. */
  adopt(socket: Socket, unixPath: string): void {
    const addr = unixPath === '' ? addressText(socket.remoteAddress, socket.remotePort) : `${unixPath}:0`;
    const laddr = unixPath === '' ? addressText(socket.localAddress, socket.localPort) : `${unixPath}:0`;
    const id = this.records.nextId();
    const nowMs = this.server.nowMs();
    // connections over TCP have been counted by the acceptor
    const isTooMany = unixPath !== '' && this.records.count() >= this.server.settings.number('maxclients');
    const record = isTooMany
      ? -1
      : this.records.open({ id, addr, laddr, fd: socketFd(socket), nowMs, isUnixSocket: unixPath !== '' });
    if (record < 0) {
      this.counters[COUNTER.connectionsRejected]++;
      refuseTooMany(socket);
      if (unixPath === '') this.finished();
      return;
    }
    this.counters[COUNTER.connectionsReceived]++;
    adoptSocket(socket, this.readBuffer, (adopted) => {
      const session = new Session(this.server, id, this.server.settings.text('requirepass') === '');
      session.record = record;
      session.addr = addr;
      session.laddr = laddr;
      session.isUnixSocket = unixPath !== '';
      session.createdMs = session.nowMs = nowMs;
      const connection = new Connection(adopted, session, this.thread);
      this.connections.set(id, connection);
      return connection;
    });
  }

  forget(connection: Connection): void {
    if (!this.connections.delete(connection.session.id)) return;
    connection.session.leave();
    this.server.pushes.leave(connection.session);
    this.records.close(connection.session.record);
    // Unix sockets never went through the acceptor's hand-off
    if (!connection.session.isUnixSocket) this.finished();
  }

  bySession(id: number): Connection | null {
    return this.connections.get(id) ?? null;
  }

  /** Closes the connections that somebody wants closed; called whenever this worker was rung, nearly always for something else. */
  closeKilled(): void {
    if (!this.records.takeKillWanted()) return;
    for (const connection of this.connections.values()) {
      if (this.records.killWanted(connection.session.record)) connection.close();
    }
  }

  /** Ends all connections after what they are owed has left. */
  endAll(): void {
    for (const connection of this.connections.values()) connection.end();
  }

  /** True while outputs are staged or held. */
  get owesOutput(): boolean {
    for (const connection of this.connections.values()) if (connection.owesOutput) return true;
    return false;
  }

  /** While a script of this thread runs on and on: answers what has come, with the help of a buffer and arguments for each in turn. */
  serveInScript(buf: Buffer, args: Args): void {
    for (const connection of this.connections.values()) connection.serveInScript(buf, args);
  }

  /** What only time brings about: see Connection.sweep. `timeoutSeconds` is the setting `timeout`. */
  sweep(nowMs: number, timeoutSeconds: number): void {
    for (const connection of this.connections.values()) connection.sweep(nowMs, timeoutSeconds);
  }
}

/** 'address:port', IPv6 in brackets, as CLIENT LIST shows it. */
function addressText(address: string | undefined, port: number | undefined): string {
  if (address === undefined) return '?:0';
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
