/**
 * How far a group is behind, as far as that can be told: ids that were deleted in the midst of a stream leave it unknown how
 * many entries lie between two ids.
 */
import { StreamId } from './stream-id.ts';
import { STREAM_FIRST_ID, STREAM_LAST_ID, STREAM_MAX_DELETED_ID, type Streams } from './stream-value.ts';

/** Nobody knows. */
export const UNKNOWN = -1n;

const first = new StreamId();
const last = new StreamId();
const deleted = new StreamId();

/** Was an entry from `from` on (that id included) deleted by name, so that the ids there have gaps? */
export function hasGapsFrom(streams: Streams, root: number, from: StreamId): boolean {
  streams.loadId(root, STREAM_MAX_DELETED_ID, deleted);
  return !deleted.isZero() && streams.length(root) > 0 && from.compare(deleted) <= 0;
}

/** How many entries were added up to and including `id`, since the stream exists; UNKNOWN where that cannot be told. */
export function entriesUpTo(streams: Streams, root: number, id: StreamId): bigint {
  const added = streams.exactEntriesAdded(root);
  if (added === 0n) return 0n;
  const length = BigInt(streams.length(root));
  streams.loadId(root, STREAM_LAST_ID, last);
  streams.loadId(root, STREAM_MAX_DELETED_ID, deleted);
  const toLast = id.compare(last);
  if (length === 0n && toLast <= 0) return added;
  if (!id.isZero() && id.compare(deleted) < 0) return UNKNOWN;
  if (toLast >= 0) return toLast === 0 ? added : UNKNOWN;
  streams.loadId(root, STREAM_FIRST_ID, first);
  if (!deleted.isZero() && deleted.compare(first) >= 0) return UNKNOWN;
  const toFirst = id.compare(first);
  if (toFirst < 0) return added - length;
  return toFirst === 0 ? added - length + 1n : UNKNOWN;
}

/** How many entries a group has still to read; null where that cannot be told. */
export function lagOf(streams: Streams, root: number, group: number, lastDelivered: StreamId): bigint | null {
  const added = streams.exactEntriesAdded(root);
  const length = streams.length(root);
  if (added === 0n || length === 0) return 0n;
  streams.loadId(root, STREAM_FIRST_ID, first);
  streams.loadId(root, STREAM_MAX_DELETED_ID, deleted);
  // the group stands in front of all that is there, and nothing of that was deleted in its midst
  if (lastDelivered.compare(first) < 0 && deleted.compare(first) < 0) return BigInt(length);
  const read = streams.groups.entriesRead(group);
  if (read !== UNKNOWN && !hasGapsFrom(streams, root, lastDelivered)) return added - read;
  const upTo = entriesUpTo(streams, root, lastDelivered);
  return upTo === UNKNOWN ? null : added - upTo;
}
