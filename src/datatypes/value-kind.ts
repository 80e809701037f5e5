/**
 * What the keyspace has to know of a type whose values are structures in the arena: how they are freed, counted and named.
 * A value is a root handle and an encoding number (0 … 255) that its type gives a meaning to; both stand in the entry of the key.
 */
export interface ValueKind {
  /** The encoding's name for OBJECT ENCODING. */
  encodingName(encoding: number): string;
  /** Elements: list items, fields, members, stream entries. */
  count(root: number, encoding: number): number;
  /** Blocks that freeing the value gives back, roughly: it decides whether that happens at once. */
  freeEffort(root: number, encoding: number): number;
  /**
   * Frees up to about `budget` blocks of a value that no key names any more; true while there is more. The last call frees the
   * root. Allocates nothing.
   */
  releaseStep(root: number, encoding: number, budget: number): boolean;
  /** Bytes of all blocks of the value; of elements with blocks of their own, `samples` are looked at (0: all) and stand for the rest. */
  memoryBytes(root: number, encoding: number, samples: number): number;
}
