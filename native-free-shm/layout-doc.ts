/**
 * Writes LAYOUT.md from the offset tables of this folder: `npx node native-free-shm/layout-doc.ts > LAYOUT.md`.
 * layout-doc.test.ts fails while the committed file is not what this prints.
 */
import { Arena, createArenaMemory } from './arena.ts';
import {
  CONTROL_F64_BYTE,
  CONTROL_FIELDS,
  COUNTER_FIELDS,
  FREE_BLOCK_FIELDS,
  type LayoutField,
  PAGE_FIELDS,
  PAGE_WORDS,
  SEGMENT_LEAD_BYTES,
  SLAB_BYTES,
} from './arena-layout.ts';
import { HEAP_ROOT_FIELDS } from './deadline-heap.ts';
import { HalfSipHash } from './half-siphash.ts';
import { BUCKET_FIELDS, HashTable, ROOT_FIELDS } from './hash-table.ts';
import { CLASS_BLOCKS, CLASS_BYTES, CLASS_COUNT, MAX_SMALL_BYTES } from './size-classes.ts';
import { TREE_ROOT_FIELDS } from './tree-nodes.ts';

/** Raise it when bytes in shared memory change their meaning. */
export const LAYOUT_VERSION = 1;

const KEY_BYTES = 16;
const ENTRY_HEADER_BYTES = 16;
const ENTRY_HEADER_BYTES_WITH_DEADLINE = 28;
const HEAP_NODE_BYTES = 12;
/** One whole level of the table: its index is largest in the middle of it. */
const LEVEL_START = 9 * 2 ** 14;

function table(unit: string, fields: readonly LayoutField[]): string {
  const rows = fields.map((field) => `| ${field.name === '' ? '' : field.at} | ${field.name} | ${field.text} |`);
  return [`| ${unit} | name | meaning |`, '|---|---|---|', ...rows].join('\n');
}

function sizeClassTable(): string {
  const rows: string[] = [];
  for (let from = 0; from < CLASS_COUNT; from += 8) {
    const sizes = Array.from(CLASS_BYTES.subarray(from, from + 8));
    const wasted = sizes.map((bytes, i) => SLAB_BYTES - bytes * CLASS_BLOCKS[from + i]);
    rows.push(`| ${sizes.join(' ')} | ${wasted.join(' ')} |`);
  }
  return ['| block sizes | bytes of a slab left over |', '|---|---|', ...rows].join('\n');
}

/** Index bytes per key over one level of growth: mean and most. */
function indexBudget(): { mean: number; most: number } {
  const arena = new Arena(createArenaMemory(2 ** 28));
  const hashTable = new HashTable(arena, 16, 28);
  const hash = new HalfSipHash(1, 2);
  const root = hashTable.create();
  const key = Buffer.alloc(4);
  let sum = 0;
  let most = 0;
  for (let count = 1; count <= 2 * LEVEL_START; count++) {
    key.writeInt32LE(count);
    const entry = arena.allocate(ENTRY_HEADER_BYTES);
    const value = hash.hash(key, 0, 4);
    arena.i32[entry >>> 26][(entry & 0x3ffffff) << 2] = value;
    hashTable.insert(root, value, entry);
    if (count <= LEVEL_START) continue;
    const bytes = hashTable.bytes(root) / count;
    sum += bytes;
    most = Math.max(most, bytes);
  }
  return { mean: sum / LEVEL_START, most };
}

function budgetTable(): string {
  const arena = new Arena(createArenaMemory(2 ** 20));
  const index = indexBudget();
  const rows = [8, 64, 256].map((valueBytes) => {
    const block = arena.blockBytes(arena.allocate(ENTRY_HEADER_BYTES + KEY_BYTES + valueBytes));
    const withDeadline = arena.blockBytes(arena.allocate(ENTRY_HEADER_BYTES_WITH_DEADLINE + KEY_BYTES + valueBytes));
    const all = (index.mean + block).toFixed(1);
    const most = (index.most + block).toFixed(1);
    return `| ${valueBytes} | ${block} | ${all} | ${most} | ${withDeadline} | ${(index.mean + withDeadline + HEAP_NODE_BYTES).toFixed(1)} |`;
  });
  return [
    `Index per key: ${index.mean.toFixed(2)} bytes in the mean over the growth of the table, ${index.most.toFixed(2)} at most (measured`,
    'by building one; tables of more than a few thousand keys).',
    '',
    `| value of a ${KEY_BYTES}-byte key | entry block | in all, mean | in all, most | block with deadline | in all with deadline, mean |`,
    '|---|---|---|---|---|---|',
    ...rows,
  ].join('\n');
}

/** The whole text of LAYOUT.md. */
export function layoutDocument(): string {
  return `# Layout of shared memory

Version ${LAYOUT_VERSION}. Written by \`npx node native-free-shm/layout-doc.ts > LAYOUT.md\` from the tables that the code uses; a test
compares. All numbers are little endian. A word is an int32.

## Bytes per key

${budgetTable()}

\`used_memory\` counts blocks, so these numbers are what it grows by. What lies free inside slabs and pages is reported apart.

## Handles

\`\`\`
handle (int32)   | segment: 6 bits | 16-byte granule in the segment: 26 bits |     0 = null
\`\`\`
Segment = handle >>> 26, byte in the segment = (handle & 0x3ffffff) << 4, page number = handle >>> 8 (4 KiB). Segments have 1 GiB, the
last may have less; its views begin at byte ${SEGMENT_LEAD_BYTES} of the buffer. Handles beyond 32 GiB are negative and are only compared for equality.

## Arena: control area

${table('word', CONTROL_FIELDS)}

Float64 counters from byte ${CONTROL_F64_BYTE}:

${table('float64', COUNTER_FIELDS)}

## Arena: page table

${PAGE_WORDS} words per 4 KiB page:

${table('word', PAGE_FIELDS)}

## Arena: slabs

A slab is 64 KiB of equal blocks, ${CLASS_COUNT} classes up to ${MAX_SMALL_BYTES} bytes. Longer blocks are runs of whole pages inside one segment. A free block:

${table('word', FREE_BLOCK_FIELDS)}

${sizeClassTable()}

## Entry, as table and heap know it

| word | name | meaning |
|---|---|---|
| 0 | hash | HalfSipHash-1-3 of the key |
| 1 | meta | bits 0..23 bytes of the key; bit 28: the key starts at byte ${ENTRY_HEADER_BYTES_WITH_DEADLINE} instead of ${ENTRY_HEADER_BYTES} |

All else in an entry belongs to its user; for keys see src/keyspace/entry.ts.

## Hash table

Root:

${table('word', ROOT_FIELDS)}

Bucket (64 bytes, in pages of up to 1024):

${table('word', BUCKET_FIELDS)}

## Deadline heap

Root:

${table('word', HEAP_ROOT_FIELDS)}

A page has room for n nodes (4096, the first page 4 … 4096): n float64 deadlines in unix ms, then n entry handles.

## Ordered tree

Root:

${table('word', TREE_ROOT_FIELDS)}

A leaf has room for n elements (62; an only leaf 4 … 62): words 0 … 3 are filled slots, room, previous leaf, next leaf; then n float64
keys, then n entries. An inner node: word 0 is filled slots; from word 4 on 50 float64 keys, then 50 entries, each the first
element of a child, then 50 child handles, then 50 counts of elements below.

## Other areas

Latch, turn, doorbell, ring, heartbeats and counters: the picture on top of the file of that name in native-free-shm.
Shard header and roots: src/shard/world.ts.
`;
}

if (import.meta.main) process.stdout.write(layoutDocument());
