/** Latches and the turn, several threads' objects driven from one thread: each step against a model. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DOORBELL_WORDS, Doorbell } from '../../native-free-shm/doorbell.ts';
import {
  acquireAllOrBusy,
  enqueueAll,
  LATCH_WORDS,
  Latch,
  MAX_THREAD,
  releaseAll,
  tryAcquireAll,
} from '../../native-free-shm/latch.ts';
import { TURN_WORDS, Turn } from '../../native-free-shm/turn.ts';

const words = (n: number): Int32Array => new Int32Array(new SharedArrayBuffer(n * 4));

/** `numbers` are the thread numbers that take part; latches[t][l] is thread t's object of latch l. */
class Fleet {
  readonly latchWords: Int32Array;
  readonly doorbells: Doorbell[] = [];
  readonly latches: Latch[][];
  readonly turns: Turn[];

  constructor(numbers: number[], latchCount: number) {
    this.latchWords = words(latchCount * LATCH_WORDS);
    const bells = words((MAX_THREAD + 1) * DOORBELL_WORDS);
    for (let t = 0; t <= MAX_THREAD; t++) this.doorbells.push(new Doorbell(bells, t * DOORBELL_WORDS));
    const turnWords = words(TURN_WORDS);
    // Tickets about to wrap
    turnWords[0] = turnWords[1] = 0x7ffffffd;
    this.latches = numbers.map((me) =>
      Array.from({ length: latchCount }, (_, l) => new Latch(this.latchWords, l * LATCH_WORDS, me, this.doorbells)),
    );
    this.turns = numbers.map((me) => new Turn(turnWords, 0, me, this.doorbells));
  }
}

describe('one latch', () => {
  test('is taken once, released by its holder only, and knows who holds it', () => {
    const fleet = new Fleet([1, 63], 1);
    const [a] = fleet.latches[0];
    const [b] = fleet.latches[1];
    expect(a.tryAcquire()).toBe(true);
    expect([a.held(), b.held(), b.holder()]).toEqual([true, false, 1]);
    expect(b.tryAcquire()).toBe(false);
    expect(b.acquireSpin(50)).toBe(false);
    expect(b.collisions).toBe(2);
    expect(() => b.release()).toThrow(/held by 1/);
  });

  test('a latch taken twice by one thread is a fault that is thrown', () => {
    const [a] = new Fleet([5], 1).latches[0];
    expect(a.tryAcquire()).toBe(true);
    expect(() => a.acquireSpin(10)).toThrow(/already holds/);
    expect(() => a.enqueue()).toThrow(/already holds/);
    expect(() => new Fleet([5], 1).latches[0][0].release()).toThrow(/held by 0/);
  });

  test('release rings everybody who is enqueued, in both words of the waiting set', () => {
    const numbers = [1, 2, 31, 32, 33, 63];
    const fleet = new Fleet(numbers, 1);
    expect(fleet.latches[0][0].tryAcquire()).toBe(true);
    for (let t = 1; t < numbers.length; t++) expect(fleet.latches[t][0].enqueue()).toBe(false);
    for (const n of numbers) expect(fleet.doorbells[n].waitSync(0)).toBe(false);
    fleet.latches[0][0].release();
    for (const n of numbers) expect(fleet.doorbells[n].waitSync(0)).toBe(n !== 1);
    expect(fleet.latches[1][0].enqueue()).toBe(true);
  });
});

interface Step {
  do: 'try' | 'enqueue' | 'release' | 'bell' | 'request' | 'want' | 'end';
  t: number;
  l: number;
}

/** What must hold between threads, latches and the turn after every step. */
class Model {
  readonly numbers = [3, 31, 32, 60];
  readonly latchCount = 3;
  readonly fleet = new Fleet(this.numbers, this.latchCount);
  /** Position of the holder in `numbers`, -1 = free. */
  readonly holder = [-1, -1, -1];
  readonly wantedBy = [-1, -1, -1];
  /** debts[t][l]: enqueue returned false and no ring was seen since. */
  readonly debts = this.numbers.map(() => [false, false, false]);
  readonly turnDebts = this.numbers.map(() => false);
  readonly line: number[] = [];

  mayTake(t: number, l: number): boolean {
    return this.holder[l] === -1 && (this.wantedBy[l] === -1 || this.wantedBy[l] === t);
  }

  hasRung(t: number): boolean {
    // waitSync(0) takes the ring, as the owner would
    if (!this.fleet.doorbells[this.numbers[t]].waitSync(0)) return false;
    this.debts[t].fill(false);
    this.turnDebts[t] = false;
    return true;
  }

  run(step: Step): void {
    const { t, l } = step;
    const latch = this.fleet.latches[t][l];
    const turn = this.fleet.turns[t];
    if (step.do === 'try') {
      const may = this.mayTake(t, l);
      expect(latch.tryAcquire()).toBe(may);
      if (may) this.holder[l] = t;
    } else if (step.do === 'enqueue' && this.holder[l] !== t) {
      const may = this.mayTake(t, l);
      expect(latch.enqueue()).toBe(may);
      if (may) this.holder[l] = t;
      else this.debts[t][l] = true;
    } else if (step.do === 'release' && this.holder[l] === t) {
      latch.release();
      this.holder[l] = -1;
    } else if (step.do === 'bell') this.hasRung(t);
    else if (step.do === 'request') {
      if (!this.line.includes(t)) this.line.push(t);
      const first = this.line[0] === t;
      expect(turn.request()).toBe(first);
      this.turnDebts[t] = !first;
    } else if (step.do === 'want' && this.line[0] === t) {
      turn.want(this.fleet.latches[t].slice(l), this.latchCount - l);
      for (let i = l; i < this.latchCount; i++) this.wantedBy[i] = t;
    } else if (step.do === 'end' && this.line[0] === t) {
      turn.end();
      this.line.shift();
      this.wantedBy.fill(-1);
    }
    this.check();
  }

  /** Who could go on has been rung. */
  check(): void {
    for (let t = 0; t < this.numbers.length; t++) {
      const owed =
        this.debts[t].some((debt, l) => debt && this.mayTake(t, l)) || (this.turnDebts[t] && this.line[0] === t);
      if (owed) expect(this.hasRung(t), `thread ${this.numbers[t]} could go on and was not rung`).toBe(true);
    }
    for (let l = 0; l < this.latchCount; l++) {
      const holder = this.holder[l];
      expect(this.fleet.latches[0][l].holder()).toBe(holder === -1 ? 0 : this.numbers[holder]);
    }
  }
}

describe('latches and the turn against a model', () => {
  test('exclusive, giving way to the turn, and whoever was turned away is rung as soon as it could go on', () => {
    const step = fc.record({
      do: fc.constantFrom('try', 'enqueue', 'release', 'release', 'bell', 'request', 'want', 'end'),
      t: fc.nat(3),
      l: fc.nat(2),
    }) as fc.Arbitrary<Step>;
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const model = new Model();
        for (const each of steps) model.run(each);
        // Everybody lets go: nobody may stay behind unrung
        for (let t = 0; t < 4; t++) for (let l = 0; l < 3; l++) model.run({ do: 'release', t, l });
        while (model.line.length > 0) {
          const [t] = model.line;
          model.run({ do: 'request', t, l: 0 });
          model.run({ do: 'end', t, l: 0 });
        }
        expect(model.debts.flat()).not.toContain(true);
      }),
      { numRuns: 1500 },
    );
  });
});

describe('several latches', () => {
  test('all or nothing, and the busy one is named', () => {
    const fleet = new Fleet([1, 2], 4);
    const [mine, others] = fleet.latches;
    expect(others[2].tryAcquire()).toBe(true);
    expect(acquireAllOrBusy(mine, 4, 0)).toBe(2);
    expect(tryAcquireAll(mine, 3)).toBe(false);
    expect(mine.map((latch) => latch.holder())).toEqual([0, 0, 2, 0]);
    expect(tryAcquireAll(mine, 2)).toBe(true);
    releaseAll(mine, 2);
    others[2].release();
    expect(acquireAllOrBusy(mine, 4, 0)).toBe(-1);
    releaseAll(mine, 4);
    expect(mine.map((latch) => latch.holder())).toEqual([0, 0, 0, 0]);
    expect(tryAcquireAll(mine, 0)).toBe(true);
  });

  test('enqueueAll holds nothing while it waits, and is rung by the release of the busy one', () => {
    const fleet = new Fleet([1, 2], 4);
    const [mine, others] = fleet.latches;
    expect(others[1].tryAcquire()).toBe(true);
    expect(enqueueAll(mine, 4, fleet.doorbells[1])).toBe(false);
    expect(mine.map((latch) => latch.holder())).toEqual([0, 2, 0, 0]);
    expect(fleet.doorbells[1].waitSync(0)).toBe(false);
    others[1].release();
    expect(fleet.doorbells[1].waitSync(0)).toBe(true);
    expect(enqueueAll(mine, 4, fleet.doorbells[1])).toBe(true);
  });

  test('enqueueAll rings its own bell when a latch comes free after every failure and is taken again before the next attempt', () => {
    class Fickle extends Latch {
      override acquireSpin(): boolean {
        return false;
      }
    }
    const fleet = new Fleet([1], 1);
    const fickle = new Fickle(fleet.latchWords, 0, 1, fleet.doorbells);
    expect(enqueueAll([fickle], 1, fleet.doorbells[1])).toBe(false);
    expect(fickle.holder()).toBe(0);
    expect(fleet.doorbells[1].waitSync(0)).toBe(true);
  });
});

describe('the turn', () => {
  test('newcomers give way, the holder passes, and its release rings who gave way', () => {
    const fleet = new Fleet([1, 2, 3], 2);
    const [a, b, c] = fleet.latches;
    const [turn] = fleet.turns;
    expect(b[1].tryAcquire()).toBe(true);
    expect(turn.request()).toBe(true);
    turn.want(a, 2);
    turn.want(a, 2);
    expect(c[0].wantedByOther()).toBe(true);
    expect(a[0].wantedByOther()).toBe(false);
    expect(c[0].tryAcquire()).toBe(false);
    expect(c[0].acquireSpin(20)).toBe(false);
    expect(c[0].enqueue()).toBe(false);
    expect(enqueueAll(a, 2, fleet.doorbells[1])).toBe(false);
    b[1].release();
    expect(fleet.doorbells[1].waitSync(0)).toBe(true);
    expect(enqueueAll(a, 2, fleet.doorbells[1])).toBe(true);
    turn.end();
    expect(fleet.doorbells[3].waitSync(0)).toBe(false);
    releaseAll(a, 2);
    expect(fleet.doorbells[3].waitSync(0)).toBe(true);
    expect(c[0].tryAcquire()).toBe(true);
  });

  test('a holder that gives up rings who gave way', () => {
    const fleet = new Fleet([1, 2], 1);
    expect(fleet.turns[0].request()).toBe(true);
    fleet.turns[0].want(fleet.latches[0], 1);
    expect(fleet.latches[1][0].enqueue()).toBe(false);
    fleet.turns[0].end();
    expect(fleet.doorbells[2].waitSync(0)).toBe(true);
    expect(fleet.latches[1][0].tryAcquire()).toBe(true);
  });

  test('is served in the order of the requests', () => {
    const numbers = Array.from({ length: MAX_THREAD }, (_, i) => i + 1);
    const fleet = new Fleet(numbers, 1);
    for (const turn of fleet.turns) turn.request();
    for (let round = 0; round < 3; round++) {
      for (const [i, turn] of fleet.turns.entries()) {
        for (const other of fleet.turns) expect(other.mine()).toBe(other === turn);
        expect(fleet.turns[(i + 1) % MAX_THREAD].requested()).toBe(true);
        turn.end();
        expect(turn.requested()).toBe(false);
        expect(fleet.doorbells[numbers[(i + 1) % MAX_THREAD]].waitSync(0)).toBe(true);
        expect(turn.request()).toBe(false);
      }
    }
  });

  test('is not used without having it', () => {
    const fleet = new Fleet([1, 2], 1);
    expect(() => fleet.turns[0].end()).toThrow(/does not have/);
    expect(() => fleet.turns[0].want(fleet.latches[0], 1)).toThrow(/without the turn/);
    fleet.turns[0].request();
    fleet.turns[1].request();
    expect(() => fleet.turns[1].end()).toThrow(/does not have/);
  });
});
