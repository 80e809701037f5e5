/**
 * Writes to one connection's socket. Node's stream layer costs about as much as the system call behind it, so once the class
 * of its write requests is known, writes go to the handle directly: the kernel nearly always takes a reply at once, and then
 * one request object serves the whole thread.
 *
 * The class is not public. It is learned from the first write of the thread, which goes through the stream; where the handle
 * does not look as expected, all writes do.
 *
 * Invariant 1: a request object is used again only if `writeBuffer` left it alone, which its async id tells: -1 until the handle
 *              has taken it for a write that the kernel did not finish at the first attempt.
 * Invariant 2: bytes that the kernel did not take at once stay referenced by their request until it ends.
 */
import type { Socket } from 'node:net';

interface WriteRequest {
  getAsyncId(): number;
  oncomplete: ((status: number) => void) | null;
  buffer: Buffer | null;
}

/** The parts of a TCP or pipe handle that are used. */
interface WriteHandle {
  writeBuffer(request: WriteRequest, bytes: Uint8Array): number;
  readonly writeQueueSize: number;
}

let RequestClass: (new () => WriteRequest) | null = null;
let spare: WriteRequest | null = null;

function handleOf(socket: Socket): WriteHandle | null {
  const handle = (socket as unknown as { _handle: WriteHandle | null })._handle;
  if (handle === null || typeof handle.writeBuffer !== 'function' || typeof handle.writeQueueSize !== 'number')
    return null;
  return handle;
}

/** Has the next stream write to this handle tell the class of its request. */
function learnFrom(handle: WriteHandle): void {
  const plain = handle.writeBuffer;
  handle.writeBuffer = function learning(this: WriteHandle, request, bytes) {
    handle.writeBuffer = plain;
    RequestClass = request.constructor as new () => WriteRequest;
    return plain.call(this, request, bytes);
  };
}

/** Views of longer ranges are not remembered: they may keep a huge buffer alive. */
const REMEMBERED_BYTES = 4096;
/** How many are remembered: a place follows from where the range begins, in steps of 16 bytes. */
const REMEMBERED_VIEWS = 256;

let rememberedBuf: Buffer | null = null;
const remembered: (Buffer | null)[] = new Array(REMEMBERED_VIEWS).fill(null);
const rememberedStarts = new Int32Array(REMEMBERED_VIEWS);
const rememberedEnds = new Int32Array(REMEMBERED_VIEWS);

/**
 * A view of buf[start, end): one of before where it fits. Clients that are served together get ranges one behind the other, which mostly
 * have the lengths of the last time, so that they begin where they did.
 */
function viewOf(buf: Buffer, start: number, end: number): Buffer {
  if (end - start > REMEMBERED_BYTES) return buf.subarray(start, end);
  if (buf !== rememberedBuf) {
    rememberedBuf = buf;
    remembered.fill(null);
    rememberedEnds.fill(-1);
  }
  const place = (start >>> 4) & (REMEMBERED_VIEWS - 1);
  if (rememberedStarts[place] === start && rememberedEnds[place] === end) return remembered[place]!;
  rememberedStarts[place] = start;
  rememberedEnds[place] = end;
  return (remembered[place] = buf.subarray(start, end));
}

export class SocketWriter {
  /** Bytes that the kernel has not taken yet. */
  pendingBytes = 0;
  private readonly socket: Socket;
  private readonly handle: WriteHandle | null;
  private readonly onDrain: () => void;

  /** `onDrain` is called whenever the kernel has taken everything that was pending. */
  constructor(socket: Socket, onDrain: () => void) {
    this.socket = socket;
    this.onDrain = onDrain;
    this.handle = handleOf(socket);
  }

  /** As pendingBytes, but counts what the kernel has taken of an unfinished write; asks the system's library. */
  get unsentBytes(): number {
    return this.pendingBytes === 0 || this.handle === null ? this.pendingBytes : this.handle.writeQueueSize;
  }

  /** Writes buf[start, end). True: the bytes are gone, the buffer may be used again. */
  write(buf: Buffer, start: number, end: number): boolean {
    const { handle, socket } = this;
    if (socket.destroyed) return true;
    if (handle === null || RequestClass === null || socket.writableLength > 0) return this.writeStream(buf, start, end);
    const request = spare ?? new RequestClass();
    spare = null;
    const bytes = viewOf(buf, start, end);
    if (handle.writeBuffer(request, bytes) !== 0) {
      spare = request;
      socket.destroy();
      return true;
    }
    if (request.getAsyncId() === -1) {
      spare = request;
      return true;
    }
    this.follow(request, bytes);
    return false;
  }

  /** Keeps bytes that are under way until the kernel has them. */
  private follow(request: WriteRequest, bytes: Buffer): void {
    this.pendingBytes += bytes.length;
    request.buffer = bytes;
    request.oncomplete = (status) => {
      this.pendingBytes -= bytes.length;
      request.buffer = null;
      if (status < 0) this.socket.destroy();
      else if (this.pendingBytes === 0) this.onDrain();
    };
  }

  private writeStream(buf: Buffer, start: number, end: number): boolean {
    const { handle, socket } = this;
    if (RequestClass === null && handle !== null) learnFrom(handle);
    const bytes = buf.subarray(start, end);
    let counted = false;
    socket.write(bytes, () => {
      if (!counted) return;
      this.pendingBytes -= bytes.length;
      if (this.pendingBytes === 0 && !socket.destroyed) this.onDrain();
    });
    if (socket.writableLength === 0) return true;
    counted = true;
    this.pendingBytes += bytes.length;
    return false;
  }
}
