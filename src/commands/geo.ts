/** GEOADD, GEOPOS, GEODIST, GEOHASH. */
import { coordinateText, distanceMeters, GeoPlace, geohashText, scoreOf } from '../datatypes/geo-hash.ts';
import { ADD_FLAG } from '../datatypes/sorted-set-value.ts';
import type { Unit } from '../dispatch/unit.ts';
import { TYPE_SORTED_SET } from '../keyspace/entry.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';
import { placeArgument, unitArgument } from './geo-arguments.ts';
import { addScored, CHANGED, roomForScores } from './sorted-set-add.ts';
import { typedRead } from './typed-entry.ts';

const { onlyNew: ONLY_NEW, onlyPresent: ONLY_PRESENT } = ADD_FLAG;

const place = new GeoPlace();
const otherPlace = new GeoPlace();

export function geoadd(unit: Unit, args: Args, reply: ReplyWriter): void {
  let flags = 0;
  let first = 2;
  for (; first < args.count; first++) {
    if (args.equalsIgnoreCase(first, 'nx')) flags |= ONLY_NEW;
    else if (args.equalsIgnoreCase(first, 'xx')) flags |= ONLY_PRESENT;
    else if (args.equalsIgnoreCase(first, 'ch')) flags |= CHANGED;
    else break;
  }
  const isBoth = (flags & ONLY_NEW) !== 0 && (flags & ONLY_PRESENT) !== 0;
  const members = (args.count - first) / 3;
  if (!Number.isInteger(members) || members === 0 || isBoth) return reply.error(ERR.SYNTAX);
  const scores = roomForScores(members);
  for (let i = 0; i < members; i++) {
    if (!placeArgument(args, first + i * 3, place, reply)) return;
    scores[i] = scoreOf(place.longitude, place.latitude);
  }
  addScored(unit, args, first + 2, 3, members, flags, reply);
}

/** Decodes the place of the member at argument `arg` of the set that was looked up; false: it is absent. */
export function memberPlace(unit: Unit, args: Args, arg: number, into: GeoPlace): boolean {
  const { ks, entry } = unit;
  if (entry === 0) return false;
  const sets = ks.values.sortedSets;
  if (!sets.find(ks.structure(entry), ks.encodingOf(entry), args.buf, args.starts[arg], args.ends[arg])) return false;
  into.decode(sets.score);
  return true;
}

export function replyCoordinates(from: GeoPlace, reply: ReplyWriter): void {
  reply.array(2);
  reply.doubleText(coordinateText(from.longitude));
  reply.doubleText(coordinateText(from.latitude));
}

export function geopos(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!typedRead(unit, 1, TYPE_SORTED_SET, reply)) return;
  reply.array(args.count - 2);
  for (let arg = 2; arg < args.count; arg++) {
    if (memberPlace(unit, args, arg, place)) replyCoordinates(place, reply);
    else reply.nullArray();
  }
}

export function geohash(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!typedRead(unit, 1, TYPE_SORTED_SET, reply)) return;
  reply.array(args.count - 2);
  for (let arg = 2; arg < args.count; arg++) {
    if (memberPlace(unit, args, arg, place)) reply.bulkText(geohashText(place));
    else reply.null();
  }
}

/** A distance with four decimals. */
export function distanceText(distance: number): string {
  return distance.toFixed(4);
}

export function geodist(unit: Unit, args: Args, reply: ReplyWriter): void {
  let meters = 1;
  if (args.count === 5) {
    meters = unitArgument(args, 4, reply);
    if (Number.isNaN(meters)) return;
  } else if (args.count > 5) {
    return reply.error(ERR.SYNTAX);
  }
  if (!typedRead(unit, 1, TYPE_SORTED_SET, reply)) return;
  if (!memberPlace(unit, args, 2, place) || !memberPlace(unit, args, 3, otherPlace)) return reply.null();
  const { longitude, latitude } = place;
  const distance = distanceMeters(longitude, latitude, otherPlace.longitude, otherPlace.latitude);
  reply.bulkText(distanceText(distance / meters));
}
