/**
 * RESTORE of payloads that were changed under a checksum that is right: each is refused, or gives a value that can be read, changed and
 * removed; never a bug, and no byte of memory stays behind.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { Crc64 } from '../../../src/datatypes/crc64.ts';
import { PROCESS } from '../../../src/shard/world.ts';
import { InProcess } from './in-process.ts';

const many = (count: number, make: (i: number) => (string | number)[]): (string | number)[] =>
  Array.from({ length: count }, (_, i) => make(i)).flat();

/** One key of each form; small, so that every bit can be changed. */
const VALUES: Record<string, (string | number)[][]> = {
  text: [['SET', 'k', 'hello']],
  packed: [['SET', 'k', 'ab'.repeat(60)]],
  number: [['SET', 'k', -70000]],
  list: [['RPUSH', 'k', 'a', 3, -70000, 'b'.repeat(70)]],
  longList: [['RPUSH', 'k', ...many(12, (i) => [`element ${i}`.repeat(90)])]],
  integers: [['SADD', 'k', 1, 2, -3, 5_000_000_000]],
  smallSet: [['SADD', 'k', 1, 'two', '3.0']],
  set: [['SADD', 'k', ...many(5, (i) => [`${i}`.repeat(70)])]],
  smallHash: [['HSET', 'k', 'a', 1, 'b', 'two']],
  hash: [['HSET', 'k', 'a', 'v'.repeat(70), 'b', '2']],
  mortalHash: [
    ['HSET', 'k', 'a', 1, 'b', 'two'],
    ['HPEXPIRE', 'k', 900, 'FIELDS', 1, 'a'],
  ],
  smallSorted: [['ZADD', 'k', 1, 'a', 2.5, 'b', '-inf', 'c']],
  sorted: [['ZADD', 'k', 1, 'a'.repeat(70), 2.5, 'b']],
  stream: [
    ['XADD', 'k', '1-1', 'a', 1],
    ['XADD', 'k', '1-2', 'a', 2],
    ['XADD', 'k', '2-1', 'b', 'x', 'c', 'y'],
    ['XDEL', 'k', '1-2'],
    ['XGROUP', 'CREATE', 'k', 'g', '0'],
    ['XREADGROUP', 'GROUP', 'g', 'alice', 'STREAMS', 'k', '>'],
  ],
};

const crc = new Crc64();

/** The same payload with one byte changed and the checksum made right again. */
function changed(payload: Buffer, at: number, to: number): Buffer {
  const bytes = Buffer.from(payload);
  bytes[at] = to;
  crc.reset();
  crc.update(bytes, 0, bytes.length - 8);
  crc.writeTo(bytes, bytes.length - 8);
  return bytes;
}

describe('payloads that were changed', () => {
  let server: InProcess;
  const live = () => server.access.spaces[0].arena.liveBytes();

  beforeAll(() => {
    const skipChecksums = (on: boolean): void => {
      server.access.process[PROCESS.checksumsSkipped] = on ? 1 : 0;
    };
    const settings = { 'enable-debug-command': 'yes' };
    server = new InProcess({ journalled: false, settings, control: { skipChecksums } });
  });

  function payloadOf(commands: (string | number)[][]): Buffer {
    for (const command of commands) expect(server.run(...command)).not.toMatch(/^-/);
    const reply = Buffer.from(server.run('DUMP', 'k'), 'latin1');
    server.run('DEL', 'k');
    return reply.subarray(reply.indexOf('\r\n') + 2, reply.length - 2);
  }

  /** Restores the payload, uses the value, removes it. */
  function tryPayload(payload: Buffer): boolean {
    const reply = server.run('RESTORE', 'k', 0, payload);
    if (reply !== '+OK\r\n') {
      expect(reply).toMatch(/^-ERR (Bad data format|DUMP payload version)/);
      expect(server.run('EXISTS', 'k')).toBe(':0\r\n');
      return false;
    }
    const again = Buffer.from(server.run('DUMP', 'k'), 'latin1');
    expect(server.run('DEBUG', 'DIGEST-VALUE', 'k')).not.toMatch(/internal error/);
    const copy = again.subarray(again.indexOf('\r\n') + 2, again.length - 2);
    expect(server.run('RESTORE', 'copy', 0, copy)).toBe('+OK\r\n');
    expect(server.run('DEBUG', 'DIGEST-VALUE', 'copy')).toBe(server.run('DEBUG', 'DIGEST-VALUE', 'k'));
    expect(server.run('DEL', 'k', 'copy')).toBe(':2\r\n');
    return true;
  }

  test('a wrong checksum is refused, unless DEBUG says that it does not count', () => {
    const payload = payloadOf(VALUES['list']);
    payload[payload.length - 1] ^= 1;
    expect(server.run('RESTORE', 'k', 0, payload)).toMatch(/^-ERR DUMP payload version or checksum/);
    expect(server.run('DEBUG', 'SET-SKIP-CHECKSUM-VALIDATION', 1)).toBe('+OK\r\n');
    expect(tryPayload(payload)).toBe(true);
    // the version still counts
    payload[payload.length - 10] = 99;
    expect(server.run('RESTORE', 'k', 0, payload)).toMatch(/^-ERR DUMP payload version or checksum/);
    expect(server.run('DEBUG', 'SET-SKIP-CHECKSUM-VALIDATION', 0)).toBe('+OK\r\n');
    expect(server.run('RESTORE', 'k', 0, payload)).toMatch(/^-ERR DUMP payload version or checksum/);
  });

  test.each(Object.entries(VALUES))('%s', (_, commands) => {
    const payload = payloadOf(commands);
    expect(tryPayload(payload)).toBe(true);
    const before = live();
    let refused = 0;
    for (let at = 0; at < Math.min(payload.length - 8, 400); at++) {
      for (const to of [payload[at] ^ 1, payload[at] ^ 0x80, payload[at] + 1, 0, 255])
        if (!tryPayload(changed(payload, at, to & 255))) refused++;
      expect(live(), `byte ${at}`).toBe(before);
    }
    expect(refused).toBeGreaterThan(0);
    expect(server.run('DEBUG', 'CHECK')).toBe('+OK\r\n');
  });
});
