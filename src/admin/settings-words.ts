/**
 * Words of a configuration line: splitting with quotes, quoting back, numbers and memory sizes as redis.conf writes them.
 * Strings here are byte strings (latin1: one character per byte), so that a value keeps any byte it was given.
 */

const SIMPLE_ESCAPES: Record<string, string> = { n: '\n', r: '\r', t: '\t', b: '\b', a: '\x07' };

function isSpace(ch: string): boolean {
  return ch === ' ' || (ch >= '\t' && ch <= '\r');
}

/** The text with blanks, tabs and line ends cut off at both sides. */
export function trimLine(line: string): string {
  let start = 0;
  let end = line.length;
  while (start < end && ' \t\r\n'.includes(line[start])) start++;
  while (end > start && ' \t\r\n'.includes(line[end - 1])) end--;
  return line.slice(start, end);
}

/**
 * Splits a line into words: blanks separate, "…" knows \n \r \t \b \a \xHH and \", '…' knows \'. A closing quote must be
 * followed by a blank or the end. Answers null when the quotes do not balance.
 */
export function splitWords(line: string): string[] | null {
  const words: string[] = [];
  let i = 0;
  for (;;) {
    while (i < line.length && isSpace(line[i])) i++;
    if (i >= line.length) return words;
    let word = '';
    let quote = '';
    for (;;) {
      if (i >= line.length) {
        if (quote !== '') return null;
        break;
      }
      const ch = line[i];
      if (quote === '') {
        if (ch === ' ' || ch === '\n' || ch === '\r' || ch === '\t' || ch === '\0') break;
        if (ch === '"' || ch === "'") quote = ch;
        else word += ch;
        i++;
      } else if (ch === quote) {
        if (i + 1 < line.length && !isSpace(line[i + 1])) return null;
        i++;
        break;
      } else if (ch === '\\' && i + 1 < line.length && quote === '"') {
        const hex = line.slice(i + 2, i + 4);
        if (line[i + 1] === 'x' && /^[0-9a-fA-F]{2}$/.test(hex)) {
          word += String.fromCharCode(Number.parseInt(hex, 16));
          i += 4;
        } else {
          word += SIMPLE_ESCAPES[line[i + 1]] ?? line[i + 1];
          i += 2;
        }
      } else if (ch === '\\' && quote === "'" && line[i + 1] === "'") {
        word += "'";
        i += 2;
      } else {
        word += ch;
        i++;
      }
    }
    words.push(word);
  }
}

/** The word in double quotes, every byte outside printable ASCII escaped, so that splitWords gives it back. */
export function quoteWord(word: string): string {
  let out = '"';
  for (const ch of word) {
    const code = ch.charCodeAt(0);
    if (ch === '"' || ch === '\\') out += `\\${ch}`;
    else if (ch === '\n') out += '\\n';
    else if (ch === '\r') out += '\\r';
    else if (ch === '\t') out += '\\t';
    else if (ch === '\x07') out += '\\a';
    else if (ch === '\b') out += '\\b';
    else if (code >= 0x20 && code < 0x7f) out += ch;
    else out += `\\x${code.toString(16).padStart(2, '0')}`;
  }
  return `${out}"`;
}

/** Byte string of a text that came as UTF-16 (command line, JavaScript literals). */
export function toByteString(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** Text of a byte string that holds UTF-8, for instance a path that is handed to the file system. */
export function fromByteString(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;
const UINT64_MAX = 2n ** 64n - 1n;

/** A signed 64-bit integer in its only spelling (no sign +, no blanks, no leading zeros), else null. */
export function parseStrictInteger(word: string): bigint | null {
  if (!/^(0|-?[1-9][0-9]{0,18})$/.test(word)) return null;
  const value = BigInt(word);
  return value >= INT64_MIN && value <= INT64_MAX ? value : null;
}

/**
 * An integer as C's strtoll reads it (leading blanks, a sign, leading zeros are fine; the empty word is 0; out of range
 * saturates); null when something follows the digits.
 */
export function parseLooseInteger(word: string, base: 8 | 10 = 10): bigint | null {
  const parts = /^[ \t-\r]*([+-]?)([0-9]+)$/.exec(word);
  if (parts === null) return word === '' ? 0n : null;
  let value = 0n;
  for (const digit of parts[2]) {
    if (base === 8 && digit > '7') return null;
    value = value * BigInt(base) + BigInt(digit);
  }
  if (parts[1] === '-') value = -value;
  return value < INT64_MIN ? INT64_MIN : value > INT64_MAX ? INT64_MAX : value;
}

const MEMORY_UNITS: Record<string, bigint> = {
  '': 1n,
  b: 1n,
  k: 1000n,
  kb: 1n << 10n,
  m: 1000n ** 2n,
  mb: 1n << 20n,
  g: 1000n ** 3n,
  gb: 1n << 30n,
};

/**
 * A memory size ("1gb", "64mb", "100k", "123"; case does not matter) in bytes; null if it is none. As in Redis, digits beyond
 * 64 bits stand for the greatest number, and what the unit carries beyond 64 bits is dropped.
 */
export function parseMemory(word: string): bigint | null {
  const parts = /^([0-9]*)([a-zA-Z]*)$/.exec(word);
  if (parts === null) return null;
  const unit = MEMORY_UNITS[parts[2].toLowerCase()];
  if (unit === undefined) return null;
  const digits = parts[1] === '' ? 0n : BigInt(parts[1]);
  return BigInt.asUintN(64, (digits > UINT64_MAX ? UINT64_MAX : digits) * unit);
}

/** A size in the shortest exact spelling that redis.conf knows: 64mb, 3gb, 1000. */
export function memoryText(bytes: bigint): string {
  for (const unit of ['gb', 'mb', 'kb']) {
    const size = MEMORY_UNITS[unit];
    if (bytes !== 0n && bytes % size === 0n) return `${bytes / size}${unit}`;
  }
  return bytes.toString();
}
