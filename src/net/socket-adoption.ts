/**
 * Makes a transferred or accepted socket read into the thread's one static buffer, which saves a buffer and an event per read.
 *
 * Node offers that (`onread`) for sockets it connects itself; for accepted ones the handle is wrapped anew. Whether this Node
 * allows it is found out at start (`readerWorks`); else the sockets' plain `data` events are used.
 */
import { readSync } from 'node:fs';
import net from 'node:net';

/** What a connection does with its bytes. */
export interface ByteSink {
  /** Takes buf[start, end), and may write in front of it; false: stop reading until `resume`. */
  onBytes(buf: Buffer, start: number, end: number): boolean;
  onEnd(): void;
  onClose(): void;
}

/** Parts of a socket that Node's types do not show. */
interface HandleOwner {
  _handle: object | null;
}

/** What one read brings at most: big enough that a value of 512 KiB arrives in few reads. */
const READ_BYTES = 512 * 1024;
/** Room in front of it, for what was left over of the read before. */
const LEAD_BYTES = 64 * 1024;

/** Where all connections of a thread read into. */
export class ReadBuffer {
  readonly whole = Buffer.allocUnsafeSlow(LEAD_BYTES + READ_BYTES);
  readonly room = this.whole.subarray(LEAD_BYTES);
}

/** Takes the handle out of a socket, which is then only an empty shell. */
function takeHandle(socket: net.Socket): object {
  const owner = socket as unknown as HandleOwner;
  const handle = owner._handle;
  if (handle === null) throw new Error('the socket has lost its handle');
  owner._handle = null;
  socket.destroy();
  return handle;
}

/** The system's number of a socket, -1 where it has none any more. */
export function socketFd(socket: net.Socket): number {
  const handle = (socket as unknown as HandleOwner)._handle as { readonly fd?: number } | null;
  return handle?.fd ?? -1;
}

/**
 * Reads what has come by now, without the event loop: how many bytes, or 0. The end of the input and errors are left to the event loop,
 * which meets them again.
 */
export function readNow(socket: net.Socket, buf: Buffer): number {
  const fd = socketFd(socket);
  if (fd < 0) return 0;
  try {
    return readSync(fd, buf, 0, buf.length, null);
  } catch {
    // nothing is there
    return 0;
  }
}

function wrap(handle: object, buffer: Buffer, onBytes: (bytes: number, buf: Uint8Array) => boolean): net.Socket {
  const options = { handle, onread: { buffer, callback: onBytes }, allowHalfOpen: true };
  return new net.Socket(options as unknown as net.SocketConstructorOpts);
}

/**
 * Adopts a paused socket that nobody has read from. `makeSink` gets the socket to write to and returns who takes the bytes;
 * reading starts at once. `readBuffer` is null for plain `data` events.
 */
export function adoptSocket(
  socket: net.Socket,
  readBuffer: ReadBuffer | null,
  makeSink: (socket: net.Socket) => ByteSink,
): void {
  let sink: ByteSink | null = null;
  let adopted = socket;
  if (readBuffer !== null) {
    const { whole, room } = readBuffer;
    adopted = wrap(takeHandle(socket), room, (bytes) => sink!.onBytes(whole, LEAD_BYTES, LEAD_BYTES + bytes));
  } else {
    socket.allowHalfOpen = true;
    socket.on('data', (chunk: Buffer) => {
      if (!sink!.onBytes(chunk, 0, chunk.length)) socket.pause();
    });
  }
  sink = makeSink(adopted);
  const target = sink;
  adopted.on('end', () => target.onEnd());
  adopted.on('close', () => target.onClose());
  // a reset or a broken pipe ends in 'close', which does all there is to do
  adopted.on('error', () => adopted.destroy());
  adopted.resume();
}

/** Tries over the loopback whether wrapped handles deliver bytes into a static buffer; takes a few milliseconds. */
export async function readerWorks(): Promise<boolean> {
  const server = net.createServer({ pauseOnConnect: true });
  try {
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as net.AddressInfo;
    const accepted = new Promise<net.Socket>((resolve) => server.once('connection', resolve));
    const client = net.connect(port, '127.0.0.1', () => client.write('ping'));
    client.on('error', () => client.destroy());
    const socket = await accepted;
    const buffer = Buffer.alloc(64);
    const text = await new Promise<string>((resolve) => {
      const wrapped = wrap(takeHandle(socket), buffer, (bytes, buf) => {
        resolve(buf === buffer ? buffer.toString('latin1', 0, bytes) : '');
        wrapped.destroy();
        return false;
      });
      wrapped.on('error', () => resolve(''));
      wrapped.on('close', () => resolve(''));
      wrapped.resume();
    });
    client.destroy();
    return text === 'ping';
  } catch {
    return false;
  } finally {
    server.close();
  }
}
