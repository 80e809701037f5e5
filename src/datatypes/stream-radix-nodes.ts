/**
 * How many nodes Redis's radix tree would have for the nodes of a stream, whose 16-byte ids it keeps as strings: XINFO tells it.
 *
 * Such a tree has a node where strings part, one for each stretch of two or more characters (or one) that they share between
 * two partings, and one for each end of a string.
 */
import type { OrderedTree } from '../../native-free-shm/ordered-tree.ts';
import type { StreamId } from './stream-id.ts';
import type { StreamNodes } from './stream-node.ts';

const KEY_BYTES = 16;

/** Writes the id as the bytes that Redis sorts by: high bytes first. */
function writeKey(id: StreamId, to: Buffer): void {
  to.writeUInt32BE(id.msHigh, 0);
  to.writeUInt32BE(id.msLow, 4);
  to.writeUInt32BE(id.seqHigh, 8);
  to.writeUInt32BE(id.seqLow, 12);
}

export function radixNodes(tree: OrderedTree, nodesRoot: number, nodes: StreamNodes, id: StreamId): number {
  if (!tree.first(nodesRoot)) return 1;
  let last = Buffer.alloc(KEY_BYTES);
  let next = Buffer.alloc(KEY_BYTES);
  nodes.firstId(tree.entry(), id);
  writeKey(id, last);
  // depths of the partings on the way to the last key, and -1 for the top
  const partings = [-1];
  let count = 1;
  while (tree.next()) {
    nodes.firstId(tree.entry(), id);
    writeKey(id, next);
    let shared = 0;
    while (last[shared] === next[shared]) shared++;
    // the end of a string is one node more than its stretch
    count += 1 + close(partings, shared, KEY_BYTES);
    [last, next] = [next, last];
  }
  return count + close(partings, -1, KEY_BYTES);
}

/** Leaves the last string's path up to where the next one parts from it; returns the nodes that are complete then. */
function close(partings: number[], shared: number, end: number): number {
  let count = 0;
  let below = end;
  while (partings[partings.length - 1] > shared) {
    const parting = partings.pop()!;
    count += (below > parting + 1 ? 1 : 0) + (below < end ? 1 : 0);
    below = parting;
  }
  const top = partings[partings.length - 1];
  if (shared < 0) return count + (below > 0 ? 1 : 0) + (below < end ? 1 : 0);
  if (top !== shared) partings.push(shared);
  return count + (below > shared + 1 ? 1 : 0) + (below < end ? 1 : 0);
}
