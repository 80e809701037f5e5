/**
 * Glob matching of bytes, as KEYS, SCAN MATCH, CONFIG GET and PSUBSCRIBE understand it: `*`, `?`, `[abc]`, `[^a-z]` and `\x`.
 * The matcher keeps one place to return to (the last `*`), so its time is bounded by pattern bytes × text bytes, it does not
 * recurse and does not allocate: a hostile pattern such as `a*a*a*a*b` cannot stall a thread.
 *
 * Only the last `*` needs to be remembered: an earlier star could give the later part of the pattern no text that the later
 * star cannot reach as well.
 */

const STAR = 0x2a;
const QUESTION = 0x3f;
const OPEN = 0x5b;
const CLOSE = 0x5d;
const CARET = 0x5e;
const DASH = 0x2d;
const BACKSLASH = 0x5c;

/** ASCII lower case of one byte; other bytes stay as they are. */
function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
}

/**
 * End of the class that begins at pattern[p] === '[': the position after its `]`. A class that is never closed ends with the
 * pattern, its last byte being taken as a member (as Redis has it).
 */
function classEnd(pattern: Uint8Array, p: number, pe: number): number {
  p++;
  if (p < pe && pattern[p] === CARET) p++;
  while (p < pe) {
    const byte = pattern[p];
    if (byte === BACKSLASH && pe - p >= 2) p += 2;
    else if (byte === CLOSE) return p + 1;
    else if (pe - p >= 3 && pattern[p + 1] === DASH) p += 3;
    else p++;
  }
  return pe;
}

/** Whether `byte` is in the class that begins at pattern[p] === '['. */
function classHas(pattern: Uint8Array, p: number, pe: number, byte: number, nocase: boolean): boolean {
  p++;
  const negated = p < pe && pattern[p] === CARET;
  if (negated) p++;
  const wanted = nocase ? lower(byte) : byte;
  let found = false;
  while (p < pe) {
    const member = pattern[p];
    if (member === BACKSLASH && pe - p >= 2) {
      // An escaped member is compared as it stands, even when case is ignored.
      if (pattern[p + 1] === byte) found = true;
      p += 2;
    } else if (member === CLOSE) {
      break;
    } else if (pe - p >= 3 && pattern[p + 1] === DASH) {
      // Ranges compare signed bytes, as the C of x86 does: a range that reaches over 0x7f means what it means there.
      let from = (member << 24) >> 24;
      let to = (pattern[p + 2] << 24) >> 24;
      if (from > to) {
        const swap = from;
        from = to;
        to = swap;
      }
      if (nocase) {
        from = lower(from);
        to = lower(to);
      }
      const signed = (wanted << 24) >> 24;
      if (signed >= from && signed <= to) found = true;
      p += 3;
    } else {
      if ((nocase ? lower(member) : member) === wanted) found = true;
      p++;
    }
  }
  return found !== negated;
}

/**
 * Whether the bytes text[ts..te) match the pattern pattern[ps..pe). With `nocase`, ASCII letters match in either case.
 * Never throws, never allocates; at most (pe - ps) × (te - ts + 1) steps.
 */
export function globMatch(
  pattern: Uint8Array,
  ps: number,
  pe: number,
  text: Uint8Array,
  ts: number,
  te: number,
  nocase: boolean,
): boolean {
  // In Redis the empty text matches the empty pattern and, with KEYS and SCAN, the pattern * alone: not **.
  if (ts === te) return ps === pe || (pe - ps === 1 && pattern[ps] === STAR);
  let p = ps;
  let t = ts;
  let afterStar = -1;
  let starText = 0;
  for (;;) {
    let stepped = false;
    if (p < pe) {
      const token = pattern[p];
      if (token === STAR) {
        do p++;
        while (p < pe && pattern[p] === STAR);
        if (p === pe) return true;
        afterStar = p;
        starText = t;
        continue;
      }
      if (t < te) {
        const byte = text[t];
        if (token === QUESTION) {
          p++;
          stepped = true;
        } else if (token === OPEN) {
          if (classHas(pattern, p, pe, byte, nocase)) {
            p = classEnd(pattern, p, pe);
            stepped = true;
          }
        } else {
          // A backslash that ends the pattern stands for itself.
          const at = token === BACKSLASH && p + 1 < pe ? p + 1 : p;
          const literal = pattern[at];
          if (literal === byte || (nocase && lower(literal) === lower(byte))) {
            p = at + 1;
            stepped = true;
          }
        }
        if (stepped) {
          t++;
          continue;
        }
      }
    } else if (t === te) {
      return true;
    }
    if (afterStar < 0 || starText >= te) return false;
    p = afterStar;
    t = ++starText;
  }
}
