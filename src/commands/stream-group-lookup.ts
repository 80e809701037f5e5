/** How the commands on groups of streams find the group that they name. */
import { MAX_GROUP_NAME_BYTES } from '../datatypes/stream-group.ts';
import type { Streams } from '../datatypes/stream-value.ts';
import type { Unit } from '../dispatch/unit.ts';
import { TYPE_STREAM } from '../keyspace/entry.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { quoted, streamsOf } from './stream-arguments.ts';
import { typedRead, typedWrite } from './typed-entry.ts';

/** What a command on a group works on; one per thread, for a unit runs at a time. */
export class GroupAccess {
  streams!: Streams;
  root = 0;
  /** 0 = absent. */
  group = 0;

  /** Looks up key argument `key` and the group that argument `name` names; false after WRONGTYPE. */
  open(unit: Unit, args: Args, key: number, name: number, isWrite: boolean, reply: ReplyWriter): boolean {
    const isFit = isWrite ? typedWrite(unit, key, TYPE_STREAM, reply) : typedRead(unit, key, TYPE_STREAM, reply);
    if (!isFit) return false;
    this.streams = streamsOf(unit);
    this.root = unit.entry === 0 ? 0 : unit.ks.structure(unit.entry);
    this.group =
      this.root === 0
        ? 0
        : this.streams.groups.findGroup(this.streams.groupsOf(this.root), args.buf, args.starts[name], args.ends[name]);
    return true;
  }

  /** The same; answers NOGROUP where there is no such key or group. */
  require(unit: Unit, args: Args, key: number, name: number, isWrite: boolean, reply: ReplyWriter): boolean {
    if (!this.open(unit, args, key, name, isWrite, reply)) return false;
    if (this.group !== 0) return true;
    reply.error(`NOGROUP No such key '${quoted(args, key)}' or consumer group '${quoted(args, name)}'`);
    return false;
  }

  /** The consumer that argument `name` names, 0 = absent. */
  consumer(args: Args, name: number): number {
    return this.streams.groups.findConsumer(this.group, args.buf, args.starts[name], args.ends[name]);
  }
}

/** For a group that is missing where the key is there. */
export function noGroupError(args: Args, key: number, name: number): string {
  return `NOGROUP No such consumer group '${quoted(args, name)}' for key name '${quoted(args, key)}'`;
}

/** The error text where argument `index` is too long to name a group or consumer, or null. */
export function nameRefusal(args: Args, index: number): string | null {
  return args.length(index) > MAX_GROUP_NAME_BYTES ? 'ERR the name of a group or consumer is too long' : null;
}
