/** GEOSEARCH, GEOSEARCHSTORE and the older GEORADIUS forms: one request, read in six ways. */
import { GeoPlace } from '../datatypes/geo-hash.ts';
import { GeoShape } from '../datatypes/geo-search.ts';
import { ScoreCollector } from '../datatypes/score-collector.ts';
import type { Unit } from '../dispatch/unit.ts';
import { TYPE_SORTED_SET } from '../keyspace/entry.ts';
import { SORTED_SET_EVENT } from '../keyspace/key-events.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';
import { distanceText, memberPlace, replyCoordinates } from './geo.ts';
import { boxArgument, placeArgument, radiusArgument } from './geo-arguments.ts';
import { longArgument } from './integer-arguments.ts';
import { storeCollected } from './sorted-set-store.ts';
import { typedRead } from './typed-entry.ts';

const ORDER = { none: 0, ascending: 1, descending: 2 } as const;

interface Form {
  /** Argument index of the searched key. */
  readonly source: number;
  /** Where the options begin. */
  readonly options: number;
  /** How the centre is given: by the arguments behind the key, by the member behind it, or by options. */
  readonly centre: 'place' | 'member' | 'options';
  /** Takes STORE and STOREDIST with a key. */
  readonly mayStore: boolean;
  readonly isStore: boolean;
}

const GEOSEARCH: Form = { source: 1, options: 2, centre: 'options', mayStore: false, isStore: false };
const GEOSEARCHSTORE: Form = { source: 2, options: 3, centre: 'options', mayStore: false, isStore: true };
const GEORADIUS: Form = { source: 1, options: 6, centre: 'place', mayStore: true, isStore: false };
const GEORADIUS_RO: Form = { ...GEORADIUS, mayStore: false };
const GEORADIUSBYMEMBER: Form = { source: 1, options: 5, centre: 'member', mayStore: true, isStore: false };
const GEORADIUSBYMEMBER_RO: Form = { ...GEORADIUSBYMEMBER, mayStore: false };

const NO_MEMBER = 'ERR could not decode requested zset member';

/** Found members: in the collector, whose scores are the distances in meters; their own scores beside it. */
class GeoFinder {
  readonly shape = new GeoShape();
  readonly collector = new ScoreCollector();
  /** Argument index of the key to store to, 0 = none. */
  storeKey = 0;
  private storesDistances = false;
  private scores: number[] = [];
  private withDistance = false;
  private withHash = false;
  private withPlace = false;
  private order: number = ORDER.none;
  private count = 0;
  private isAny = false;
  private hasMember = false;
  private hasPlace = false;
  private hasRadius = false;
  private hasBox = false;
  private readonly centre = new GeoPlace();

  /** Reads the arguments; the searched key has been looked up. False after an error reply. */
  parse(unit: Unit, args: Args, form: Form, reply: ReplyWriter): boolean {
    this.storeKey = form.isStore ? 1 : 0;
    this.storesDistances = false;
    this.withDistance = this.withHash = this.withPlace = this.isAny = false;
    this.hasMember = this.hasPlace = this.hasRadius = this.hasBox = false;
    this.order = ORDER.none;
    this.count = 0;
    this.shape.meters = 1;
    if (!this.parseCentre(unit, args, form, reply)) return false;
    for (let i = form.options; i < args.count; i++) {
      const used = this.parsePlain(args, i) ? 1 : this.parseOption(unit, args, i, form, reply);
      if (used === 0) return false;
      i += used - 1;
    }
    const error = this.conflict(args, form);
    if (error !== null) reply.error(error);
    return error === null;
  }

  private parseCentre(unit: Unit, args: Args, form: Form, reply: ReplyWriter): boolean {
    if (form.centre === 'options') return true;
    if (form.centre === 'place') {
      if (!placeArgument(args, 2, this.centre, reply)) return false;
    } else {
      // without the key only the options count
      if (unit.entry === 0) return true;
      if (!memberPlace(unit, args, 2, this.centre)) return refuse(reply, NO_MEMBER);
    }
    this.takeCentre();
    return radiusArgument(args, form.options - 2, this.shape, reply);
  }

  private takeCentre(): void {
    this.shape.longitude = this.centre.longitude;
    this.shape.latitude = this.centre.latitude;
  }

  /** Options of one word. */
  private parsePlain(args: Args, i: number): boolean {
    if (args.equalsIgnoreCase(i, 'withdist')) this.withDistance = true;
    else if (args.equalsIgnoreCase(i, 'withhash')) this.withHash = true;
    else if (args.equalsIgnoreCase(i, 'withcoord')) this.withPlace = true;
    else if (args.equalsIgnoreCase(i, 'any')) this.isAny = true;
    else if (args.equalsIgnoreCase(i, 'asc')) this.order = ORDER.ascending;
    else if (args.equalsIgnoreCase(i, 'desc')) this.order = ORDER.descending;
    else return false;
    return true;
  }

  /** Options with arguments: how many words they took; 0 after an error reply. */
  private parseOption(unit: Unit, args: Args, i: number, form: Form, reply: ReplyWriter): number {
    const left = args.count - i - 1;
    if (left >= 1 && args.equalsIgnoreCase(i, 'count')) {
      this.count = longArgument(args, i + 1, reply);
      if (Number.isNaN(this.count)) return 0;
      return this.count > 0 || refuse(reply, 'ERR COUNT must be > 0') ? 2 : 0;
    }
    if (form.mayStore && left >= 1) {
      const byDistance = args.equalsIgnoreCase(i, 'storedist');
      if (byDistance || args.equalsIgnoreCase(i, 'store')) {
        this.storeKey = i + 1;
        this.storesDistances = byDistance;
        return 2;
      }
    }
    if (form.centre === 'options') return this.parseSearchOption(unit, args, i, form, reply);
    reply.error(ERR.SYNTAX);
    return 0;
  }

  private parseSearchOption(unit: Unit, args: Args, i: number, form: Form, reply: ReplyWriter): number {
    const left = args.count - i - 1;
    if (left >= 1 && !this.hasPlace && args.equalsIgnoreCase(i, 'frommember')) {
      this.hasMember = true;
      if (unit.entry === 0) return 2;
      if (!memberPlace(unit, args, i + 1, this.centre)) return refuse(reply, NO_MEMBER) ? 2 : 0;
      this.takeCentre();
      return 2;
    }
    if (left >= 2 && !this.hasMember && args.equalsIgnoreCase(i, 'fromlonlat')) {
      this.hasPlace = true;
      if (!placeArgument(args, i + 1, this.centre, reply)) return 0;
      this.takeCentre();
      return 3;
    }
    if (left >= 2 && !this.hasBox && args.equalsIgnoreCase(i, 'byradius')) {
      this.hasRadius = true;
      return radiusArgument(args, i + 1, this.shape, reply) ? 3 : 0;
    }
    if (left >= 3 && !this.hasRadius && args.equalsIgnoreCase(i, 'bybox')) {
      this.hasBox = true;
      return boxArgument(args, i + 1, this.shape, reply) ? 4 : 0;
    }
    if (form.isStore && args.equalsIgnoreCase(i, 'storedist')) {
      this.storesDistances = true;
      return 1;
    }
    reply.error(ERR.SYNTAX);
    return 0;
  }

  private conflict(args: Args, form: Form): string | null {
    if (this.storeKey !== 0 && (this.withDistance || this.withHash || this.withPlace)) {
      const name = form.isStore ? 'GEOSEARCHSTORE' : 'STORE option in GEORADIUS';
      return `ERR ${name} is not compatible with WITHDIST, WITHHASH and WITHCOORD options`;
    }
    const isSearch = form.centre === 'options';
    if (isSearch && !this.hasMember && !this.hasPlace)
      return `ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for ${args.text(0)}`;
    if (isSearch && !this.hasRadius && !this.hasBox)
      return `ERR exactly one of BYRADIUS and BYBOX can be specified for ${args.text(0)}`;
    return this.isAny && this.count === 0 ? 'ERR the ANY argument requires COUNT argument' : null;
  }

  /** Gathers what lies in the shape; puts the order of the reply into the collector, and drops what COUNT cuts off. */
  find(unit: Unit): void {
    const { ks, entry } = unit;
    const { shape, collector } = this;
    collector.clear();
    this.scores = [];
    if (entry === 0) return;
    shape.cover();
    const limit = this.isAny ? this.count : Number.POSITIVE_INFINITY;
    const sets = ks.values.sortedSets;
    const root = ks.structure(entry);
    const encoding = ks.encodingOf(entry);
    for (const range of shape.ranges) {
      sets.scoreRange(root, encoding, range);
      let left = sets.to - sets.from;
      if (left > 0) sets.seekRank(root, encoding, sets.from);
      for (; left > 0 && collector.count < limit; left--) {
        sets.loadElement();
        if (shape.contains(sets.score)) {
          collector.append(sets.mBuf, sets.mStart, sets.mEnd, shape.distance);
          this.scores.push(sets.score);
        }
        sets.next();
      }
    }
    this.arrange();
  }

  private arrange(): void {
    const { collector } = this;
    const distances = collector.scores;
    const order = collector.inGivenOrder();
    const nearestFirst = this.order === ORDER.none ? this.count > 0 && !this.isAny : this.order === ORDER.ascending;
    if (nearestFirst) order.sort((a, b) => distances[a] - distances[b]);
    else if (this.order === ORDER.descending) order.sort((a, b) => distances[b] - distances[a]);
    if (this.count > 0 && order.length > this.count) collector.order = order.slice(0, this.count);
  }

  reply(reply: ReplyWriter): void {
    const { collector, shape, withDistance, withHash, withPlace } = this;
    const { order, bytes, starts, lengths, scores: distances } = collector;
    const parts = (withDistance ? 1 : 0) + (withHash ? 1 : 0) + (withPlace ? 1 : 0);
    reply.array(order.length);
    for (let i = 0; i < order.length; i++) {
      const n = order[i];
      if (parts > 0) reply.array(parts + 1);
      reply.bulk(bytes, starts[n], starts[n] + lengths[n]);
      if (withDistance) reply.bulkText(distanceText(distances[n] / shape.meters));
      if (withHash) reply.integer(this.scores[n]);
      if (!withPlace) continue;
      this.centre.decode(this.scores[n]);
      replyCoordinates(this.centre, reply);
    }
  }

  /** Makes of what was found a sorted set with distances or the members' own scores, in order. */
  toBeStored(): ScoreCollector {
    const found = this.collector;
    const { order, bytes, starts, lengths, scores: distances } = found;
    const result = new ScoreCollector();
    for (let i = 0; i < order.length; i++) {
      const n = order[i];
      const score = this.storesDistances ? distances[n] / this.shape.meters : this.scores[n];
      result.append(bytes, starts[n], starts[n] + lengths[n], score);
    }
    result.sort();
    return result;
  }
}

function refuse(reply: ReplyWriter, error: string): false {
  reply.error(error);
  return false;
}

const finder = new GeoFinder();

function find(unit: Unit, args: Args, form: Form, reply: ReplyWriter): void {
  if (!typedRead(unit, form.source, TYPE_SORTED_SET, reply) || !finder.parse(unit, args, form, reply)) return;
  finder.find(unit);
  if (finder.storeKey === 0) return finder.reply(reply);
  const event = form.isStore ? SORTED_SET_EVENT.geosearchstore : SORTED_SET_EVENT.georadiusstore;
  const result = finder.toBeStored();
  storeCollected(unit, args, finder.storeKey, result, event, reply, result.count);
}

export function geosearch(unit: Unit, args: Args, reply: ReplyWriter): void {
  find(unit, args, GEOSEARCH, reply);
}

export function geosearchstore(unit: Unit, args: Args, reply: ReplyWriter): void {
  find(unit, args, GEOSEARCHSTORE, reply);
}

export function georadius(unit: Unit, args: Args, reply: ReplyWriter): void {
  find(unit, args, GEORADIUS, reply);
}

export function georadiusRo(unit: Unit, args: Args, reply: ReplyWriter): void {
  find(unit, args, GEORADIUS_RO, reply);
}

export function georadiusbymember(unit: Unit, args: Args, reply: ReplyWriter): void {
  find(unit, args, GEORADIUSBYMEMBER, reply);
}

export function georadiusbymemberRo(unit: Unit, args: Args, reply: ReplyWriter): void {
  find(unit, args, GEORADIUSBYMEMBER_RO, reply);
}

/**
 * The keys of GEORADIUS and GEORADIUSBYMEMBER: the searched one, and that behind the last STORE or STOREDIST, for which a key may
 * itself be called so.
 */
export function storingKeys(options: number): (args: Args, out: Int32Array) => number {
  return (args, out) => {
    out[0] = 1;
    let found = 1;
    for (let i = options; i + 1 < args.count; i++) {
      if (!args.equalsIgnoreCase(i, 'store') && !args.equalsIgnoreCase(i, 'storedist')) continue;
      out[1] = ++i;
      found = 2;
    }
    return found;
  };
}
