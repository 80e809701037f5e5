import { beforeEach, describe, expect, it } from 'vitest';
import { decodeReply, type Reply, ReplyError } from '../../server/reply-reader.ts';
import { InProcess } from './in-process.ts';

let server: InProcess;
const call = (...words: (string | number)[]): Reply => decodeReply(Buffer.from(server.run(...words), 'latin1'));
const error = (...words: (string | number)[]): string => {
  const reply = call(...words);
  if (!(reply instanceof ReplyError)) throw new Error(`${words.join(' ')} was not refused`);
  return reply.message;
};

describe('geo commands', () => {
  beforeEach(() => {
    server = new InProcess();
    call('GEOADD', 'sicily', '13.361389', '38.115556', 'Palermo', '15.087269', '37.502669', 'Catania');
  });

  it('places are scores of a sorted set', () => {
    expect(call('ZRANGE', 'sicily', 0, -1, 'WITHSCORES')).toEqual([
      ...['Palermo', '3479099956230698', 'Catania', '3479447370796909'],
    ]);
    expect(call('GEOADD', 'sicily', 'NX', 0, 0, 'Palermo')).toBe(0);
    expect(call('GEOADD', 'sicily', 'XX', 'CH', 14, 38, 'Palermo', 0, 0, 'nobody')).toBe(1);
    expect(error('GEOADD', 'sicily', 'NX', 'XX', 14, 38, 'a')).toBe('ERR syntax error');
    expect(error('GEOADD', 'sicily', 181, 0, 'a')).toBe('ERR invalid longitude,latitude pair 181.000000,0.000000');
    expect(error('GEOADD', 'sicily', 0, 0, 'a', 'x', 0, 'b')).toBe('ERR value is not a valid float');
    expect(call('ZCARD', 'sicily')).toBe(2);
  });

  it('answers positions, distances and texts', () => {
    expect(call('GEOPOS', 'sicily', 'Palermo', 'nobody')).toEqual([
      ['13.36138933897018433', '38.11555639549629859'],
      null,
    ]);
    expect(call('GEODIST', 'sicily', 'Palermo', 'Catania')).toBe('166274.1516');
    expect(call('GEODIST', 'sicily', 'Palermo', 'Catania', 'km')).toBe('166.2742');
    expect(call('GEODIST', 'sicily', 'Palermo', 'nobody')).toBe(null);
    expect(error('GEODIST', 'sicily', 'Palermo', 'Catania', 'ell')).toMatch(/^ERR unsupported unit/);
    expect(call('GEOHASH', 'sicily', 'Palermo', 'Catania', 'nobody')).toEqual(['sqc8b49rny0', 'sqdtr74hyu0', null]);
    expect(call('GEOHASH', 'none', 'a')).toEqual([null]);
  });

  it('searches circles and boxes', () => {
    call('GEOADD', 'sicily', '12.758489', '38.788135', 'edge1', '17.241510', '38.788135', 'edge2');
    const from = ['FROMLONLAT', 15, 37] as const;
    expect(call('GEOSEARCH', 'sicily', ...from, 'BYRADIUS', 200, 'km', 'ASC')).toEqual(['Catania', 'Palermo']);
    expect(call('GEOSEARCH', 'sicily', ...from, 'BYBOX', 400, 400, 'km', 'ASC', 'WITHDIST')).toEqual([
      ['Catania', '56.4413'],
      ['Palermo', '190.4424'],
      ['edge2', '279.7403'],
      ['edge1', '279.7405'],
    ]);
    expect(call('GEOSEARCH', 'sicily', 'FROMMEMBER', 'Palermo', 'BYRADIUS', 1, 'm', 'WITHHASH')).toEqual([
      ['Palermo', 3479099956230698],
    ]);
    expect(call('GEORADIUS', 'sicily', 15, 37, 200, 'km', 'COUNT', 1)).toEqual(['Catania']);
    expect(call('GEORADIUSBYMEMBER_RO', 'sicily', 'Catania', 300, 'km', 'DESC', 'COUNT', 2)).toEqual([
      'edge1',
      'edge2',
    ]);
    expect(error('GEOSEARCH', 'sicily', 'BYRADIUS', 1, 'm', 'ASC', 'ASC')).toMatch(/exactly one of FROMMEMBER/);
    expect(error('GEOSEARCH', 'sicily', ...from, 'ASC', 'ASC')).toMatch(/exactly one of BYRADIUS/);
    expect(error('GEOSEARCH', 'sicily', ...from, 'BYRADIUS', 1, 'm', 'ANY')).toMatch(/ANY argument requires COUNT/);
    expect(error('GEOSEARCH', 'sicily', 'FROMMEMBER', 'nobody', 'BYRADIUS', 1, 'm')).toMatch(/could not decode/);
    expect(error('GEORADIUS', 'sicily', 15, 37, -1, 'km')).toBe('ERR radius cannot be negative');
  });

  it('stores what it finds, also under keys with odd names', () => {
    const near = ['FROMLONLAT', 15, 37, 'BYRADIUS', 200, 'km'] as const;
    expect(call('GEOSEARCHSTORE', 'found', 'sicily', ...near, 'STOREDIST')).toBe(2);
    expect(call('ZSCORE', 'found', 'Catania')).toMatch(/^56\.44125787/);
    expect(call('GEORADIUS', 'sicily', 15, 37, 200, 'km', 'STORE', 'STOREDIST')).toBe(2);
    expect(call('ZRANGE', 'STOREDIST', 0, -1)).toEqual(['Palermo', 'Catania']);
    expect(call('COMMAND', 'GETKEYS', 'GEORADIUS', 'k', 15, 37, 200, 'km', 'STORE', 'd')).toEqual(['k', 'd']);
    expect(call('GEORADIUS', 'none', 15, 37, 200, 'km', 'STORE', 'found')).toBe(0);
    expect(call('EXISTS', 'found')).toBe(0);
    expect(error('GEORADIUS', 'sicily', 15, 37, 200, 'km', 'STORE', 'd', 'WITHDIST')).toMatch(/is not compatible/);
    expect(error('GEORADIUS_RO', 'sicily', 15, 37, 200, 'km', 'STORE', 'd')).toBe('ERR syntax error');
  });
});
