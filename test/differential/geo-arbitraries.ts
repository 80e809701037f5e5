/**
 * Random geo commands: places all over the earth, some of them close to each other, to the poles and to the date line; circles
 * and boxes from a few meters to more than the earth.
 */
import fc from 'fast-check';
import { maybe, oneOf, options, type Part, pair, type Row, several, type Words, word } from './arbitrary-parts.ts';

const geoKey = oneOf('geo:1', 'geo:1', 'geo:2', '{t}geo', 'z:1');
const member = fc.oneof(
  { weight: 5, arbitrary: oneOf('Palermo', 'Catania', 'a', 'b', 'c', 'd', 'e', 'north', 'east') },
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 60 }).map((n) => `place${n}`) },
);
const decimals = (min: number, max: number) => fc.double({ min, max, noNaN: true }).map((x) => x.toFixed(6));
const place: fc.Arbitrary<Words> = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(decimals(12, 16), decimals(36, 39)) },
  { weight: 3, arbitrary: fc.tuple(decimals(-180, 180), decimals(-85.05, 85.05)) },
  { weight: 1, arbitrary: fc.tuple(oneOf('180', '-180', '179.999', '-179.99', '0'), decimals(-70, 70)) },
  { weight: 1, arbitrary: fc.tuple(decimals(-180, 180), oneOf('85', '-85.05', '84.9', '0', '66.5', '-80.1')) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(['13.361389', '38.115556'], ['181', '0'], ['0', '86'], ['x', '1'], ['1', '']),
  },
);
const fewPlaces = several(
  fc.tuple(place, member).map(([where, name]): Words => [...where, name]),
  6,
);
const manyPlaces: Part = fc
  .array(place, { minLength: 100, maxLength: 160 })
  .map((all): Words => all.filter(([x]) => x !== '181' && x !== 'x').flatMap((where, i) => [...where, `place${i}`]));
const unit = oneOf('m', 'km', 'KM', 'ft', 'mi', 'km', 'km', 'miles');
const size = fc.oneof(
  { weight: 6, arbitrary: oneOf('0', '1', '10', '100', '200', '1000', '5000', '20000', '1e7', '0.5') },
  { weight: 1, arbitrary: oneOf('-1', 'x', '1e300', 'inf') },
);
const radius = fc.tuple(size, unit).map((words): Words => words);
const from = fc.oneof(
  place.map((where): Words => ['FROMLONLAT', ...where]),
  pair('FROMMEMBER', member) as fc.Arbitrary<Words>,
);
const by = fc.oneof(
  radius.map((words): Words => ['BYRADIUS', ...words]),
  fc.tuple(size, size, unit).map((words): Words => ['BYBOX', ...words]),
);
const count: Part = fc
  .tuple(oneOf('1', '2', '5', '100', '0', '-1', 'x'), fc.boolean())
  .map(([n, any]): Words => (any ? ['COUNT', n, 'ANY'] : ['COUNT', n]));
const order = oneOf('ASC', 'DESC', 'asc');
const details = options(word('WITHCOORD'), word('WITHDIST'), word('WITHHASH'));
const store = fc.tuple(oneOf('STORE', 'STOREDIST', 'store'), geoKey).map((words): Words => words);
const searchParts: Part[] = [from, by, maybe(order), maybe(count)];

export const GEO: readonly Row[] = [
  ['GEOADD', geoKey, options(oneOf('NX', 'XX'), word('CH'), oneOf('NX', 'INCR')), fewPlaces],
  ['GEOADD', geoKey, fewPlaces],
  ['GEOADD', geoKey, manyPlaces],
  ['GEODIST', geoKey, member, member, maybe(unit)],
  [
    'GEOPOS',
    geoKey,
    several(
      member.map((name): Words => [name]),
      4,
    ),
  ],
  [
    'GEOHASH',
    geoKey,
    several(
      member.map((name): Words => [name]),
      4,
    ),
  ],
  ['GEOSEARCH', geoKey, ...searchParts, details],
  ['GEOSEARCH', geoKey, ...searchParts, details],
  ['GEOSEARCH', geoKey, options(from, by, from, by, word('ANY'), word('NOPE'))],
  ['GEOSEARCHSTORE', geoKey, geoKey, ...searchParts, maybe(oneOf('STOREDIST', 'WITHDIST'))],
  ['GEORADIUS', geoKey, place, radius, details, maybe(count), maybe(order)],
  ['GEORADIUS', geoKey, place, radius, maybe(count), options(store, word('WITHDIST'))],
  ['GEORADIUS_RO', geoKey, place, radius, details, maybe(count), maybe(order), maybe(store)],
  ['GEORADIUSBYMEMBER', geoKey, member, radius, details, maybe(count), maybe(order)],
  ['GEORADIUSBYMEMBER', geoKey, member, radius, maybe(order), maybe(store)],
  ['GEORADIUSBYMEMBER_RO', geoKey, member, radius, details, maybe(count), maybe(order)],
  ['ZRANGE', geoKey, word('0'), word('-1'), word('WITHSCORES')],
  ['DEL', geoKey],
];
