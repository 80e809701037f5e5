/**
 * The request protocol once more, as plainly as can be: one pass over all the bytes as a string, starting at the first
 * byte of a frame every time. The reader is compared with it.
 */

export interface ModelLimits {
  authenticated: boolean;
  maxBulkBytes: number;
}

/** A command (its words; none for an empty one), an error, or 'more' = the frame is not complete. */
export type ModelStep = { words: string[]; canonical: boolean; end: number } | { error: string } | 'more';

const MAX_LINE = 65536;

export function modelStep(input: string, limits: ModelLimits): ModelStep {
  if (input === '') return 'more';
  return input[0] === '*' ? multibulk(input, limits) : inline(input);
}

/** Index of `mark`, as strchr finds it (a NUL ends the string); 'more' or an error when it is not there. */
function find(input: string, from: number, mark: string, tooBig: string): number | { error: string } | 'more' {
  const nul = input.indexOf('\0', from);
  const at = input.indexOf(mark, from);
  if (at >= 0 && (nul < 0 || at < nul) && at - from <= MAX_LINE) return at;
  return input.length - from > MAX_LINE ? { error: tooBig } : 'more';
}

function number(text: string): bigint | null {
  if (!/^(0|-?[1-9][0-9]{0,18})$/.test(text)) return null;
  const n = BigInt(text);
  return n === BigInt.asIntN(64, n) ? n : null;
}

function multibulk(input: string, limits: ModelLimits): ModelStep {
  const line = find(input, 0, '\r', 'Protocol error: too big mbulk count string');
  if (typeof line !== 'number') return line;
  if (input.length < line + 2) return 'more';
  const count = number(input.slice(1, line));
  if (count === null || count > 0x7fffffffn) return { error: 'Protocol error: invalid multibulk length' };
  if (count > 10n && !limits.authenticated) return { error: 'Protocol error: unauthenticated multibulk length' };
  let canonical = input[line + 1] === '\n';
  let at = line + 2;
  const words: string[] = [];
  while (words.length < count) {
    const end = find(input, at, '\r', 'Protocol error: too big bulk count string');
    if (typeof end !== 'number') return end;
    if (input.length < end + 2) return 'more';
    if (input[at] !== '$') return { error: `Protocol error: expected '$', got '${input[at]}'` };
    const length = number(input.slice(at + 1, end));
    if (length === null || length < 0n || length > BigInt(limits.maxBulkBytes)) {
      return { error: 'Protocol error: invalid bulk length' };
    }
    if (length > 16384n && !limits.authenticated) return { error: 'Protocol error: unauthenticated bulk length' };
    if (input[end + 1] !== '\n') canonical = false;
    const start = end + 2;
    at = start + Number(length) + 2;
    if (input.length < at) return 'more';
    words.push(input.slice(start, at - 2));
    if (input.slice(at - 2, at) !== '\r\n') canonical = false;
  }
  return { words, canonical, end: at };
}

function inline(input: string): ModelStep {
  const line = find(input, 0, '\n', 'Protocol error: too big inline request');
  if (typeof line !== 'number') return line;
  const stop = line > 0 && input[line - 1] === '\r' ? line - 1 : line;
  const words = splitWords(input.slice(0, stop));
  if (words === null) return { error: 'Protocol error: unbalanced quotes in request' };
  return { words, canonical: false, end: line + 1 };
}

const BLANKS = /^[ \t\n\v\f\r]+/;
const PIECE = {
  bare: /^[^ \t\n\r"']+/,
  double: /^"((?:\\x[\da-fA-F]{2}|\\[\s\S]|[^"\\])*)"(?=[ \t\n\v\f\r]|$)/,
  single: /^'((?:\\'|\\(?!')|[^'\\])*)'(?=[ \t\n\v\f\r]|$)/,
};
const ESCAPES: Record<string, string> = { n: '\n', r: '\r', t: '\t', b: '\b', a: '\x07' };

export function splitWords(line: string): string[] | null {
  const words: string[] = [];
  for (let rest = line.replace(BLANKS, ''); rest !== ''; rest = rest.replace(BLANKS, '')) {
    const bare = PIECE.bare.exec(rest)?.[0] ?? '';
    rest = rest.slice(bare.length);
    let quoted = '';
    if (rest[0] === '"' || rest[0] === "'") {
      const match = (rest[0] === '"' ? PIECE.double : PIECE.single).exec(rest);
      if (match === null) return null;
      quoted = rest[0] === '"' ? unescapeDouble(match[1]) : match[1].replaceAll("\\'", "'");
      rest = rest.slice(match[0].length);
    }
    words.push(bare + quoted);
  }
  return words;
}

function unescapeDouble(text: string): string {
  return text.replace(/\\x([\da-fA-F]{2})|\\([\s\S])/g, (_, hex: string | undefined, char: string) =>
    hex === undefined ? (ESCAPES[char] ?? char) : String.fromCharCode(Number.parseInt(hex, 16)),
  );
}
