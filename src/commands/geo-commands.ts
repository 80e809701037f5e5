/** Rows of the geo commands. */
import { geoadd, geodist, geohash, geopos } from './geo.ts';
import {
  georadius,
  georadiusbymember,
  georadiusbymemberRo,
  georadiusRo,
  geosearch,
  geosearchstore,
  storingKeys,
} from './geo-find.ts';
import type { CommandDocArgument, CommandSpec, DataHandler, FlagName, KeySpec } from './spec.ts';
import { familyRow, keyArgument, oneKey, oneOf, optionalToken, token } from './spec-parts.ts';

const KEY = keyArgument();
const MEMBER: CommandDocArgument = { name: 'member', type: 'string' };
const MEMBERS: CommandDocArgument = { ...MEMBER, optional: true, multiple: true };
const SEARCH_COMPLEXITY = 'O(N+log(M)) for N members in the cells around the shape and M members in all';
const UPPERCASE: [string, string] = ['7.0.0', 'Takes unit names in capital letters.'];

function double(name: string): CommandDocArgument {
  return { name, type: 'double' };
}

function block(name: string, args: CommandDocArgument[]): CommandDocArgument {
  return { name, type: 'block', arguments: args };
}

const UNIT = oneOf('unit', token('M'), token('KM'), token('FT'), token('MI'));

/** What all rows of the family have. */
const row = familyRow('geo', 'geo');

const READ_KEY = oneKey(1, 'RO', 'access');
const READS: FlagName[] = ['readonly'];
const STORES: FlagName[] = ['write', 'denyoom'];

/** COUNT with ANY; `anySince` where ANY came later. */
function count(anySince?: string): CommandDocArgument {
  const number: CommandDocArgument = { name: 'count', type: 'integer', token: 'COUNT' };
  return { ...block('count-block', [number, optionalToken('ANY', anySince)]), optional: true };
}

const ORDER: CommandDocArgument = { ...oneOf('order', token('ASC'), token('DESC')), optional: true };
const DETAILS = [optionalToken('WITHCOORD'), optionalToken('WITHDIST'), optionalToken('WITHHASH')];

/** The centre and the shape of GEOSEARCH. */
const SHAPE = [
  oneOf(
    'from',
    { ...MEMBER, token: 'FROMMEMBER' },
    { ...block('fromlonlat', [double('longitude'), double('latitude')]), token: 'FROMLONLAT' },
  ),
  oneOf(
    'by',
    block('circle', [{ ...double('radius'), token: 'BYRADIUS' }, UNIT]),
    block('box', [{ ...double('width'), token: 'BYBOX' }, double('height'), UNIT]),
  ),
];

const STORE: CommandDocArgument = {
  ...oneOf(
    'store',
    { name: 'storekey', display: 'key', type: 'key', token: 'STORE', keySpecIndex: 1 },
    { name: 'storedistkey', display: 'key', type: 'key', token: 'STOREDIST', keySpecIndex: 2 },
  ),
  optional: true,
};

function storedKey(keyword: string, begin: number): KeySpec {
  return { ...oneKey(begin, 'OW', 'update'), keyword };
}

/** The older forms; `centre` stands between key and radius, `stores`: with STORE. */
function radius(
  name: string,
  centre: readonly CommandDocArgument[],
  stores: boolean,
  since: string,
  summary: string,
  replacedBy: string,
  history: readonly [string, string][],
  run: DataHandler,
  anySince?: string,
): CommandSpec {
  const options = 4 + centre.length;
  const args = [KEY, ...centre, double('radius'), UNIT, ...DETAILS, count(anySince), ORDER];
  const keys = stores ? [READ_KEY, storedKey('STORE', options), storedKey('STOREDIST', options)] : [READ_KEY];
  const spec = row(
    ...([name, -options, stores ? STORES : READS, keys, since, summary, SEARCH_COMPLEXITY] as const),
    stores ? [...args, STORE] : args,
    run,
  );
  if (history.length > 0) spec.history = [...history];
  if (stores) spec.findKeys = storingKeys(options);
  return { ...spec, deprecatedSince: '6.2.0', replacedBy, docFlags: ['deprecated'] };
}

const PLACE = [double('longitude'), double('latitude')];
const ANY_HISTORY: [string, string] = ['6.2.0', 'Takes `ANY` behind `COUNT`.'];
const BY_RADIUS = '`GEOSEARCH` with the `BYRADIUS` argument';
const BY_MEMBER = '`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments';
const BY_RADIUS_STORE = '`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument';
const BY_MEMBER_STORE = '`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments';

export const GEO_COMMANDS: readonly CommandSpec[] = [
  {
    ...row(
      'geoadd',
      -5,
      STORES,
      [oneKey(1, 'RW', 'update')],
      '3.2.0',
      'Adds places to a sorted set, whose scores say where they are.',
      'O(log(N)) for each place, with N members',
      [
        KEY,
        { ...oneOf('condition', token('NX'), token('XX')), optional: true, since: '6.2.0' },
        { name: 'change', type: 'pure-token', token: 'CH', optional: true, since: '6.2.0' },
        { ...block('data', [...PLACE, MEMBER]), multiple: true },
      ],
      geoadd,
    ),
    history: [['6.2.0', 'Takes `CH`, `NX` and `XX`.']],
  },
  row(
    'geodist',
    -4,
    READS,
    [READ_KEY],
    '3.2.0',
    'Answers how far apart two members are.',
    'O(1)',
    [KEY, { ...MEMBER, name: 'member1' }, { ...MEMBER, name: 'member2' }, { ...UNIT, optional: true }],
    geodist,
  ),
  row(
    'geohash',
    -2,
    READS,
    [READ_KEY],
    '3.2.0',
    'Answers the geohash texts of members.',
    'O(N) for N arguments',
    [KEY, MEMBERS],
    geohash,
  ),
  row(
    'geopos',
    -2,
    READS,
    [READ_KEY],
    '3.2.0',
    'Answers where members are.',
    'O(N) for N arguments',
    [KEY, MEMBERS],
    geopos,
  ),
  {
    ...row(
      'geosearch',
      -7,
      READS,
      [READ_KEY],
      '6.2.0',
      'Answers the members inside a circle or a box.',
      SEARCH_COMPLEXITY,
      [KEY, ...SHAPE, ORDER, count(), ...DETAILS],
      geosearch,
    ),
    history: [UPPERCASE],
  },
  {
    ...row(
      'geosearchstore',
      -8,
      STORES,
      [oneKey(1, 'OW', 'update'), oneKey(2, 'RO', 'access')],
      '6.2.0',
      'Stores the members inside a circle or a box as a sorted set.',
      SEARCH_COMPLEXITY,
      [keyArgument('destination'), keyArgument('source', 1), ...SHAPE, ORDER, count(), optionalToken('STOREDIST')],
      geosearchstore,
    ),
    history: [UPPERCASE],
  },
  radius(
    ...(['georadius', PLACE, true, '3.2.0', 'Answers or stores the members within a distance of a place.'] as const),
    ...([BY_RADIUS_STORE, [ANY_HISTORY, UPPERCASE], georadius, '6.2.0'] as const),
  ),
  radius(
    ...(['georadius_ro', PLACE, false, '3.2.10', 'Answers the members within a distance of a place.'] as const),
    ...([BY_RADIUS, [ANY_HISTORY], georadiusRo, '6.2.0'] as const),
  ),
  radius(
    ...(['georadiusbymember', [MEMBER], true, '3.2.0', 'Answers or stores the members near a member.'] as const),
    ...([BY_MEMBER_STORE, [UPPERCASE], georadiusbymember] as const),
  ),
  radius(
    ...(['georadiusbymember_ro', [MEMBER], false, '3.2.10', 'Answers the members near a member.'] as const),
    ...([BY_MEMBER, [], georadiusbymemberRo] as const),
  ),
];
