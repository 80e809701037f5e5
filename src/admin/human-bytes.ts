/** Sizes for people, as INFO shows them: 512B, 1.50K, 12.00M … */
const UNITS = ['B', 'K', 'M', 'G', 'T', 'P'];

export function humanBytes(bytes: number): string {
  let unit = 0;
  let value = bytes;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return unit === 0 ? `${bytes}B` : `${value.toFixed(2)}${UNITS[unit]}`;
}
