/** The background pool's thread: each exported function is one kind of task. */
export { runSave, runSync } from '../src/net/background-save.ts';
export { runRehearsal } from '../src/net/save-rehearsal.ts';
