/** Numbers of the RDB format: how a value is written, and what else stands in a file. */

/** The version that files and payloads carry: that of Redis 7.0, whose servers must be able to read them. */
export const RDB_VERSION = 10;
/** The newest version that is read. */
export const NEWEST_RDB_VERSION = 12;

/** Forms of values. Those that are written: string, set, sorted set 2, hash, the compact ones, quicklist 2, stream 2. */
export const RDB_TYPE = {
  string: 0,
  list: 1,
  set: 2,
  sortedSet: 3,
  hash: 4,
  sortedSet2: 5,
  hashZipmap: 9,
  listZiplist: 10,
  setIntset: 11,
  sortedSetZiplist: 12,
  hashZiplist: 13,
  listQuicklist: 14,
  streamListpacks: 15,
  hashListpack: 16,
  sortedSetListpack: 17,
  listQuicklist2: 18,
  streamListpacks2: 19,
  setListpack: 20,
  streamListpacks3: 21,
  /** Fields with deadlines, as Redis 7.4 and later write them. */
  hashWithDeadlines: 24,
  hashListpackWithDeadlines: 25,
} as const;

/** What stands between the values of a file. */
export const RDB_OPCODE = {
  function2: 245,
  functionPreGa: 246,
  moduleAux: 247,
  idle: 248,
  freq: 249,
  aux: 250,
  resizeDb: 251,
  expireTimeMs: 252,
  expireTime: 253,
  selectDb: 254,
  eof: 255,
} as const;
