/** DUMP payloads: form of the value, value, RDB version (2 bytes), CRC-64 (8 bytes). */
import { type BlockView, LiveView } from '../../native-free-shm/block-view.ts';
import { Crc64 } from '../datatypes/crc64.ts';
import { RdbWriter } from '../datatypes/rdb-writer.ts';
import type { Keyspace } from './keyspace.ts';
import { NEWEST_RDB_VERSION, RDB_VERSION } from './rdb-types.ts';
import { RdbValueWriter } from './rdb-value-writer.ts';

/** Version and checksum. */
export const PAYLOAD_TAIL_BYTES = 10;
const ELEMENTS_PER_STEP = 1024;

const crc = new Crc64();
const out = new RdbWriter();
const writers = new WeakMap<Keyspace, RdbValueWriter>();

function writerOf(ks: Keyspace): RdbValueWriter {
  let writer = writers.get(ks);
  if (writer === undefined) {
    const view: BlockView = new LiveView(ks.arena);
    writer = new RdbValueWriter(view, out);
    writers.set(ks, writer);
  }
  return writer;
}

/**
 * The payload of entry `h`: out.buf[0, out.pos), valid until the next one is made. `packs`: long strings are compressed; `isForUs`:
 * nobody else will read it.
 */
export function payloadOf(ks: Keyspace, h: number, packs: boolean, isForUs = false): RdbWriter {
  const writer = writerOf(ks);
  writer.isForUs = isForUs;
  out.clear();
  out.packs = packs;
  writer.entry(h);
  out.byte(writer.rdbType());
  writer.begin();
  while (writer.step(ELEMENTS_PER_STEP));
  out.sealPayload(0, RDB_VERSION);
  return out;
}

/** Is bytes[start, end) a whole payload of a version that can be read? */
export function isPayload(bytes: Buffer, start: number, end: number): boolean {
  return hasPayloadForm(bytes, start, end) && isWholePayload(bytes, start, end);
}

/** Has bytes[start, end) the length of a payload, and a version that can be read? */
export function hasPayloadForm(bytes: Buffer, start: number, end: number): boolean {
  if (end - start < PAYLOAD_TAIL_BYTES + 1) return false;
  return bytes.readUInt16LE(end - PAYLOAD_TAIL_BYTES) <= NEWEST_RDB_VERSION;
}

/** Does a payload's checksum say that it is whole? */
export function isWholePayload(bytes: Buffer, start: number, end: number): boolean {
  crc.reset();
  crc.update(bytes, start, end - 8);
  return crc.equals(bytes, end - 8);
}
