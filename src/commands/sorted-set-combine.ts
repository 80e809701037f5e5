/**
 * ZUNION, ZINTER, ZDIFF, their …STORE forms and ZINTERCARD: everything is gathered in private memory first; only then a key
 * changes. Inputs are sorted sets, or sets, whose members count 1.
 */
import { ScoreCollector } from '../datatypes/score-collector.ts';
import type { Unit } from '../dispatch/unit.ts';
import { type KeyEvent, SORTED_SET_EVENT } from '../keyspace/key-events.ts';
import type { Args } from '../resp/args.ts';
import { parseFloatStrict } from '../resp/numbers.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';
import { longArgument } from './integer-arguments.ts';
import { atLeastArgument } from './sorted-set-arguments.ts';
import { CombineInput, type ElementVisitor } from './sorted-set-inputs.ts';
import { storeCollected } from './sorted-set-store.ts';

const AGGREGATE = { sum: 0, min: 1, max: 2 } as const;
const OPERATION = { union: 0, inter: 1, diff: 2 } as const;

interface Form {
  readonly name: string;
  readonly operation: number;
  /** Argument index of the number of keys. */
  readonly numkeysAt: number;
  /** What is published when the result is stored; null: it is answered. */
  readonly event: KeyEvent | null;
  readonly cardinalityOnly: boolean;
}

const answers = { numkeysAt: 1, event: null, cardinalityOnly: false } as const;
const stores = { numkeysAt: 2, cardinalityOnly: false } as const;
const ZUNION: Form = { name: 'zunion', operation: OPERATION.union, ...answers };
const ZINTER: Form = { name: 'zinter', operation: OPERATION.inter, ...answers };
const ZDIFF: Form = { name: 'zdiff', operation: OPERATION.diff, ...answers };
const ZINTERCARD: Form = { ...answers, name: 'zintercard', operation: OPERATION.inter, cardinalityOnly: true };
const { zunionstore: UNION_EVENT, zinterstore: INTER_EVENT, zdiffstore: DIFF_EVENT } = SORTED_SET_EVENT;
const ZUNIONSTORE: Form = { name: 'zunionstore', operation: OPERATION.union, event: UNION_EVENT, ...stores };
const ZINTERSTORE: Form = { name: 'zinterstore', operation: OPERATION.inter, event: INTER_EVENT, ...stores };
const ZDIFFSTORE: Form = { name: 'zdiffstore', operation: OPERATION.diff, event: DIFF_EVENT, ...stores };

/** One per thread: reads the arguments, gathers the result. */
class Combination implements ElementVisitor {
  readonly collector = new ScoreCollector();
  withScores = false;
  private aggregate: number = AGGREGATE.sum;
  private limit = 0;
  private count = 0;
  private inputs: CombineInput[] = [];
  private readonly pool: CombineInput[] = [];
  private current = new CombineInput();
  private operation = 0;
  private cardinalityOnly = false;

  /** Looks the keys up and reads the options; false after an error reply. */
  parse(unit: Unit, args: Args, form: Form, reply: ReplyWriter): boolean {
    this.withScores = false;
    this.aggregate = AGGREGATE.sum;
    this.limit = 0;
    this.operation = form.operation;
    this.cardinalityOnly = form.cardinalityOnly;
    const first = form.numkeysAt + 1;
    const keys = longArgument(args, form.numkeysAt, reply);
    if (Number.isNaN(keys)) return false;
    if (keys < 1) return refuse(reply, `ERR at least 1 input key is needed for '${form.name}' command`);
    if (keys > args.count - first) return refuse(reply, ERR.SYNTAX);
    this.inputs = [];
    for (let i = 0; i < keys; i++) {
      if (this.pool.length === i) this.pool.push(new CombineInput());
      const input = this.pool[i];
      if (!input.open(unit, first + i)) return refuse(reply, ERR.WRONGTYPE);
      this.inputs.push(input);
    }
    return this.parseOptions(args, first + keys, keys, form, reply);
  }

  private parseOptions(args: Args, from: number, keys: number, form: Form, reply: ReplyWriter): boolean {
    const hasWeights = form.operation !== OPERATION.diff && !form.cardinalityOnly;
    for (let i = from; i < args.count; i++) {
      const left = args.count - i;
      if (hasWeights && left > keys && args.equalsIgnoreCase(i, 'weights')) {
        if (!this.parseWeights(args, i + 1, reply)) return false;
        i += keys;
      } else if (hasWeights && left >= 2 && args.equalsIgnoreCase(i, 'aggregate')) {
        if (!this.parseAggregate(args, ++i)) return refuse(reply, ERR.SYNTAX);
      } else if (form.event === null && !form.cardinalityOnly && args.equalsIgnoreCase(i, 'withscores')) {
        this.withScores = true;
      } else if (form.cardinalityOnly && left >= 2 && args.equalsIgnoreCase(i, 'limit')) {
        this.limit = atLeastArgument(args, ++i, 0, reply, "ERR LIMIT can't be negative");
        if (Number.isNaN(this.limit)) return false;
      } else {
        return refuse(reply, ERR.SYNTAX);
      }
    }
    return true;
  }

  private parseWeights(args: Args, from: number, reply: ReplyWriter): boolean {
    for (let i = 0; i < this.inputs.length; i++) {
      const weight = parseFloatStrict(args.buf, args.starts[from + i], args.ends[from + i]);
      if (Number.isNaN(weight)) return refuse(reply, 'ERR weight value is not a float');
      this.inputs[i].weight = weight;
    }
    return true;
  }

  private parseAggregate(args: Args, i: number): boolean {
    if (args.equalsIgnoreCase(i, 'sum')) this.aggregate = AGGREGATE.sum;
    else if (args.equalsIgnoreCase(i, 'min')) this.aggregate = AGGREGATE.min;
    else if (args.equalsIgnoreCase(i, 'max')) this.aggregate = AGGREGATE.max;
    else return false;
    return true;
  }

  /** Gathers the result, unsorted; returns the number of members. */
  run(): number {
    const { inputs } = this;
    this.collector.clear();
    this.count = 0;
    // from the smallest on: sums of doubles depend on the order
    if (this.operation !== OPERATION.diff) inputs.sort((a, b) => a.count - b.count);
    const rounds = this.operation === OPERATION.union ? inputs.length : 1;
    if (this.operation === OPERATION.inter && inputs[0].count === 0) return 0;
    for (let i = 0; i < rounds; i++) {
      this.current = inputs[i];
      this.current.visit(this);
    }
    return this.count;
  }

  /** One element of the current input; false: no more of them are wanted. */
  element(buf: Buffer, start: number, end: number, score: number): boolean {
    if (this.operation === OPERATION.union) this.unite(buf, start, end, this.weighted(this.current, score));
    else this.keepIfMet(buf, start, end, score);
    return this.limit === 0 || this.count < this.limit;
  }

  private unite(buf: Buffer, start: number, end: number, score: number): void {
    const { collector } = this;
    const found = collector.find(this.current.hasher, buf, start, end);
    if (found >= 0) {
      collector.scores[found] = this.combined(collector.scores[found], score);
      return;
    }
    collector.addMissing(buf, start, end, score);
    this.count++;
  }

  /** Intersection: keeps what all other inputs have; difference: what none of them has. */
  private keepIfMet(buf: Buffer, start: number, end: number, score: number): void {
    const { collector, inputs } = this;
    const isInter = this.operation === OPERATION.inter;
    // looking up may overwrite where the member stands
    const kept = collector.append(buf, start, end, 0);
    const from = collector.starts[kept];
    const to = from + collector.lengths[kept];
    let total = isInter ? this.weighted(inputs[0], score) : score;
    for (let i = 1; i < inputs.length; i++) {
      const other = inputs[i];
      if (other.find(collector.bytes, from, to) !== isInter) {
        collector.dropLast();
        return;
      }
      if (isInter) total = this.combined(total, this.weighted(other, other.score));
    }
    this.count++;
    if (this.cardinalityOnly) collector.dropLast();
    else collector.scores[kept] = total;
  }

  private weighted(input: CombineInput, score: number): number {
    const product = input.weight * score;
    return Number.isNaN(product) ? 0 : product;
  }

  private combined(a: number, b: number): number {
    if (this.aggregate === AGGREGATE.min) return b < a ? b : a;
    if (this.aggregate === AGGREGATE.max) return b > a ? b : a;
    const sum = a + b;
    return Number.isNaN(sum) ? 0 : sum;
  }

  /** Answers the members in order. */
  reply(reply: ReplyWriter): void {
    const { collector, withScores } = this;
    const inPairs = withScores && reply.resp === 3;
    const { bytes, starts, lengths, scores, order } = collector;
    reply.array(withScores && !inPairs ? this.count * 2 : this.count);
    for (let i = 0; i < order.length; i++) {
      const element = order[i];
      if (inPairs) reply.array(2);
      reply.bulk(bytes, starts[element], starts[element] + lengths[element]);
      if (withScores) reply.double(scores[element]);
    }
  }
}

function refuse(reply: ReplyWriter, error: string): false {
  reply.error(error);
  return false;
}

const combination = new Combination();

function combine(unit: Unit, args: Args, form: Form, reply: ReplyWriter): void {
  if (!combination.parse(unit, args, form, reply)) return;
  const count = combination.run();
  if (form.cardinalityOnly) return reply.integer(count);
  combination.collector.sort();
  if (form.event === null) combination.reply(reply);
  else storeCollected(unit, args, 1, combination.collector, form.event, reply);
}

export function zunion(unit: Unit, args: Args, reply: ReplyWriter): void {
  combine(unit, args, ZUNION, reply);
}

export function zinter(unit: Unit, args: Args, reply: ReplyWriter): void {
  combine(unit, args, ZINTER, reply);
}

export function zdiff(unit: Unit, args: Args, reply: ReplyWriter): void {
  combine(unit, args, ZDIFF, reply);
}

export function zintercard(unit: Unit, args: Args, reply: ReplyWriter): void {
  combine(unit, args, ZINTERCARD, reply);
}

export function zunionstore(unit: Unit, args: Args, reply: ReplyWriter): void {
  combine(unit, args, ZUNIONSTORE, reply);
}

export function zinterstore(unit: Unit, args: Args, reply: ReplyWriter): void {
  combine(unit, args, ZINTERSTORE, reply);
}

export function zdiffstore(unit: Unit, args: Args, reply: ReplyWriter): void {
  combine(unit, args, ZDIFFSTORE, reply);
}
