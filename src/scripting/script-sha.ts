/** The name of a script: the SHA1 of its source. */
import { createHash } from 'node:crypto';

/** 40 hexadecimal digits in lower case. */
export function scriptSha(source: Uint8Array): string {
  return createHash('sha1').update(source).digest('hex');
}
