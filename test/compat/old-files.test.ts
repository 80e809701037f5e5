/** RDB files as servers from Redis 2.6 to 6.2 wrote them: loaded here and by stock Redis 7.0 to the same digest. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { Crc64 } from '../../src/datatypes/crc64.ts';
import { RdbWriter } from '../../src/datatypes/rdb-writer.ts';
import { RDB_OPCODE, RDB_TYPE } from '../../src/keyspace/rdb-types.ts';
import { describeWith } from '../server/describe-with.ts';
import { type ServerCommand, SKEIN, STOCK } from '../server/server-command.ts';
import { ServerGroup } from '../server/server-process.ts';
import { ziplistOf, zipmapOf } from './old-forms.ts';
import { digestOf } from './sample-values.ts';

/** The future, in unix ms: a deadline of these files. */
const DEADLINE_MS = 4_000_000_000_123;
const LONG = 'a long text that is packed, packed, packed, packed. '.repeat(20);

const bytes = (out: RdbWriter, content: Buffer): void => out.string(content, 0, content.length);

function intset(width: 2 | 4 | 8, values: readonly bigint[]): Buffer {
  const out = Buffer.alloc(8 + width * values.length);
  out.writeUInt32LE(width, 0);
  out.writeUInt32LE(values.length, 4);
  values.forEach((value, i) => {
    if (width === 8) out.writeBigInt64LE(value, 8 + 8 * i);
    else out.writeIntLE(Number(value), 8 + width * i, width);
  });
  return out;
}

/** A score as versions before 8 write it: length and text, or one of three bytes. */
function oldScore(out: RdbWriter, score: number): void {
  if (Number.isNaN(score)) return out.byte(253);
  if (score === Number.POSITIVE_INFINITY) return out.byte(254);
  if (score === Number.NEGATIVE_INFINITY) return out.byte(255);
  out.byte(String(score).length);
  out.text(String(score));
}

interface Form {
  /** The first version of the files that has it. */
  readonly since: number;
  readonly type: number;
  readonly write: (out: RdbWriter) => void;
}

const texts = (out: RdbWriter, ...all: string[]): void => {
  for (const text of all) out.stringText(text);
};

const FORMS: Readonly<Record<string, Form>> = {
  text: { since: 1, type: RDB_TYPE.string, write: (out) => texts(out, 'value') },
  packed: { since: 1, type: RDB_TYPE.string, write: (out) => texts(out, LONG) },
  'a number in two bytes': {
    since: 1,
    type: RDB_TYPE.string,
    write: (out) => out.raw(Buffer.from([0xc1, 0x39, 0x30]), 0, 3),
  },
  list: {
    since: 1,
    type: RDB_TYPE.list,
    write: (out) => {
      out.length(3);
      texts(out, 'a', '12', LONG);
    },
  },
  set: {
    since: 1,
    type: RDB_TYPE.set,
    write: (out) => {
      out.length(3);
      texts(out, 'a', '12', LONG);
    },
  },
  zset: {
    since: 1,
    type: RDB_TYPE.sortedSet,
    write: (out) => {
      const scores: [string, number][] = [
        ['a', 1],
        ['b', -2.5],
        ['c', Infinity],
        ['d', -Infinity],
        ['e', 0.1],
      ];
      out.length(scores.length);
      for (const [member, score] of scores) {
        out.stringText(member);
        oldScore(out, score);
      }
    },
  },
  hash: {
    since: 1,
    type: RDB_TYPE.hash,
    write: (out) => {
      out.length(2);
      texts(out, 'field', 'value', 'other', LONG);
    },
  },
  zipmap: {
    since: 2,
    type: RDB_TYPE.hashZipmap,
    write: (out) => bytes(out, zipmapOf(['f', 'v', LONG, LONG, '1', ''], 2)),
  },
  'list in a ziplist': {
    since: 2,
    type: RDB_TYPE.listZiplist,
    write: (out) => bytes(out, ziplistOf(['a', 5, -70_000, 2 ** 40, LONG, 'end'])),
  },
  'intset of 16 bits': { since: 2, type: RDB_TYPE.setIntset, write: (out) => bytes(out, intset(2, [-3n, 0n, 700n])) },
  'intset of 32 bits': { since: 2, type: RDB_TYPE.setIntset, write: (out) => bytes(out, intset(4, [-70_000n, 1n])) },
  'intset of 64 bits': { since: 2, type: RDB_TYPE.setIntset, write: (out) => bytes(out, intset(8, [-1n, 2n ** 60n])) },
  'zset in a ziplist': {
    since: 2,
    type: RDB_TYPE.sortedSetZiplist,
    write: (out) => bytes(out, ziplistOf(['c', '-inf', 'a', 1, 'b', '2.5'])),
  },
  'hash in a ziplist': {
    since: 4,
    type: RDB_TYPE.hashZiplist,
    write: (out) => bytes(out, ziplistOf(['a', 1, 'b', 'two', LONG, -1])),
  },
  quicklist: {
    since: 7,
    type: RDB_TYPE.listQuicklist,
    write: (out) => {
      out.length(3);
      for (const elements of [['a', 1], [LONG], [2 ** 33, 'z']]) bytes(out, ziplistOf(elements));
    },
  },
  'zset with binary scores': {
    since: 8,
    type: RDB_TYPE.sortedSet2,
    write: (out) => {
      out.length(2);
      out.stringText('a');
      out.double(0.1);
      out.stringText('b');
      out.double(-Infinity);
    },
  },
};

/** A file of version `version` with every form that it has, and deadlines in seconds and milliseconds. */
function fileOf(version: number): Buffer {
  const out = new RdbWriter();
  out.text(`REDIS${String(version).padStart(4, '0')}`);
  if (version >= 7) {
    out.byte(RDB_OPCODE.aux);
    texts(out, 'redis-ver', '4.0.0');
  }
  for (const db of [0, 9]) {
    out.byte(RDB_OPCODE.selectDb);
    out.length(db);
    if (version >= 7) {
      out.byte(RDB_OPCODE.resizeDb);
      out.length(40);
      out.length(2);
    }
    for (const [name, { since, type, write }] of Object.entries(FORMS)) {
      if (since > version) continue;
      if (version >= 9 && name === 'text') {
        out.byte(RDB_OPCODE.idle);
        out.length(100);
      }
      for (const deadline of ['', 'seconds', ...(version >= 3 ? ['ms'] : [])]) {
        if (deadline === 'seconds') {
          const seconds = Buffer.alloc(4);
          seconds.writeUInt32LE(2_000_000_000);
          out.byte(RDB_OPCODE.expireTime);
          out.raw(seconds, 0, 4);
        }
        if (deadline === 'ms') {
          out.byte(RDB_OPCODE.expireTimeMs);
          out.millis(DEADLINE_MS);
        }
        out.byte(type);
        out.stringText(`${name} ${deadline}`);
        write(out);
      }
    }
  }
  out.byte(RDB_OPCODE.eof);
  if (version >= 5) {
    const crc = new Crc64();
    crc.update(out.buf, 0, out.pos);
    const sum = Buffer.alloc(8);
    crc.writeTo(sum, 0);
    out.raw(sum, 0, 8);
  }
  return Buffer.from(out.buf.subarray(0, out.pos));
}

describeWith(['redis-server'], 'files of old servers', () => {
  const servers = new ServerGroup();
  const folders: string[] = [];
  afterEach(async () => {
    await servers.removeAll();
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  });

  test.each([2, 3, 6, 7, 9])('version %i', async (version) => {
    const stateIn = async (command: ServerCommand) => {
      const folder = mkdtempSync(join(tmpdir(), 'skein-old-'));
      folders.push(folder);
      writeFileSync(join(folder, 'dump.rdb'), fileOf(version));
      const options = { 'enable-debug-command': 'yes' };
      const server = await servers.start({ command, folder, options, skeinOptions: { workers: 2, shards: 3 } });
      const client = await server.connect();
      const deadlines = [await client.call('PEXPIRETIME', 'text seconds'), await client.call('PEXPIRETIME', 'text ms')];
      return { digest: await digestOf(server), deadlines, keys: Number(await client.must('DBSIZE')) };
    };
    const [stock, skein] = await Promise.all([stateIn(STOCK), stateIn(SKEIN)]);
    expect(skein).toEqual(stock);
    expect(skein.keys).toBeGreaterThan(2 * Object.values(FORMS).filter(({ since }) => since <= version).length - 1);
  });
});
