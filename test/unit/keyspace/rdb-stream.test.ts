/** Streams in the forms of RDB files that others write. */
import { expect, it } from 'vitest';
import { RdbReader } from '../../../src/datatypes/rdb-reader.ts';
import { RdbWriter } from '../../../src/datatypes/rdb-writer.ts';
import { RDB_TYPE } from '../../../src/keyspace/rdb-types.ts';
import { decodeReply, type Reply } from '../../server/reply-reader.ts';
import { InProcess } from '../commands/in-process.ts';
import { keyInShard } from '../commands/seed-keys.ts';

const VERSION_OF_REDIS_5 = 9;

const call = (server: InProcess, ...words: (string | number | Buffer)[]): Reply =>
  decodeReply(Buffer.from(server.run(...words), 'latin1'));

/** The nodes of a stream as DUMP writes them: how many, and for each its id and its listpack. */
function nodesOf(payload: Buffer): Buffer {
  const from = new RdbReader(payload, 1, payload.length);
  for (let strings = from.length() * 2; strings > 0; strings--) from.skipString();
  return payload.subarray(1, from.pos);
}

it('groups of streams that Redis 5 saved have read what their last id says', () => {
  const server = new InProcess();
  server.run('XADD', 'x', '5-0', 'data', 'e');
  server.run('XADD', 'x', '6-0', 'data', 'f');
  const nodes = nodesOf(Buffer.from(call(server, 'DUMP', 'x') as string, 'latin1'));
  const out = new RdbWriter();
  out.byte(RDB_TYPE.streamListpacks);
  out.raw(nodes, 0, nodes.length);
  for (const number of [2, 6, 0]) out.length(number); // entries, last id
  out.length(2);
  for (const [name, ms] of [
    ['behind', 0],
    ['midway', 5],
  ] as const) {
    out.stringText(name);
    for (const number of [ms, 0, 0, 0]) out.length(number); // last id, nothing pending, no consumers
  }
  out.sealPayload(0, VERSION_OF_REDIS_5);
  expect(call(server, 'RESTORE', 'old', 0, Buffer.from(out.buf.subarray(0, out.pos)))).toBe('OK');
  server.run('HELLO', 3);
  const facts = call(server, 'XINFO', 'STREAM', 'old') as Map<string, Reply>;
  expect([facts.get('entries-added'), facts.get('max-deleted-entry-id')]).toEqual([2, '0-0']);
  const groups = call(server, 'XINFO', 'GROUPS', 'old') as Map<string, Reply>[];
  const read = groups.map((group) => [group.get('name'), group.get('entries-read'), group.get('lag')]);
  expect(read).toEqual([
    ['behind', 0, 2],
    ['midway', 1, 1],
  ]);
});

it('a copy knows when each consumer got something last', () => {
  const server = new InProcess({ shards: 2 });
  const [from, same, other] = [keyInShard(server, 0, 'x'), keyInShard(server, 0, 'y'), keyInShard(server, 1, 'z')];
  server.run('XADD', from, '1-0', 'f', 'v');
  server.run('XGROUP', 'CREATE', from, 'g', 0);
  server.run('XREADGROUP', 'GROUP', 'g', 'alice', 'STREAMS', from, '>');
  server.nowMs += 1000;
  server.run('XREADGROUP', 'GROUP', 'g', 'alice', 'STREAMS', from, '>');
  server.run('XGROUP', 'CREATECONSUMER', from, 'g', 'bob');
  const whole = server.run('XINFO', 'STREAM', from, 'FULL');
  for (const to of [same, other]) {
    expect(server.run('COPY', from, to)).toBe(':1\r\n');
    expect(server.run('XINFO', 'STREAM', to, 'FULL')).toBe(whole);
  }
  expect(whole).toContain(`:${server.nowMs - 1000}\r\n`);
});
