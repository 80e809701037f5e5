/** Up to which size values keep their compact encodings: plain copies of settings, one object per thread. */
export class SizeLimits {
  hashMaxListpackEntries = 512;
  hashMaxListpackValue = 64;
  /** Positive: elements of a list node; -1 … -5: 4, 8, 16, 32, 64 KiB. */
  listMaxListpackSize = -2;
  setMaxIntsetEntries = 512;
  setMaxListpackEntries = 128;
  setMaxListpackValue = 64;
  sortedSetMaxListpackEntries = 128;
  sortedSetMaxListpackValue = 64;
  hllSparseMaxBytes = 3000;
  /** 0 = no limit. */
  streamNodeMaxBytes = 4096;
  streamNodeMaxEntries = 100;
}
