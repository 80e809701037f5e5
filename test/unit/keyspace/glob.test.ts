import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { globMatch } from '../../../src/keyspace/glob.ts';

function matches(pattern: string, text: string, nocase = false): boolean {
  const p = Buffer.from(`<<${pattern}>`, 'latin1');
  const t = Buffer.from(`(${text}))`, 'latin1');
  return globMatch(p, 2, p.length - 1, t, 1, t.length - 2, nocase);
}

/** The plain model: the same language, written as a set of pattern positions that is advanced by each byte. */
function model(pattern: string, text: string, nocase: boolean): boolean {
  if (text === '') return pattern === '' || pattern === '*';
  const fold = (ch: string): string => (nocase ? ch.toLowerCase() : ch);
  type Token = { star: boolean; takes: (ch: string) => boolean };
  const tokens: Token[] = [];
  for (let i = 0; i < pattern.length; ) {
    const ch = pattern[i];
    if (ch === '*') {
      tokens.push({ star: true, takes: () => true });
      i++;
    } else if (ch === '?') {
      tokens.push({ star: false, takes: () => true });
      i++;
    } else if (ch === '[') {
      const negated = pattern[i + 1] === '^';
      const members: ((ch: string) => boolean)[] = [];
      i += negated ? 2 : 1;
      while (i < pattern.length && pattern[i] !== ']') {
        const first = pattern[i];
        const left = pattern.length - i;
        if (first === '\\' && left >= 2) {
          const escaped = pattern[i + 1];
          members.push((c) => c === escaped);
          i += 2;
        } else if (left >= 3 && pattern[i + 1] === '-') {
          const [from, to] = [first, pattern[i + 2]].sort();
          members.push((c) => fold(c) >= fold(from) && fold(c) <= fold(to));
          i += 3;
        } else {
          members.push((c) => fold(c) === fold(first));
          i++;
        }
      }
      i++;
      tokens.push({ star: false, takes: (c) => members.some((member) => member(c)) !== negated });
    } else {
      const literal = ch === '\\' && i + 1 < pattern.length ? pattern[++i] : ch;
      tokens.push({ star: false, takes: (c) => fold(c) === fold(literal) });
      i++;
    }
  }
  const closure = (set: Set<number>): Set<number> => {
    for (let i = 0; i < tokens.length; i++) if (set.has(i) && tokens[i].star) set.add(i + 1);
    return set;
  };
  let states = closure(new Set([0]));
  for (const ch of text) {
    const next = new Set<number>();
    for (const state of states) {
      if (state === tokens.length || !tokens[state].takes(ch)) continue;
      next.add(tokens[state].star ? state : state + 1);
    }
    states = closure(next);
  }
  return states.has(tokens.length);
}

describe('globMatch', () => {
  test.each([
    ['', '', true],
    ['*', '', true],
    ['**', '', false],
    ['', 'a', false],
    ['?', '', false],
    ['h?llo', 'hello', true],
    ['h*llo', 'hllo', true],
    ['h*llo', 'heeeello', true],
    ['h[ae]llo', 'hillo', false],
    ['h[^e]llo', 'hello', false],
    ['h[^e]llo', 'hbllo', true],
    ['h[a-c]llo', 'hbllo', true],
    ['h[c-a]llo', 'hbllo', true],
    ['\\*', '*', true],
    ['\\*', 'a', false],
    ['a\\', 'a\\', true],
    ['[', '[', false],
    ['[a', 'a', true],
    ['[^', 'x', true],
    ['[]', 'x', false],
    ['[a-]', 'b', false],
    ['[\\]]', ']', true],
    ['*[bc]', 'abc', true],
    ['a*b*c', 'axbxc', true],
    ['a*b*c', 'axbx', false],
    ['*a', 'aaa', true],
  ])('%j and %j: %j', (pattern, text, expected) => {
    expect(matches(pattern, text)).toBe(expected);
  });

  test('ignores the case of ASCII letters only when asked to', () => {
    expect(matches('HELLO', 'hello')).toBe(false);
    expect(matches('HELLO', 'hello', true)).toBe(true);
    expect(matches('h[A-C]x', 'HbX', true)).toBe(true);
    expect(matches('\xc4', '\xe4', true)).toBe(false);
  });

  test('equals the model', () => {
    const pattern = fc.array(fc.constantFrom('*', '?', '[', ']', '^', '-', '\\', 'a', 'b', 'B', 'c'), {
      maxLength: 10,
    });
    const text = fc.array(fc.constantFrom('a', 'b', 'A', 'c', '*', '[', ']', '\\', '-', '^'), { maxLength: 8 });
    fc.assert(
      fc.property(pattern, text, fc.boolean(), (p, t, nocase) => {
        expect(matches(p.join(''), t.join(''), nocase)).toBe(model(p.join(''), t.join(''), nocase));
      }),
      { numRuns: 20_000 },
    );
  });

  test('a hostile pattern takes no more steps than pattern × text', () => {
    const pattern = 'a*'.repeat(200) + 'b';
    const text = 'a'.repeat(20_000);
    const started = performance.now();
    expect(matches(pattern, text)).toBe(false);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});
