/** The background pool's thread: each exported function is one kind of task. */
export { runSave } from '../src/net/background-save.ts';
