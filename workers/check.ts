/** Not a thread of the server, but the program behind `skein check`. Wiring only. */
export { runCheck } from '../src/net/check-command.ts';
