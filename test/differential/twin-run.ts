/** Plays one run of steps on two servers, the oracle and the server under test, and compares every reply and every key event. */
import { decodeReply, type Reply, ReplyError } from '../server/reply-reader.ts';
import type { RespClient } from '../server/resp-client.ts';
import type { ServerProcess } from '../server/server-process.ts';
import { waitForClock } from '../server/wait-until.ts';
import { KEYS, type Words } from './arbitrary-parts.ts';
import type { Step } from './command-arbitraries.ts';
import { repliesAgree } from './reply-agreement.ts';
import { type Mode, Side } from './twin-side.ts';

/** Lua's numbers are doubles: of a longer integer a script keeps the first digits, and 2^63 becomes what the processor makes of it. */
const LARGEST_EXACT = 2 ** 53;
/** A time that has passed removes the key at once; stock tells of the change first. */
const TIMES = /^(ex|px)(at)?$/i;

function isRounded(reply: Buffer): boolean {
  return reply[0] === COLON && Math.abs(Number(reply.toString('latin1', 1))) >= LARGEST_EXACT;
}

/** Came with 7.2, and 7.0 refuses it before the transaction runs. */
function isRefusedByStock(words: Words): boolean {
  return words.length > 3 && /^z(rev)?rank$/i.test(words[0]);
}

/** DBSIZE counts keys whose time is over until somebody meets them: look at every key first. */
function settled(words: Words): Words[] {
  return words[0].toUpperCase() === 'DBSIZE' ? [['EXISTS', ...KEYS], words] : [words];
}

const COLON = 58;
const RESTORED = 'restored by the other server';

/** The payload in the reply to DUMP. */
function dumpOf(reply: Buffer): Buffer {
  return reply.subarray(reply.indexOf('\n') + 1, -2);
}

const SCAN_LIMIT = 10_000;

export class Twins {
  private readonly oracle: Side;
  private readonly tested: Side;
  private readonly mode: Mode;

  private constructor(oracle: Side, tested: Side, mode: Mode) {
    this.oracle = oracle;
    this.tested = tested;
    this.mode = mode;
  }

  static async connect(
    oracle: ServerProcess,
    tested: ServerProcess,
    clients: number,
    resp: 2 | 3,
    mode: Mode = 'plain',
  ): Promise<Twins> {
    const [left, right] = [
      await Side.connect(oracle, clients, resp, mode),
      await Side.connect(tested, clients, resp, mode),
    ];
    return new Twins(left, right, mode);
  }

  close(): void {
    for (const side of [this.oracle, this.tested]) side.close();
  }

  /** Plays the steps from an empty server; throws at the first reply that differs, and at differing contents at the end. */
  async play(steps: readonly Step[]): Promise<void> {
    await Promise.all([this.oracle.clear(), this.tested.clear()]);
    for (let i = 0; i < steps.length; ) {
      const step = steps[i];
      if (step.kind === 'command') {
        const burst: Words[] = [];
        for (let next = steps[i]; next?.kind === 'command' && next.client === step.client; next = steps[++i]) {
          burst.push(...settled(next.words));
        }
        await this.samePlay(step.client, burst);
      } else {
        if (step.kind === 'scan') await this.sameScan(step.client, step.words);
        else await this.lapse(step.client, step.words[0], step.lifeMs);
        i++;
      }
    }
    await this.sameContents(steps.length);
  }

  /** Commands in the mode of this run: the replies, and what is told of the keys. */
  private async samePlay(client: number, commands: readonly Words[]): Promise<void> {
    const { oracle, tested, mode } = this;
    const burst = mode === 'transaction' ? commands.filter((words) => !isRefusedByStock(words)) : commands;
    const [expected, actual] = await Promise.all([oracle.play(client, burst), tested.play(client, burst)]);
    burst.forEach((words, i) => {
      if (mode === 'script' && isRounded(expected[i]) && isRounded(actual[i])) return;
      if (!repliesAgree(words, expected[i], actual[i])) throw difference(words, expected[i], actual[i]);
    });
    const [theirs, ours] = await Promise.all([oracle.events(), tested.events()]);
    const isOpen = burst.some((words) => words.some((word) => TIMES.test(word)));
    if (isOpen || JSON.stringify(theirs) === JSON.stringify(ours)) return;
    throw new Error(`events of ${burst.map(show).join('; ')}\n  expected ${show(theirs)}\n  got      ${show(ours)}`);
  }

  private async sameReplies(client: number, burst: readonly Words[]): Promise<void> {
    const [expected, actual] = await Promise.all([
      this.oracle.clients[client].pipelineRaw(burst),
      this.tested.clients[client].pipelineRaw(burst),
    ]);
    burst.forEach((words, i) => {
      if (!repliesAgree(words, expected[i], actual[i])) throw difference(words, expected[i], actual[i]);
    });
  }

  /** Elements may come in any order and more than once; what counts is which ones. */
  private async sameScan(client: number, options: Words): Promise<void> {
    const [expected, actual] = await Promise.all([
      scanAll(this.oracle.clients[client], options),
      scanAll(this.tested.clients[client], options),
    ]);
    if (expected !== actual) throw new Error(`SCAN ${show(options)}\n  expected ${expected}\n  got      ${actual}`);
  }

  /** The reply of GET afterwards makes both servers notice the death, so that counts of keys agree again. */
  private async lapse(client: number, key: string, lifeMs: number): Promise<void> {
    await this.sameReplies(client, [['SET', key, 'short-lived', 'PX', String(lifeMs)]]);
    await waitForClock(Date.now() + lifeMs + 2);
    await this.sameReplies(client, [
      ['GET', key],
      ['EXISTS', key],
      ['PTTL', key],
    ]);
  }

  /** `turn` chooses the keys that are carried over: a third of them, for it takes long. */
  private async sameContents(turn: number): Promise<void> {
    let areSame = true;
    for (const database of ['0', '1', '2', '15']) {
      await this.sameReplies(0, [['SELECT', database], ...settled(['DBSIZE']), ['KEYS', '*']]);
      const keys = decodeReply(await this.oracle.clients[0].callRaw(['KEYS', '*'])) as string[];
      const looks = keys.flatMap((key) => [
        ['GET', key],
        ['LRANGE', key, '0', '-1'],
        ['ZRANGE', key, '0', '-1', 'WITHSCORES'],
        ['HGETALL', key],
        ['SMEMBERS', key],
        ['PTTL', key],
        ['OBJECT', 'ENCODING', key],
      ]);
      if (looks.length > 0) await this.sameReplies(0, looks);
      areSame = (await this.sameDigests(keys)) && areSame;
      await this.dumpedAndRestored(keys.filter((_, i) => i % 3 === turn % 3));
    }
    if (areSame) await this.sameReplies(0, [['DEBUG', 'DIGEST']]);
  }

  /** False: scores that both servers computed differ in their last digit, so that the digests may, too. */
  private async sameDigests(keys: readonly string[]): Promise<boolean> {
    let areSame = true;
    const asked = keys.map((key) => ['DEBUG', 'DIGEST-VALUE', key]);
    const [expected, actual] = await Promise.all(
      [this.oracle, this.tested].map((side) => side.clients[0].pipelineRaw(asked)),
    );
    for (const [i, key] of keys.entries()) {
      if (expected[i].equals(actual[i])) continue;
      if (!(await this.scoresDiffer(key))) throw difference(asked[i], expected[i], actual[i]);
      areSame = false;
    }
    return areSame;
  }

  /** What one server dumps the other one restores to the same value. */
  private async dumpedAndRestored(keys: readonly string[]): Promise<void> {
    const clients = [this.oracle, this.tested].map((side) => side.clients[0]);
    for (const [from, to] of [clients, clients.toReversed()]) {
      const payloads = (await from.pipelineRaw(keys.map((key) => ['DUMP', key]))).map(dumpOf);
      const own = await from.pipelineRaw(
        keys.flatMap((key) => [
          ['COPY', key, RESTORED],
          // only the fact of a deadline would count
          ['PERSIST', RESTORED],
          ['DEBUG', 'DIGEST-VALUE', RESTORED],
          ['DEL', RESTORED],
        ]),
      );
      const others = await to.pipelineRaw(
        payloads.flatMap((payload) => [
          ['RESTORE', RESTORED, '0', payload],
          ['DEBUG', 'DIGEST-VALUE', RESTORED],
          ['DEL', RESTORED],
        ]),
      );
      keys.forEach((key, i) => {
        const [restored, actual] = others.slice(i * 3);
        const expected = own[i * 4 + 2];
        const isFine = restored.toString() === '+OK\r\n' && expected.equals(actual);
        if (!isFine) throw difference(['DUMP', key, restored.toString()], expected, actual);
      });
    }
  }

  private async scoresDiffer(key: string): Promise<boolean> {
    const [expected, actual] = await Promise.all(
      [this.oracle, this.tested].map((side) => side.clients[0].call('ZRANGE', key, '0', '-1', 'WITHSCORES')),
    );
    if (!Array.isArray(expected) || !Array.isArray(actual)) return false;
    const [left, right] = [expected.flat(), actual.flat()];
    return left.some((word, i) => i % 2 === 1 && Number(word) !== Number(right[i]));
  }
}

/** The elements of a complete scan, sorted and each once; or the error that the first call gave. */
async function scanAll(client: RespClient, options: Words): Promise<string> {
  const seen = new Set<string>();
  let cursor = '0';
  for (let calls = 0; calls < SCAN_LIMIT; calls++) {
    const reply: Reply = await client.call('SCAN', cursor, ...options);
    if (reply instanceof ReplyError) return reply.message;
    const [next, elements] = reply as [string, string[]];
    for (const element of elements) seen.add(element);
    if (next === '0') return show([...seen].sort());
    cursor = next;
  }
  throw new Error('SCAN does not end');
}

function show(words: Words): string {
  return words.map((text) => JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}…` : text)).join(' ');
}

function difference(words: Words, expected: Buffer, actual: Buffer): Error {
  const text = (bytes: Buffer) => JSON.stringify(bytes.toString('latin1').slice(0, 400));
  return new Error(`${show(words)}\n  expected ${text(expected)}\n  got      ${text(actual)}`);
}
