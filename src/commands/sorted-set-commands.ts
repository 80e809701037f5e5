/** Rows of the commands on sorted sets. */
import { zadd, zincrby } from './sorted-set-add.ts';
import { zdiff, zdiffstore, zinter, zintercard, zinterstore, zunion, zunionstore } from './sorted-set-combine.ts';
import { zmpop, zpopmax, zpopmin } from './sorted-set-pop.ts';
import { zrandmember } from './sorted-set-random.ts';
import {
  zrange,
  zrangebylex,
  zrangebyscore,
  zrangestore,
  zrevrange,
  zrevrangebylex,
  zrevrangebyscore,
} from './sorted-set-range.ts';
import { zcard, zcount, zlexcount, zmscore, zrank, zrevrank, zscore } from './sorted-set-read.ts';
import { zrem, zremrangebylex, zremrangebyrank, zremrangebyscore } from './sorted-set-remove.ts';
import { zscan } from './sorted-set-scan.ts';
import type { CommandDocArgument, CommandSpec, DataHandler, FlagName, KeyFlag, KeySpec } from './spec.ts';
import { familyRow, keyArgument, NONDETERMINISTIC, oneKey, oneOf, optionalToken, token } from './spec-parts.ts';

const KEY = keyArgument();
const MEMBER = text('member');
const MEMBERS: CommandDocArgument = { ...MEMBER, multiple: true };
const WITHSCORES = optionalToken('WITHSCORES');
const LOG = 'O(log(N)) for N members';
const LOG_AND_RANGE = 'O(log(N)+M) for N members, M of them in the range';

function text(name: string): CommandDocArgument {
  return { name, type: 'string' };
}

function integer(name: string): CommandDocArgument {
  return { name, type: 'integer' };
}

function double(name: string): CommandDocArgument {
  return { name, type: 'double' };
}

function limit(since?: string): CommandDocArgument {
  const block: CommandDocArgument = {
    name: 'limit',
    type: 'block',
    token: 'LIMIT',
    optional: true,
    arguments: [integer('offset'), integer('count')],
  };
  return since === undefined ? block : { ...block, since };
}

/** What all rows of the family have. */
const row = familyRow('sortedset', 'sorted-set');

/** A row that reads one key. */
function reader(
  name: string,
  arity: number,
  since: string,
  summary: string,
  complexity: string,
  args: CommandDocArgument[],
  run: DataHandler,
  flags: FlagName[] = ['readonly', 'fast'],
): CommandSpec {
  return row(name, arity, flags, [oneKey(1, 'RO', 'access')], since, summary, complexity, [KEY, ...args], run);
}

/** A row that changes one key. */
function writer(
  name: string,
  arity: number,
  flags: FlagName[],
  keyFlags: KeyFlag[],
  since: string,
  summary: string,
  complexity: string,
  args: CommandDocArgument[],
  run: DataHandler,
): CommandSpec {
  return row(name, arity, flags, [oneKey(1, ...keyFlags)], since, summary, complexity, [KEY, ...args], run);
}

function deprecated(spec: CommandSpec, replacedBy: string, history?: [string, string][]): CommandSpec {
  const old: CommandSpec = { ...spec, deprecatedSince: '6.2.0', replacedBy, docFlags: ['deprecated'] };
  return history === undefined ? old : { ...old, history };
}

const CHANGERS: CommandSpec[] = [
  {
    ...writer(
      'zadd',
      -4,
      ['write', 'denyoom', 'fast'],
      ['RW', 'update'],
      '1.2.0',
      'Adds members with their scores, or gives members other scores; the key is created where there is none.',
      'O(log(N)) for each pair, with N members',
      [
        { ...oneOf('condition', token('NX'), token('XX')), optional: true, since: '3.0.2' },
        { ...oneOf('comparison', token('GT'), token('LT')), optional: true, since: '6.2.0' },
        { name: 'change', type: 'pure-token', token: 'CH', optional: true, since: '3.0.2' },
        { name: 'increment', type: 'pure-token', token: 'INCR', optional: true, since: '3.0.2' },
        { name: 'data', type: 'block', multiple: true, arguments: [double('score'), MEMBER] },
      ],
      zadd,
    ),
    history: [
      ['2.4.0', 'Takes several pairs.'],
      ['3.0.2', 'Takes `XX`, `NX`, `CH` and `INCR`.'],
      ['6.2.0', 'Takes `GT` and `LT`.'],
    ],
  },
  writer(
    'zincrby',
    4,
    ['write', 'denyoom', 'fast'],
    ['RW', 'access', 'update'],
    '1.2.0',
    'Adds to the score of a member, which begins at 0 where it is new.',
    LOG,
    [integer('increment'), MEMBER],
    zincrby,
  ),
  {
    ...writer(
      'zrem',
      -3,
      ['write', 'fast'],
      ['RW', 'delete'],
      '1.2.0',
      'Removes members; a set without members is removed itself.',
      'O(M*log(N)) for M arguments and N members',
      [MEMBERS],
      zrem,
    ),
    history: [['2.4.0', 'Takes several members.']],
    freesOnly: true,
  },
];

/** ZREMRANGEBY…, ZPOPMIN and ZPOPMAX. */
const REMOVERS: CommandSpec[] = [
  remover(
    'rank',
    '2.0.0',
    'Removes the members from one rank to another.',
    [integer('start'), integer('stop')],
    zremrangebyrank,
  ),
  remover(
    'score',
    '1.2.0',
    'Removes the members with scores in a range.',
    [double('min'), double('max')],
    zremrangebyscore,
  ),
  remover(
    'lex',
    '2.8.9',
    'Removes the members in a range of their bytes, all scores being equal.',
    [text('min'), text('max')],
    zremrangebylex,
  ),
  popper('zpopmin', 'lowest', zpopmin),
  popper('zpopmax', 'highest', zpopmax),
  row(
    'zmpop',
    -4,
    ['write'],
    [numberedKeys(1, 'RW', 'access', 'delete')],
    '7.0.0',
    'Removes and answers members of lowest or highest score of the first sorted set that is not empty.',
    'O(K)+O(M*log(N)) for K keys, M removed members and N members of their set',
    [
      integer('numkeys'),
      { ...KEY, multiple: true },
      oneOf('where', token('MIN'), token('MAX')),
      { name: 'count', type: 'integer', token: 'COUNT', optional: true },
    ],
    zmpop,
  ),
];

function remover(
  by: string,
  since: string,
  summary: string,
  ends: CommandDocArgument[],
  run: DataHandler,
): CommandSpec {
  const flags: KeyFlag[] = ['RW', 'delete'];
  const spec = writer(`zremrangeby${by}`, 4, ['write'], flags, since, summary, LOG_AND_RANGE, ends, run);
  return { ...spec, freesOnly: true };
}

function popper(name: string, which: string, run: DataHandler): CommandSpec {
  return writer(
    name,
    -2,
    ['write', 'fast'],
    ['RW', 'access', 'delete'],
    '5.0.0',
    `Removes and answers the members of ${which} score.`,
    'O(log(N)*M) for M of N members',
    [{ ...integer('count'), optional: true }],
    run,
  );
}

function numberedKeys(begin: number, ...flags: KeyFlag[]): KeySpec {
  return { flags, begin, find: { kind: 'keynum', keynumIndex: 0, firstKey: 1, step: 1 } };
}

const READERS: CommandSpec[] = [
  {
    ...reader('zcard', 2, '1.2.0', 'Answers how many members a sorted set has.', 'O(1)', [], zcard),
    keys: [oneKey(1, 'RO')],
  },
  reader('zscore', 3, '1.2.0', 'Answers the score of a member.', 'O(1)', [MEMBER], zscore),
  reader('zmscore', -3, '6.2.0', 'Answers the scores of members.', 'O(N) for N arguments', [MEMBERS], zmscore),
  reader(
    'zcount',
    4,
    '2.0.0',
    'Counts the members with scores in a range.',
    LOG,
    [double('min'), double('max')],
    zcount,
  ),
  reader(
    'zlexcount',
    4,
    '2.8.9',
    'Counts the members in a range of their bytes, all scores being equal.',
    LOG,
    [text('min'), text('max')],
    zlexcount,
  ),
  ranker('zrank', 'lower', zrank),
  ranker('zrevrank', 'higher', zrevrank),
  {
    ...reader(
      'zrandmember',
      -2,
      '6.2.0',
      'Answers members chosen at random.',
      'O(N) for N members in the reply',
      [{ name: 'options', type: 'block', optional: true, arguments: [integer('count'), WITHSCORES] }],
      zrandmember,
      ['readonly'],
    ),
    tips: NONDETERMINISTIC,
  },
  {
    ...reader(
      'zscan',
      -3,
      '2.8.0',
      'Walks the members of a sorted set, a few at a time.',
      'O(1) for each call, O(N) for the walk over N members',
      [
        integer('cursor'),
        { name: 'pattern', type: 'pattern', token: 'MATCH', optional: true },
        { name: 'count', type: 'integer', token: 'COUNT', optional: true },
      ],
      zscan,
      ['readonly'],
    ),
    tips: NONDETERMINISTIC,
  },
];

function ranker(name: string, which: string, run: DataHandler): CommandSpec {
  return {
    ...reader(
      name,
      -3,
      '2.0.0',
      `Answers how many members have a ${which} place than this one.`,
      LOG,
      [MEMBER, optionalToken('WITHSCORE')],
      run,
    ),
    history: [['7.2.0', 'Takes `WITHSCORE`.']],
  };
}

const SORT_BY = { ...oneOf('sortby', token('BYSCORE'), token('BYLEX')), optional: true };

const RANGES: CommandSpec[] = [
  {
    ...ranger('zrange', '1.2.0', 'Answers the members in a range of ranks, scores or bytes.', zrange, [
      text('start'),
      text('stop'),
      { ...SORT_BY, since: '6.2.0' },
      optionalToken('REV', '6.2.0'),
      limit('6.2.0'),
      WITHSCORES,
    ]),
    history: [['6.2.0', 'Takes `REV`, `BYSCORE`, `BYLEX` and `LIMIT`.']],
  },
  row(
    'zrangestore',
    -5,
    ['write', 'denyoom'],
    [oneKey(1, 'OW', 'update'), oneKey(2, 'RO', 'access')],
    '6.2.0',
    'Stores a range of a sorted set as another one.',
    'O(log(N)+M) for N members, M of them stored',
    [keyArgument('dst'), keyArgument('src', 1), text('min'), text('max'), SORT_BY, optionalToken('REV'), limit()],
    zrangestore,
  ),
  deprecated(
    ranger('zrangebyscore', '1.0.5', 'Answers the members with scores in a range.', zrangebyscore, [
      double('min'),
      double('max'),
      optionalToken('WITHSCORES', '2.0.0'),
      limit(),
    ]),
    '`ZRANGE` with the `BYSCORE` argument',
    [['2.0.0', 'Takes `WITHSCORES`.']],
  ),
  deprecated(
    ranger(
      'zrevrangebyscore',
      '2.2.0',
      'Answers the members with scores in a range, highest first.',
      zrevrangebyscore,
      [double('max'), double('min'), WITHSCORES, limit()],
    ),
    '`ZRANGE` with the `REV` and `BYSCORE` arguments',
    [['2.1.6', 'Either end can be excluded.']],
  ),
  deprecated(
    ranger(
      'zrangebylex',
      '2.8.9',
      'Answers the members in a range of their bytes, all scores being equal.',
      zrangebylex,
      [text('min'), text('max'), limit()],
    ),
    '`ZRANGE` with the `BYLEX` argument',
  ),
  deprecated(
    ranger('zrevrangebylex', '2.8.9', 'As ZRANGEBYLEX, in reversed order.', zrevrangebylex, [
      text('max'),
      text('min'),
      limit(),
    ]),
    '`ZRANGE` with the `REV` and `BYLEX` arguments',
  ),
  deprecated(
    ranger('zrevrange', '1.2.0', 'Answers the members in a range of ranks, highest first.', zrevrange, [
      integer('start'),
      integer('stop'),
      WITHSCORES,
    ]),
    '`ZRANGE` with the `REV` argument',
  ),
];

function ranger(
  name: string,
  since: string,
  summary: string,
  run: DataHandler,
  args: CommandDocArgument[],
): CommandSpec {
  return reader(name, -4, since, summary, LOG_AND_RANGE, args, run, ['readonly']);
}

const WEIGHTS: CommandDocArgument = { ...integer('weight'), token: 'WEIGHTS', optional: true, multiple: true };
const AGGREGATE: CommandDocArgument = {
  ...oneOf('aggregate', token('SUM'), token('MIN'), token('MAX')),
  token: 'AGGREGATE',
  optional: true,
};
const UNION_COMPLEXITY = 'O(N)+O(M*log(M)) for N members in all inputs and M in the result';
const INTER_COMPLEXITY = 'O(N*K)+O(M*log(M)) for K inputs, N members of the smallest and M of the result';
const DIFF_COMPLEXITY = 'O(N*K)+O(M*log(M)) for K inputs, N members of the first and M of the result';

function combiner(
  name: string,
  since: string,
  summary: string,
  complexity: string,
  options: CommandDocArgument[],
  run: DataHandler,
): CommandSpec {
  const args = [integer('numkeys'), { ...KEY, multiple: true }, ...options];
  return row(name, -3, ['readonly'], [numberedKeys(1, 'RO', 'access')], since, summary, complexity, args, run);
}

function storer(
  name: string,
  since: string,
  summary: string,
  complexity: string,
  options: CommandDocArgument[],
  run: DataHandler,
): CommandSpec {
  const keys = [oneKey(1, 'OW', 'update'), numberedKeys(2, 'RO', 'access')];
  const inputs = { ...keyArgument('key', 1), multiple: true };
  const args = [keyArgument('destination'), integer('numkeys'), inputs, ...options];
  return row(name, -4, ['write', 'denyoom'], keys, since, summary, complexity, args, run);
}

const WEIGHED = [WEIGHTS, AGGREGATE];
const LIMIT: CommandDocArgument = { ...integer('limit'), token: 'LIMIT', optional: true };

const COMBINATIONS: CommandSpec[] = [
  combiner('zunion', '6.2.0', 'Answers the union of sorted sets.', UNION_COMPLEXITY, [...WEIGHED, WITHSCORES], zunion),
  combiner(
    'zinter',
    '6.2.0',
    'Answers the members that all inputs have.',
    INTER_COMPLEXITY,
    [...WEIGHED, WITHSCORES],
    zinter,
  ),
  combiner(
    'zdiff',
    '6.2.0',
    'Answers the members that only the first input has.',
    DIFF_COMPLEXITY,
    [WITHSCORES],
    zdiff,
  ),
  combiner('zintercard', '7.0.0', 'Counts the members that all inputs have.', INTER_COMPLEXITY, [LIMIT], zintercard),
  storer('zunionstore', '2.0.0', 'Stores the union of sorted sets.', UNION_COMPLEXITY, WEIGHED, zunionstore),
  storer('zinterstore', '2.0.0', 'Stores the members that all inputs have.', INTER_COMPLEXITY, WEIGHED, zinterstore),
  storer('zdiffstore', '6.2.0', 'Stores the members that only the first input has.', DIFF_COMPLEXITY, [], zdiffstore),
];

export const SORTED_SET_COMMANDS: readonly CommandSpec[] = [
  ...CHANGERS,
  ...REMOVERS,
  ...READERS,
  ...RANGES,
  ...COMBINATIONS,
];
