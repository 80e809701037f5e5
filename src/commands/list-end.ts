/** The ends of a list as commands name them, and what follows every change of one. */
import type { Unit } from '../dispatch/unit.ts';
import { GENERIC_EVENT, type KeyEvent, LIST_EVENT } from '../keyspace/key-events.ts';
import type { Args } from '../resp/args.ts';

/** Argument `index` as an end: true = RIGHT, false = LEFT, null = neither. */
export function tailArgument(args: Args, index: number): boolean | null {
  if (args.equalsIgnoreCase(index, 'right')) return true;
  return args.equalsIgnoreCase(index, 'left') ? false : null;
}

export function popEvent(atTail: boolean): KeyEvent {
  return atTail ? LIST_EVENT.rpop : LIST_EVENT.lpop;
}

export function pushEvent(atTail: boolean): KeyEvent {
  return atTail ? LIST_EVENT.rpush : LIST_EVENT.lpush;
}

/**
 * After elements were taken out of the open list, which is that of key argument `arg` (entry `h`): notes its root, removes the
 * key where nothing is left, says what happened. `changes` as in `unit.changed`.
 */
export function settleRemoval(unit: Unit, arg: number, h: number, event: KeyEvent, changes: number): void {
  const { ks } = unit;
  const { lists } = ks.values;
  if (lists.length() === 0) {
    ks.setStructure(h, lists.root, lists.encoding);
    ks.remove(unit.db, h);
    unit.changed(arg, event, changes);
    unit.changed(arg, GENERIC_EVENT.del, 0);
    return;
  }
  lists.settle();
  ks.setStructure(h, lists.root, lists.encoding);
  unit.changed(arg, event, changes);
}
