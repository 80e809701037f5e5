/** Encodes values as servers before Redis 7 did: ziplists and zipmaps (src/datatypes/ziplist.ts says how they look). */

const END = 0xff;
const LONG = 0xfe;

type Element = string | number;

/** Strings as strings, numbers in the shortest of the integer forms. */
function encoded(element: Element): Buffer {
  if (typeof element === 'number') return integerOf(element);
  const bytes = Buffer.from(element, 'latin1');
  const { length } = bytes;
  if (length < 64) return Buffer.concat([Buffer.from([length]), bytes]);
  if (length < 1 << 14) return Buffer.concat([Buffer.from([0x40 | (length >> 8), length & 0xff]), bytes]);
  const head = Buffer.from([0x80, 0, 0, 0, 0]);
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, bytes]);
}

function integerOf(value: number): Buffer {
  if (value >= 0 && value <= 12) return Buffer.from([0xf1 + value]);
  const bytes = [1, 2, 3, 4].find((size) => Math.abs(value + 0.5) < 2 ** (8 * size - 1)) ?? 8;
  const out = Buffer.alloc(1 + bytes);
  out[0] = { 1: 0xfe, 2: 0xc0, 3: 0xf0, 4: 0xd0, 8: 0xe0 }[bytes]!;
  if (bytes === 8) out.writeBigInt64LE(BigInt(value), 1);
  else out.writeIntLE(value, 1, bytes);
  return out;
}

export function ziplistOf(elements: readonly Element[]): Buffer {
  const parts: Buffer[] = [];
  let before = 0;
  let last = 10;
  let bytes = 10;
  for (const element of elements) {
    const head = before < LONG ? Buffer.from([before]) : Buffer.from([LONG, 0, 0, 0, 0]);
    if (before >= LONG) head.writeUInt32LE(before, 1);
    const part = Buffer.concat([head, encoded(element)]);
    parts.push(part);
    before = part.length;
    last = bytes;
    bytes += before;
  }
  const header = Buffer.alloc(10);
  header.writeUInt32LE(bytes + 1, 0);
  header.writeUInt32LE(last, 4);
  header.writeUInt16LE(Math.min(elements.length, 0xffff), 8);
  return Buffer.concat([header, ...parts, Buffer.from([END])]);
}

/** `texts`: field, value, field, value …; `spare` unused bytes stand behind each value. */
export function zipmapOf(texts: readonly string[], spare = 0): Buffer {
  const parts: Buffer[] = [Buffer.from([Math.min(texts.length >> 1, LONG)])];
  texts.forEach((text, i) => {
    const { length } = text;
    const head = length < LONG ? Buffer.from([length]) : Buffer.from([LONG, 0, 0, 0, 0]);
    if (length >= LONG) head.writeUInt32LE(length, 1);
    parts.push(head);
    if (i % 2 === 1) parts.push(Buffer.from([spare]));
    parts.push(Buffer.from(text, 'latin1'));
    if (i % 2 === 1) parts.push(Buffer.alloc(spare));
  });
  return Buffer.concat([...parts, Buffer.from([END])]);
}
