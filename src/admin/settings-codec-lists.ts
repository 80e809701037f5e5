/** Codecs of the settings that take several words: save points, buffer limits, addresses, event classes and the like. */
import type { ParseContext, RewriteLine, SettingValue } from './settings-codec.ts';
import { Refusal, WordsCodec } from './settings-codec.ts';
import { memoryText, parseLooseInteger, parseMemory, quoteWord } from './settings-words.ts';

const WRONG_COUNT = 'wrong number of arguments';

function isEmptyList(words: string[]): boolean {
  return words.length === 0 || (words.length === 1 && words[0] === '');
}

/** "seconds changes" pairs. In a file each line adds its pairs, the first one replaces the default, and "" empties the list. */
export class SavePointsCodec extends WordsCodec {
  readonly accepts = 'pairs of seconds and changes, or ""';
  parse(words: string[], context: ParseContext): string | Refusal {
    if (isEmptyList(words)) return '';
    if (words.length % 2 !== 0) return new Refusal('Invalid save parameters');
    const numbers: string[] = [];
    for (let i = 0; i < words.length; i++) {
      const number = parseLooseInteger(words[i]);
      if (number === null || number < (i % 2 === 0 ? 1n : 0n)) return new Refusal('Invalid save parameters');
      numbers.push(number.toString());
    }
    const text = numbers.join(' ');
    const adds = context.starting && !context.first && context.previous !== '';
    return adds ? `${context.previous} ${text}` : text;
  }
  rewrite(value: SettingValue): RewriteLine[] {
    if (value === '') return [{ words: '""', force: true }];
    const words = (value as string).split(' ');
    const lines: RewriteLine[] = [];
    for (let i = 0; i < words.length; i += 2) lines.push({ words: `${words[i]} ${words[i + 1]}`, force: true });
    return lines;
  }
}

/** Classes of clients with an output buffer limit of their own, in the order of the mirror. */
const OUTPUT_CLASSES = ['normal', 'slave', 'pubsub'];
const OUTPUT_SYNONYMS: Record<string, string> = { replica: 'slave' };
/** Mirror of client-output-buffer-limit: for each class hard limit (bytes), soft limit (bytes), soft limit (seconds). */
export const OUTPUT_LIMIT_NUMBERS = 3;

/** "class hard soft seconds" quadruples; a class that is not named keeps its limits. */
export class OutputLimitsCodec extends WordsCodec {
  override readonly mirrorCount = OUTPUT_CLASSES.length * OUTPUT_LIMIT_NUMBERS;
  readonly accepts = '(normal | replica | pubsub) hard-limit soft-limit soft-seconds, once or several times';
  parse(words: string[], context: ParseContext): string | Refusal {
    if (words.length % 4 !== 0) return new Refusal('Wrong number of arguments in buffer limit configuration.');
    const limits = (context.previous as string).split(' ');
    for (let i = 0; i < words.length; i += 4) {
      const name = words[i].toLowerCase();
      const index = OUTPUT_CLASSES.indexOf(OUTPUT_SYNONYMS[name] ?? name);
      if (index < 0) return new Refusal('Invalid client class specified in buffer limit configuration.');
      const hard = parseMemory(words[i + 1]);
      const soft = parseMemory(words[i + 2]);
      const seconds = parseLooseInteger(words[i + 3]);
      if (hard === null || soft === null || seconds === null || BigInt.asIntN(32, seconds) < 0n) {
        return new Refusal('Error in hard, soft or soft_seconds setting in buffer limit configuration.');
      }
      limits.splice(index * 4 + 1, 3, hard.toString(), soft.toString(), BigInt.asIntN(32, seconds).toString());
    }
    return limits.join(' ');
  }
  rewrite(value: SettingValue, fallback: SettingValue): RewriteLine[] {
    const words = (value as string).split(' ');
    const usual = (fallback as string).split(' ');
    return OUTPUT_CLASSES.map((name, index) => {
      const [, hard, soft, seconds] = words.slice(index * 4, index * 4 + 4);
      const force = usual.slice(index * 4, index * 4 + 4).join(' ') !== `${name} ${hard} ${soft} ${seconds}`;
      const shown = name === 'slave' ? 'replica' : name;
      return { words: `${shown} ${memoryText(BigInt(hard))} ${memoryText(BigInt(soft))} ${seconds}`, force };
    });
  }
  override mirror(value: SettingValue, into: Float64Array, at: number): void {
    const words = (value as string).split(' ');
    for (let index = 0; index < OUTPUT_CLASSES.length; index++) {
      for (let i = 0; i < OUTPUT_LIMIT_NUMBERS; i++) {
        into[at + index * OUTPUT_LIMIT_NUMBERS + i] = Number(words[index * 4 + 1 + i]);
      }
    }
  }
}

/** Three integers, for the main process, replicas and background children. */
export class OomScoresCodec extends WordsCodec {
  override readonly mirrorCount = 3;
  readonly accepts = 'three integers -2000..2000';
  parse(words: string[]): string | Refusal {
    if (words.length !== 3) return new Refusal(WRONG_COUNT);
    const scores: string[] = [];
    for (const word of words) {
      const score = parseLooseInteger(word);
      if (score === null || score < -2000n || score > 2000n) {
        return new Refusal('Invalid oom-score-adj-values, elements must be between -2000 and 2000.');
      }
      scores.push(score.toString());
    }
    return scores.join(' ');
  }
  rewrite(value: SettingValue, fallback: SettingValue): RewriteLine[] {
    return [{ words: value as string, force: value !== fallback }];
  }
  override mirror(value: SettingValue, into: Float64Array, at: number): void {
    const words = (value as string).split(' ');
    for (let i = 0; i < 3; i++) into[at + i] = Number(words[i]);
  }
}

/** Bits of notify-keyspace-events as its mirror number holds them; the letters in the order in which they are shown. */
export const EVENT_BITS = {
  g: 1 << 0,
  $: 1 << 1,
  l: 1 << 2,
  s: 1 << 3,
  h: 1 << 4,
  z: 1 << 5,
  x: 1 << 6,
  e: 1 << 7,
  t: 1 << 8,
  d: 1 << 9,
  n: 1 << 10,
  K: 1 << 11,
  E: 1 << 12,
  m: 1 << 13,
} as const;
const ALL_EVENTS = (1 << 10) - 1;

function eventBits(classes: string): number {
  let bits = 0;
  for (const letter of classes) {
    if (letter === 'A') bits |= ALL_EVENTS;
    else if (letter in EVENT_BITS) bits |= EVENT_BITS[letter as keyof typeof EVENT_BITS];
    else return -1;
  }
  return bits;
}

/** Letters of event classes. The value is the normal form of the letters, the mirror their bits. */
export class EventClassesCodec extends WordsCodec {
  override readonly manyWords = false;
  override readonly mirrorCount = 1;
  readonly accepts = 'letters out of Ag$lshzxeKEtmdn, or ""';
  parse(words: string[]): string | Refusal {
    const bits = eventBits(words[0]);
    if (bits < 0) return new Refusal("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.");
    let text = '';
    for (const [letter, bit] of Object.entries(EVENT_BITS)) {
      const inAll = (bit & ALL_EVENTS) !== 0;
      if (inAll && (bits & ALL_EVENTS) === ALL_EVENTS) text = 'A';
      else if ((bits & bit) !== 0) text += letter;
    }
    return text;
  }
  /** Redis does not show `n` beside `A`; CONFIG REWRITE keeps it all the same. */
  override format(value: SettingValue): string {
    return (value as string).replace('An', 'A');
  }
  rewrite(value: SettingValue, fallback: SettingValue): RewriteLine[] {
    return [{ words: `"${value}"`, force: value !== fallback }];
  }
  override mirror(value: SettingValue, into: Float64Array, at: number): void {
    into[at] = eventBits(value as string);
  }
}

/** Up to 16 addresses; "" = none. A leading - makes an address that is not there no error. */
export class AddressesCodec extends WordsCodec {
  readonly accepts = 'up to 16 addresses (* = all IPv4, -::* = all IPv6 if there is any), or ""';
  parse(words: string[]): string | Refusal {
    if (words.length > 16) return new Refusal('Too many bind addresses specified.');
    return isEmptyList(words) ? '' : words.join(' ');
  }
  rewrite(value: SettingValue, fallback: SettingValue): RewriteLine[] {
    if (value === fallback) return [];
    return [{ words: value === '' ? '""' : (value as string), force: true }];
  }
}

/** "host port", or "no one". */
export class MasterCodec extends WordsCodec {
  readonly accepts = 'host port | no one';
  parse(words: string[]): string | Refusal {
    if (words.length !== 2) return new Refusal(WRONG_COUNT);
    if (words[0].toLowerCase() === 'no' && words[1].toLowerCase() === 'one') return '';
    const port = parseLooseInteger(words[1]);
    if (port === null || port < 0n || port > 65535n) return new Refusal('Invalid master port');
    return `${words[0]} ${port}`;
  }
  rewrite(value: SettingValue): RewriteLine[] {
    return value === '' ? [] : [{ words: value as string, force: true }];
  }
}

/** Any number of percentiles, shown with at most six decimals. */
export class PercentilesCodec extends WordsCodec {
  readonly accepts = 'numbers 0..100, or ""';
  parse(words: string[]): string | Refusal {
    if (isEmptyList(words)) return '';
    const shown: string[] = [];
    for (const word of words) {
      const percentile = /^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?$/i.test(word) ? Number(word) : Number.NaN;
      if (Number.isNaN(percentile)) return new Refusal('Invalid latency-tracking-info-percentiles parameters');
      if (percentile < 0 || percentile > 100) {
        return new Refusal('latency-tracking-info-percentiles parameters should sit between [0.0,100.0]');
      }
      shown.push(percentile.toFixed(6).replace(/\.?0+$/, ''));
    }
    return shown.join(' ');
  }
  rewrite(value: SettingValue): RewriteLine[] {
    return [{ words: value === '' ? '""' : (value as string), force: true }];
  }
}

const SYNC_POLICIES = ['everysec', 'always', 'no'];

/** "shard policy" pairs: fsync policies that differ from appendfsync. Lines add up in a file; "" empties the list. */
export class ShardPoliciesCodec extends WordsCodec {
  readonly accepts = `pairs of a shard's number and ${SYNC_POLICIES.join(' | ')}, or ""`;
  parse(words: string[], context: ParseContext): string | Refusal {
    if (isEmptyList(words)) return '';
    if (words.length % 2 !== 0) return new Refusal(WRONG_COUNT);
    const keep = context.starting && !context.first;
    const policies = shardPolicies(keep ? (context.previous as string) : '');
    for (let i = 0; i < words.length; i += 2) {
      const policy = words[i + 1].toLowerCase();
      if (!/^(0|[1-9][0-9]{0,3})$/.test(words[i])) return new Refusal("a shard's number must be between 0 and 9999");
      if (!SYNC_POLICIES.includes(policy)) {
        return new Refusal(`argument(s) must be one of the following: ${SYNC_POLICIES.join(', ')}`);
      }
      policies.set(Number(words[i]), policy);
    }
    return [...policies]
      .sort((a, b) => a[0] - b[0])
      .map(([shard, policy]) => `${shard} ${policy}`)
      .join(' ');
  }
  rewrite(value: SettingValue): RewriteLine[] {
    return [...shardPolicies(value as string)].map(([shard, policy]) => ({ words: `${shard} ${policy}`, force: true }));
  }
}

/** Value of shard-appendfsync as a map from shard number to policy word (everysec, always, no). */
export function shardPolicies(value: string): Map<number, string> {
  const policies = new Map<number, string>();
  if (value === '') return policies;
  const words = value.split(' ');
  for (let i = 0; i < words.length; i += 2) policies.set(Number(words[i]), words[i + 1]);
  return policies;
}

/** As much as the process has room for (RULES_TEXT_BYTES in src/shard/world.ts). */
const MOST_RULE_BYTES = 4092;
const RULE_POLICIES = ['none', 'everysec', 'always'];

/** Pairs of a key pattern (or `db:<number>`) and a policy, in order. In a file each line adds its pairs, behind those before it. */
export class DurabilityRulesCodec extends WordsCodec {
  readonly accepts = `pairs of a pattern or db:<number> and ${RULE_POLICIES.join(' | ')}, or ""`;
  parse(words: string[], context: ParseContext): string | Refusal {
    if (isEmptyList(words)) return '';
    if (words.length % 2 !== 0) return new Refusal(WRONG_COUNT);
    const rules = context.starting && !context.first && context.previous !== '' ? [context.previous as string] : [];
    for (let i = 0; i < words.length; i += 2) {
      const policy = words[i + 1].toLowerCase();
      if (words[i] === '' || /\s/.test(words[i]))
        return new Refusal('a pattern must not have blanks: write ? for them');
      if (!RULE_POLICIES.includes(policy))
        return new Refusal(`argument(s) must be one of the following: ${RULE_POLICIES.join(', ')}`);
      rules.push(`${words[i]} ${policy}`);
    }
    const text = rules.join(' ');
    return text.length <= MOST_RULE_BYTES ? text : new Refusal(`the rules are longer than ${MOST_RULE_BYTES} bytes`);
  }
  rewrite(value: SettingValue): RewriteLine[] {
    const words = value === '' ? [] : (value as string).split(' ');
    const lines: RewriteLine[] = [];
    for (let i = 0; i < words.length; i += 2)
      lines.push({ words: `${quoteWord(words[i])} ${words[i + 1]}`, force: true });
    return lines;
  }
}
