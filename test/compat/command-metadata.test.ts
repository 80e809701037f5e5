/**
 * COMMAND INFO and COMMAND DOCS of every command against stock redis-server 7.0: arity, flags, keys, ACL categories, tips,
 * versions, and the shape of the arguments. Texts for people are our own. Where Redis 7.2 differs, `REDIS_7_2` says how.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { COMMANDS } from '../../src/commands/command-table.ts';
import { describeWith } from '../server/describe-with.ts';
import { decodeReply, type Reply } from '../server/reply-reader.ts';
import { STOCK } from '../server/server-command.ts';
import { ServerProcess } from '../server/server-process.ts';
import { InProcess } from '../unit/commands/in-process.ts';

/** What differs from 7.0.15 on purpose, being as 7.2 has it (MAXAGE, IFEQ, DIFF … even later): properties that are not compared. */
const REDIS_7_2: Readonly<Record<string, readonly string[]>> = {
  'client|list': ['arguments', 'history'],
  'client|kill': ['arguments', 'history'],
  'client|reply': ['arguments'],
  'client|unblock': ['arguments'],
  // may be called by scripts, where they do not wait
  blpop: ['flags'],
  brpop: ['flags'],
  blmove: ['flags'],
  brpoplpush: ['flags'],
  bzpopmin: ['flags'],
  bzpopmax: ['flags'],
  wait: ['flags', 'acl'],
  'config|get': ['arguments'],
  'config|set': ['arguments'],
  'config|resetstat': ['tips'],
  'config|rewrite': ['tips'],
  flushall: ['arguments'],
  flushdb: ['arguments'],
  hello: ['arguments'],
  quit: ['doc_flags', 'deprecated_since', 'replaced_by'],
  randomkey: ['tips'],
  scan: ['tips'],
  shutdown: ['arguments'],
  'command|getkeys': ['arity', 'arguments'],
  'command|getkeysandflags': ['arity', 'arguments'],
  lcs: ['arguments'],
  set: ['arguments'],
  setnx: ['deprecated_since', 'doc_flags', 'replaced_by'],
  setex: ['deprecated_since', 'doc_flags', 'replaced_by'],
  psetex: ['deprecated_since', 'doc_flags', 'replaced_by'],
  getset: ['replaced_by'],
  mset: ['arguments'],
  msetnx: ['arguments'],
  hset: ['arguments'],
  hmset: ['arguments'],
  psubscribe: ['arguments'],
  bitcount: ['arguments'],
  bitpos: ['arguments'],
  bitop: ['arguments'],
  bitfield: ['arguments'],
  bitfield_ro: ['arguments'],
  zadd: ['arguments'],
  zrange: ['arguments'],
  zrangestore: ['arguments'],
  zrangebyscore: ['arguments'],
  zrevrangebyscore: ['arguments'],
  zrangebylex: ['arguments'],
  zrevrangebylex: ['arguments'],
  geoadd: ['arguments'],
  geohash: ['arguments'],
  geopos: ['arguments'],
  geosearch: ['arguments'],
  geosearchstore: ['arguments'],
  georadius: ['arguments'],
  georadius_ro: ['arguments'],
  georadiusbymember: ['arguments'],
  georadiusbymember_ro: ['arguments'],
  zrank: ['arity', 'arguments', 'history'],
  zrevrank: ['arity', 'arguments', 'history'],
  xadd: ['arguments'],
  xsetid: ['arguments'],
  xreadgroup: ['arguments'],
  xclaim: ['arguments'],
  'xgroup|create': ['arguments'],
  'xgroup|setid': ['arguments'],
  'xgroup|destroy': ['arguments'],
  'xgroup|createconsumer': ['arguments'],
  'xgroup|delconsumer': ['arguments'],
  'xinfo|stream': ['arguments', 'history'],
  'xinfo|consumers': ['arguments', 'history'],
};
/** Commands that stock 7.0 does not have. */
const NEW_SINCE_7_0 = [
  'waitaof',
  ...['delifeq', 'delex', 'msetex'],
  ...['client|setinfo', 'client|no-touch', 'hexpire', 'hpexpire', 'hexpireat', 'hpexpireat', 'httl', 'hpttl'],
  ...['hexpiretime', 'hpexpiretime', 'hpersist', 'hgetdel', 'hgetex', 'hsetex'],
];

type Facts = Record<string, unknown>;

const sorted = (items: Reply): Reply[] => [...(items as Reply[])].sort();

/** The machine-readable facts of one entry of COMMAND INFO (RESP3). */
function infoFacts(info: Reply[], byName: Map<string, Facts>): void {
  const [name, arity, flags, first, last, step, acl, tips, keys, subcommands] = info;
  byName.set(name as string, {
    arity,
    flags: sorted(flags),
    legacyKeys: [first, last, step],
    acl: sorted(acl),
    tips: sorted(tips),
    keys: (keys as Map<Reply, Reply>[]).map((spec) => {
      const plain = plainOf(spec) as Record<string, unknown>;
      delete plain['notes'];
      return plain;
    }),
  });
  for (const subcommand of subcommands as Reply[][]) infoFacts(subcommand, byName);
}

/** Maps become objects, so that differences print well. */
function plainOf(reply: Reply): unknown {
  if (reply instanceof Map) return Object.fromEntries([...reply].map(([key, value]) => [key, plainOf(value)]));
  return Array.isArray(reply) ? reply.map(plainOf) : reply;
}

function argumentFacts(argument: Record<string, unknown>): Facts {
  const facts: Facts = { ...argument };
  delete facts['display_text'];
  if (Array.isArray(facts['arguments'])) facts['arguments'] = facts['arguments'].map(argumentFacts);
  return facts;
}

function docFacts(name: string, docs: Record<string, unknown>, byName: Map<string, Facts>): void {
  const list = docs['arguments'] as Record<string, unknown>[] | undefined;
  const history = docs['history'] as [string, string][] | undefined;
  Object.assign(byName.get(name) ?? {}, {
    since: docs['since'],
    group: docs['group'],
    doc_flags: docs['doc_flags'],
    deprecated_since: docs['deprecated_since'],
    replaced_by: docs['replaced_by'],
    history: history?.map(([version]) => version),
    arguments: list?.map(argumentFacts),
  });
  expect(docs['summary'], name).toBeTypeOf('string');
  // stock Redis tells none for MONITOR
  if (name !== 'monitor') expect(docs['complexity'], name).toBeTypeOf('string');
  const subcommands = (docs['subcommands'] ?? {}) as Record<string, Record<string, unknown>>;
  for (const [subcommand, inner] of Object.entries(subcommands)) docFacts(subcommand, inner, byName);
}

async function allFacts(call: (...words: string[]) => Promise<Reply>, names: string[]): Promise<Map<string, Facts>> {
  const byName = new Map<string, Facts>();
  for (const info of (await call('COMMAND', 'INFO', ...names)) as (Reply[] | null)[]) {
    if (info !== null) infoFacts(info, byName);
  }
  const docs = plainOf(await call('COMMAND', 'DOCS', ...names)) as Record<string, Record<string, unknown>>;
  for (const [name, one] of Object.entries(docs)) docFacts(name, one, byName);
  return byName;
}

describeWith(['redis-server'], 'what COMMAND tells about each command', () => {
  let stock: ServerProcess;
  let ours: Map<string, Facts>;
  let theirs: Map<string, Facts>;

  beforeAll(async () => {
    stock = await ServerProcess.start({ command: STOCK });
    const client = await stock.connect(3);
    const names = COMMANDS.commands.map((row) => row.fullName);
    theirs = await allFacts((...words) => client.call(...words), names);
    const server = new InProcess();
    server.run('HELLO', 3);
    ours = await allFacts(async (...words) => decodeReply(Buffer.from(server.run(...words), 'latin1')), names);
    client.close();
  });
  afterAll(() => stock.remove());

  it.each(COMMANDS.commands.flatMap((row) => [row.fullName, ...row.shownSubcommands().map((sub) => sub.fullName)]))(
    '%s',
    (name) => {
      if (NEW_SINCE_7_0.includes(name)) return;
      const [own, stockFacts] = [{ ...ours.get(name) }, { ...theirs.get(name) }];
      for (const property of REDIS_7_2[name] ?? []) {
        expect(own[property], `${name} ${property} needs no exception`).not.toEqual(stockFacts[property]);
        delete own[property];
        delete stockFacts[property];
      }
      expect(own).toEqual(stockFacts);
    },
  );
});
