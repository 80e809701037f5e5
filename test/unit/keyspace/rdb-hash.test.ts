/** Hashes in the forms of RDB files: what is written is read again, foreign forms are understood, damage leaves nothing behind. */
import { describe, expect, it } from 'vitest';
import { DamagedRdbError, RdbReader } from '../../../src/datatypes/rdb-reader.ts';
import { RdbWriter } from '../../../src/datatypes/rdb-writer.ts';
import { readRdbHash } from '../../../src/keyspace/rdb-hash-reader.ts';
import { RDB_TYPE } from '../../../src/keyspace/rdb-types.ts';
import { InProcess } from '../commands/in-process.ts';

const ignore = (): void => {};

/** Reads a value; its fields as `field=value@deadline`, and its encoding. The memory it took is given back. */
function read(server: InProcess, rdbType: number, out: RdbWriter): [fields: string[], encoding: number] {
  const ks = server.access.spaces[0];
  const { hashes } = ks.values;
  const before = ks.arena.liveBytes();
  const reader = new RdbReader(out.buf, 0, out.pos);
  readRdbHash(ks, rdbType, reader, false, ignore);
  expect(reader.pos).toBe(out.pos);
  hashes.check(hashes.root, hashes.encoding);
  const found: string[] = [];
  for (hashes.rewind(); hashes.next(); ) {
    hashes.loadField(hashes.at);
    hashes.loadValue(hashes.at);
    const field = hashes.fBuf.toString('latin1', hashes.fStart, hashes.fEnd);
    const value = hashes.vBuf.toString('latin1', hashes.vStart, hashes.vEnd);
    found.push(`${field}=${value}@${hashes.deadlineAt(hashes.at)}`);
  }
  const { encoding } = hashes;
  while (hashes.releaseStep(hashes.root, encoding, 100));
  expect(ks.arena.liveBytes()).toBe(before);
  return [found.sort(), encoding];
}

function listpack(server: InProcess, ...elements: string[]): Buffer {
  const { arena, values } = server.access.spaces[0];
  const { list } = values.hashes;
  let h = list.create();
  for (const text of elements) h = list.append(h, Buffer.from(text), 0, text.length);
  const start = list.base(h);
  const bytes = Buffer.from(arena.buf[h >>> 26].subarray(start, start + list.bytes(h)));
  arena.release(h);
  return bytes;
}

const written = (fill: (out: RdbWriter) => void): RdbWriter => {
  const out = new RdbWriter();
  fill(out);
  return out;
};

function expectDamaged(server: InProcess, rdbType: number, out: RdbWriter): void {
  const ks = server.access.spaces[0];
  const before = ks.arena.liveBytes();
  expect(() => readRdbHash(ks, rdbType, new RdbReader(out.buf, 0, out.pos), false, ignore)).toThrow(DamagedRdbError);
  expect(ks.arena.liveBytes()).toBe(before);
}

describe('forms that others write', () => {
  it('pairs, a zipmap, a ziplist, a listpack', () => {
    const server = new InProcess();
    const pairs = written((out) => {
      out.length(2);
      for (const text of ['a', '1', 'b', 'two']) out.stringText(text);
    });
    expect(read(server, RDB_TYPE.hash, pairs)).toEqual([['a=1@-1', 'b=two@-1'], 0]);
    const zipmap = written((out) => out.stringText('\x02\x01a\x01\x001\x01b\x03\x00two\xff'));
    expect(read(server, RDB_TYPE.hashZipmap, zipmap)).toEqual([['a=1@-1', 'b=two@-1'], 0]);
    const ziplist = (bytes: number, elements: string) =>
      written((out) => out.stringText(`${String.fromCharCode(bytes)}\0\0\0\x0d\0\0\0\x02\0${elements}\xff`));
    expect(read(server, RDB_TYPE.hashZiplist, ziplist(16, '\0\x01a\x03\xf2'))).toEqual([['a=1@-1'], 0]);
    expectDamaged(server, RDB_TYPE.hashZiplist, ziplist(14, '\0\x01a'));
    const list = listpack(server, 'a', '1', 'b', 'two', '700', '-5');
    const packed = written((out) => out.string(list, 0, list.length));
    expect(read(server, RDB_TYPE.hashListpack, packed)).toEqual([['700=-5@-1', 'a=1@-1', 'b=two@-1'], 0]);
  });

  it('deadlines, one by one and in a listpack', () => {
    const server = new InProcess();
    const pairs = written((out) => {
      out.millis(5000);
      out.length(3);
      for (const [span, field] of [
        [0, 'none'],
        [1, 'first'],
        [1001, 'later'],
      ] as const) {
        out.length(span);
        out.stringText(field);
        out.stringText('v');
      }
    });
    const expected = [['first=v@5000', 'later=v@6000', 'none=v@-1'], 2];
    expect(read(server, RDB_TYPE.hashWithDeadlines, pairs)).toEqual(expected);
    const list = listpack(server, 'none', 'v', '0', 'first', 'v', '5000', 'later', 'v', '6000');
    const packed = written((out) => {
      out.millis(5000);
      out.string(list, 0, list.length);
    });
    expect(read(server, RDB_TYPE.hashListpackWithDeadlines, packed)).toEqual(expected);
    const numbers = listpack(server, '1', '2', '7000', '3', '4', '8000');
    const integers = written((out) => {
      out.millis(7000);
      out.string(numbers, 0, numbers.length);
    });
    expect(read(server, RDB_TYPE.hashListpackWithDeadlines, integers)).toEqual([['1=2@7000', '3=4@8000'], 2]);
  });

  it('damage', () => {
    const server = new InProcess();
    const list = (...elements: string[]): RdbWriter => {
      const bytes = listpack(server, ...elements);
      return written((out) => out.string(bytes, 0, bytes.length));
    };
    expectDamaged(server, RDB_TYPE.hashListpack, list('a', '1', 'a', '2'));
    expectDamaged(server, RDB_TYPE.hashListpack, list('a', '1', 'b'));
    expectDamaged(server, RDB_TYPE.hashListpack, list());
    expectDamaged(
      server,
      RDB_TYPE.hashListpack,
      written((out) => out.stringText('nonsense')),
    );
    expectDamaged(
      server,
      RDB_TYPE.hash,
      written((out) => out.length(0)),
    );
    const cut = written((out) => {
      out.length(900);
      for (let i = 0; i < 1200; i++) out.stringText(`text ${i}`);
    });
    expectDamaged(server, RDB_TYPE.hash, cut);
    const strange = listpack(server, 'a', '1', 'soon');
    const timed = written((out) => {
      out.millis(1);
      out.string(strange, 0, strange.length);
    });
    expectDamaged(server, RDB_TYPE.hashListpackWithDeadlines, timed);
  });
});

it('DUMP and RESTORE bring back every form, with deadlines and large values', () => {
  for (const fields of [3, 300, 3000]) {
    for (const valueBytes of [3, 5000]) {
      const server = new InProcess({ settings: { 'enable-debug-command': 'yes' } });
      for (let i = 0; i < fields; i++) server.run('HSET', 'h', `f${i}`, i % 100 === 0 ? 'v'.repeat(valueBytes) : i);
      for (const deadlines of [false, true]) {
        if (deadlines) server.run('HPEXPIRE', 'h', 900, 'FIELDS', 2, 'f0', 'f2');
        if (deadlines) server.run('HPEXPIRE', 'h', 70, 'FIELDS', 1, 'f1');
        const reply = Buffer.from(server.run('DUMP', 'h'), 'latin1');
        const payload = reply.subarray(reply.indexOf('\r\n') + 2, reply.length - 2);
        expect(server.run('RESTORE', 'copy', 0, payload, 'REPLACE')).toBe('+OK\r\n');
        const digest = (key: string) => server.run('DEBUG', 'DIGEST-VALUE', key);
        expect(digest('copy')).toBe(digest('h'));
        expect(server.run('HPTTL', 'copy', 'FIELDS', 2, 'f0', 'f1')).toBe(
          deadlines ? '*2\r\n:900\r\n:70\r\n' : '*2\r\n:-1\r\n:-1\r\n',
        );
        server.access.spaces[0].fieldDeadlines.check(0);
        expect(server.access.spaces[0].fieldDeadlines.count(0)).toBe(deadlines ? 2 : 0);
      }
    }
  }
});
