/**
 * Is there an order of these operations, each at one moment between its call and its return, that explains every output?
 * Wing and Gong's search with Lowe's cache: states already tried for the same set of linearized operations are not tried again.
 */

/** One operation of a history. Times are of one clock. */
export interface Operation<Input, Output> {
  /** Who sent it. A client's operations take effect in the order of its calls, also when it pipelines them. */
  readonly client: number;
  readonly callMs: number;
  /** Infinity where no answer came: the operation may have taken effect at any later time, or never. */
  readonly returnMs: number;
  readonly input: Input;
  /** Undefined where no answer came. */
  readonly output: Output | undefined;
}

/** What the object under test should do, one operation at a time. States are values: never changed in place. */
export interface Model<State, Input, Output> {
  readonly initial: State;
  apply(state: State, input: Input): { state: State; output: Output };
  same(a: Output, b: Output): boolean;
  /** Equal states have equal keys, different states different ones. */
  key(state: State): string;
  isRead(input: Input): boolean;
}

export type Verdict<Op> =
  | { readonly kind: 'linearizable' }
  /** `explained` is the longest order that was found, `stuck` the operation that returned before it fitted anywhere. */
  | { readonly kind: 'violation'; readonly explained: readonly Op[]; readonly stuck: Op }
  | { readonly kind: 'undecided'; readonly steps: number };

const DEFAULT_STEPS = 20_000_000;

/** Checks one history of one object. Gives up (undecided, which is not green) after `maxSteps`. */
export function checkLinearizable<State, Input, Output>(
  model: Model<State, Input, Output>,
  history: readonly Operation<Input, Output>[],
  maxSteps = DEFAULT_STEPS,
): Verdict<Operation<Input, Output>> {
  const operations = history.filter((op) => op.returnMs !== Infinity || !model.isRead(op.input));
  return new Search(model, operations, maxSteps).run();
}

const HEAD = 0;

/**
 * Calls and returns in order of time form a doubly linked list; list position 2i+1 is the call of operation i, 2i+2 its
 * return, 0 the head. Linearizing an operation takes both out, going back puts them in again.
 */
class Search<State, Input, Output> {
  private readonly model: Model<State, Input, Output>;
  private readonly ops: readonly Operation<Input, Output>[];
  private readonly maxSteps: number;
  private readonly next: Int32Array;
  private readonly previous: Int32Array;
  /** The operation this client sent just before, or -1. */
  private readonly before: Int32Array;
  private readonly linearized: Uint8Array;
  private readonly zobrist: Int32Array;
  private readonly tried = new Set<string>();
  private lowHash = 0;
  private highHash = 0;
  private answered: number;

  constructor(model: Model<State, Input, Output>, ops: readonly Operation<Input, Output>[], maxSteps: number) {
    this.model = model;
    this.ops = ops;
    this.maxSteps = maxSteps;
    this.next = new Int32Array(2 * ops.length + 1);
    this.previous = new Int32Array(2 * ops.length + 1);
    this.before = new Int32Array(ops.length).fill(-1);
    this.linearized = new Uint8Array(ops.length);
    this.zobrist = randomWords(2 * ops.length);
    this.answered = ops.filter((op) => op.returnMs !== Infinity).length;
    this.linkByTime();
    this.linkByClient();
  }

  run(): Verdict<Operation<Input, Output>> {
    let state = this.model.initial;
    let longest: number[] = [];
    let stuck = -1;
    const stack: { op: number; state: State }[] = [];
    let at = this.next[HEAD];
    for (let steps = 0; this.answered > 0; steps++) {
      if (steps > this.maxSteps) return { kind: 'undecided', steps };
      const op = (at - 1) >> 1;
      if (at % 2 === 1) {
        const after = this.tryNext(op, state);
        if (after === null) {
          at = this.next[at];
          continue;
        }
        stack.push({ op, state });
        state = after.state;
        this.take(op);
        at = this.next[HEAD];
      } else {
        if (stuck < 0 || stack.length > longest.length) {
          longest = stack.map((one) => one.op);
          stuck = op;
        }
        const last = stack.pop();
        if (last === undefined) {
          return { kind: 'violation', explained: longest.map((one) => this.ops[one]), stuck: this.ops[stuck] };
        }
        state = last.state;
        this.putBack(last.op);
        at = this.next[2 * last.op + 1];
      }
    }
    return { kind: 'linearizable' };
  }

  /** The state after `op`, or null where it does not fit here or was tried from here. */
  private tryNext(op: number, state: State): { state: State } | null {
    if (this.before[op] >= 0 && this.linearized[this.before[op]] === 0) return null;
    const { input, output, returnMs } = this.ops[op];
    const result = this.model.apply(state, input);
    if (returnMs !== Infinity && !this.model.same(result.output, output as Output)) return null;
    const low = this.lowHash ^ this.zobrist[2 * op];
    const high = this.highHash ^ this.zobrist[2 * op + 1];
    const key = `${low},${high},${this.model.key(result.state)}`;
    if (this.tried.has(key)) return null;
    this.tried.add(key);
    return result;
  }

  private take(op: number): void {
    this.flip(op, 1);
    this.unlink(2 * op + 1);
    this.unlink(2 * op + 2);
  }

  private putBack(op: number): void {
    this.flip(op, 0);
    this.relink(2 * op + 2);
    this.relink(2 * op + 1);
  }

  private flip(op: number, done: 0 | 1): void {
    this.linearized[op] = done;
    this.lowHash ^= this.zobrist[2 * op];
    this.highHash ^= this.zobrist[2 * op + 1];
    if (this.ops[op].returnMs !== Infinity) this.answered += done === 1 ? -1 : 1;
  }

  private unlink(at: number): void {
    this.next[this.previous[at]] = this.next[at];
    this.previous[this.next[at]] = this.previous[at];
  }

  private relink(at: number): void {
    this.next[this.previous[at]] = at;
    this.previous[this.next[at]] = at;
  }

  private linkByTime(): void {
    const time = (at: number) => (at % 2 === 1 ? this.ops[(at - 1) >> 1].callMs : this.ops[(at - 1) >> 1].returnMs);
    const order = Array.from({ length: 2 * this.ops.length }, (_, i) => i + 1);
    // at the same time a call comes before a return: the operations may have overlapped
    const byTime = (a: number, b: number) => {
      const [left, right] = [time(a), time(b)];
      return left < right ? -1 : left > right ? 1 : (b % 2) - (a % 2) || a - b;
    };
    order.sort(byTime);
    let last = HEAD;
    for (const at of [...order, HEAD]) {
      this.next[last] = at;
      this.previous[at] = last;
      last = at;
    }
  }

  private linkByClient(): void {
    const latest = new Map<number, number>();
    const order = this.ops.map((_, i) => i).sort((a, b) => this.ops[a].callMs - this.ops[b].callMs || a - b);
    for (const op of order) {
      this.before[op] = latest.get(this.ops[op].client) ?? -1;
      latest.set(this.ops[op].client, op);
    }
  }
}

/** Words that only have to differ; always the same ones, so that a run can be repeated. */
function randomWords(count: number): Int32Array {
  const words = new Int32Array(count);
  let x = 0x2545f491;
  for (let i = 0; i < count; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    words[i] = Math.imul(x, 0x9e3779b1);
  }
  return words;
}
