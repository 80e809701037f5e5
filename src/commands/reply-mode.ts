/** What CLIENT REPLY asked for, as a session keeps it. */
export const REPLY_MODE = { on: 0, off: 1, skipNext: 2, skipping: 3 } as const;
