/** Places, distances and units in the arguments of geo commands; each answers its error itself. */
import { type GeoPlace, isPlace } from '../datatypes/geo-hash.ts';
import type { GeoShape } from '../datatypes/geo-search.ts';
import type { Args } from '../resp/args.ts';
import { parseFloatStrict } from '../resp/numbers.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';

const UNIT_ERROR = 'ERR unsupported unit provided. please use M, KM, FT, MI';

function number(args: Args, index: number): number {
  return parseFloatStrict(args.buf, args.starts[index], args.ends[index]);
}

function refuse(reply: ReplyWriter, error: string): false {
  reply.error(error);
  return false;
}

/** Reads longitude and latitude from argument `index` on; false after an error reply. */
export function placeArgument(args: Args, index: number, place: GeoPlace, reply: ReplyWriter): boolean {
  place.longitude = number(args, index);
  place.latitude = number(args, index + 1);
  if (Number.isNaN(place.longitude) || Number.isNaN(place.latitude)) return refuse(reply, ERR.NOT_FLOAT);
  if (isPlace(place.longitude, place.latitude)) return true;
  return refuse(reply, `ERR invalid longitude,latitude pair ${fixed(place.longitude)},${fixed(place.latitude)}`);
}

/** As C's %f. */
function fixed(n: number): string {
  if (!Number.isFinite(n)) return n > 0 ? 'inf' : '-inf';
  return Math.abs(n) < 1e21 ? n.toFixed(6) : `${BigInt(n)}.000000`;
}

/** Meters of the unit that argument `index` names; NaN after an error reply. */
export function unitArgument(args: Args, index: number, reply: ReplyWriter): number {
  if (args.equalsIgnoreCase(index, 'm')) return 1;
  if (args.equalsIgnoreCase(index, 'km')) return 1000;
  if (args.equalsIgnoreCase(index, 'ft')) return 0.3048;
  if (args.equalsIgnoreCase(index, 'mi')) return 1609.34;
  reply.error(UNIT_ERROR);
  return Number.NaN;
}

/** Reads radius and unit from argument `index` on; false after an error reply. */
export function radiusArgument(args: Args, index: number, shape: GeoShape, reply: ReplyWriter): boolean {
  shape.isBox = false;
  shape.radius = number(args, index);
  if (Number.isNaN(shape.radius)) return refuse(reply, 'ERR need numeric radius');
  if (shape.radius < 0) return refuse(reply, 'ERR radius cannot be negative');
  shape.meters = unitArgument(args, index + 1, reply);
  return !Number.isNaN(shape.meters);
}

/** Reads width, height and unit from argument `index` on; false after an error reply. */
export function boxArgument(args: Args, index: number, shape: GeoShape, reply: ReplyWriter): boolean {
  shape.isBox = true;
  shape.width = number(args, index);
  if (Number.isNaN(shape.width)) return refuse(reply, 'ERR need numeric width');
  shape.height = number(args, index + 1);
  if (Number.isNaN(shape.height)) return refuse(reply, 'ERR need numeric height');
  if (shape.width < 0 || shape.height < 0) return refuse(reply, 'ERR height or width cannot be negative');
  shape.meters = unitArgument(args, index + 2, reply);
  return !Number.isNaN(shape.meters);
}
