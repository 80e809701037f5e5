/** The options that XADD and XTRIM share: by what a stream is trimmed. */
import { ID_FORM, StreamId } from '../datatypes/stream-id.ts';
import { STREAM_FIRST_ID, type Streams, TRIM } from '../datatypes/stream-value.ts';
import type { EffectRecorder } from '../dispatch/unit.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';
import { longArgument } from './integer-arguments.ts';
import { effectId, INVALID_ID, idArgument, isCharacterArgument, MAX_ID } from './stream-arguments.ts';

/** Without LIMIT an approximate trim stops after so many nodes' worth of entries. */
const NODES_AT_ONCE = 100;
const DEFAULT_LIMIT_ENTRIES = 10_000;
const MAX_LIMIT_ENTRIES = 1_000_000;

/** One per thread, for a unit runs at a time. */
export class StreamTrimming {
  /** A TRIM number. */
  way: number = TRIM.none;
  approximate = false;
  maxLength = 0;
  readonly minId = new StreamId();
  /** The form of XADD's id: none means that it is to be made. */
  idForm: number = ID_FORM.none;
  readonly id = new StreamId();
  onlyPresent = false;
  private limit = 0;
  private limitGiven = false;

  /** Reads the options from argument 2 on; returns where they end (for XADD the index of the id), -1 after an error reply. */
  parse(args: Args, isAdd: boolean, reply: ReplyWriter): number {
    this.way = TRIM.none;
    this.approximate = this.onlyPresent = this.limitGiven = false;
    this.limit = 0;
    this.idForm = ID_FORM.none;
    let at = 2;
    for (; at < args.count; at++) {
      if (isAdd && isCharacterArgument(args, at, '*')) break;
      const more = at + 1 < args.count;
      if (more && (args.equalsIgnoreCase(at, 'maxlen') || args.equalsIgnoreCase(at, 'minid'))) {
        at = this.parseWay(args, at, reply);
        if (at < 0) return -1;
      } else if (more && args.equalsIgnoreCase(at, 'limit')) {
        this.limit = longArgument(args, ++at, reply);
        if (Number.isNaN(this.limit)) return -1;
        if (this.limit < 0) return refuse(reply, 'ERR The LIMIT argument must be >= 0.');
        this.limitGiven = true;
      } else if (isAdd && args.equalsIgnoreCase(at, 'nomkstream')) {
        this.onlyPresent = true;
      } else if (isAdd) {
        this.idForm = this.id.parse(args.buf, args.starts[at], args.ends[at], false);
        if (this.idForm === ID_FORM.none) return refuse(reply, INVALID_ID);
        break;
      } else {
        return refuse(reply, ERR.SYNTAX);
      }
    }
    return this.agrees(isAdd, reply) ? at : -1;
  }

  private parseWay(args: Args, at: number, reply: ReplyWriter): number {
    if (this.way !== TRIM.none)
      return refuse(reply, 'ERR syntax error, MAXLEN and MINID options at the same time are not compatible');
    this.way = args.equalsIgnoreCase(at, 'maxlen') ? TRIM.maxLength : TRIM.minId;
    at++;
    this.approximate = at + 1 < args.count && isCharacterArgument(args, at, '~');
    if (this.approximate || (at + 1 < args.count && isCharacterArgument(args, at, '='))) at++;
    if (this.way === TRIM.minId) return idArgument(args, at, this.minId, reply) ? at : -1;
    this.maxLength = longArgument(args, at, reply);
    if (Number.isNaN(this.maxLength)) return -1;
    return this.maxLength < 0 ? refuse(reply, 'ERR The MAXLEN argument must be >= 0.') : at;
  }

  private agrees(isAdd: boolean, reply: ReplyWriter): boolean {
    if (this.way === TRIM.none) {
      if (this.limit !== 0)
        reply.error('ERR syntax error, LIMIT cannot be used without specifying a trimming strategy');
      else if (!isAdd) reply.error('ERR syntax error, XTRIM must be called with a trimming strategy');
      else if (this.limitGiven) reply.error('ERR syntax error, LIMIT cannot be used without the special ~ option');
      else return true;
      return false;
    }
    if (!this.limitGiven || this.approximate) return true;
    reply.error('ERR syntax error, LIMIT cannot be used without the special ~ option');
    return false;
  }

  /** Trims a stream as the options say; returns the number of entries that went. */
  apply(streams: Streams, root: number): number {
    if (this.way === TRIM.none) return 0;
    let limit = this.limit;
    if (!this.limitGiven && this.approximate) {
      limit = NODES_AT_ONCE * streams.limits.streamNodeMaxEntries;
      if (limit <= 0) limit = DEFAULT_LIMIT_ENTRIES;
      limit = Math.min(limit, MAX_LIMIT_ENTRIES);
    }
    return streams.trim(root, this.way, this.maxLength, this.minId, this.approximate, limit);
  }

  /** Arguments that `writeExact` adds to an effect. */
  get effectArguments(): number {
    return this.way === TRIM.none ? 0 : 3;
  }

  /** Names in an effect exactly what is left, whatever the nodes of who replays it look like. */
  writeExact(effect: EffectRecorder, streams: Streams, root: number): void {
    if (this.way === TRIM.none) return;
    effect.argText(this.way === TRIM.maxLength ? 'MAXLEN' : 'MINID');
    effect.argText('=');
    if (this.way === TRIM.maxLength) {
      // a greater number would not be a whole one as text, and no stream is as long
      effect.argNumber(this.approximate ? streams.length(root) : Math.min(this.maxLength, Number.MAX_SAFE_INTEGER));
    } else if (!this.approximate) {
      effectId(effect, this.minId);
    } else if (streams.length(root) === 0) {
      effectId(effect, MAX_ID);
    } else {
      streams.loadId(root, STREAM_FIRST_ID, this.minId);
      effectId(effect, this.minId);
    }
  }
}

function refuse(reply: ReplyWriter, errorText: string): number {
  reply.error(errorText);
  return -1;
}
