/** Versions that the server tells its clients. */

/** The Redis whose commands and replies Skein has. */
export const REDIS_VERSION = '7.2.4';
/** Skein's own; the same as in package.json. */
export const SKEIN_VERSION = '0.1.0';
