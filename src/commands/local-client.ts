/** Is a client on this machine? Some commands may be allowed to such clients only. */
import type { Session } from '../dispatch/session.ts';

const LOOPBACK = /^(127\.\d+\.\d+\.\d+|\[?::1\]?|\[?::ffff:127\.\d+\.\d+\.\d+\]?):\d+$/;

/** True for the Unix socket and for connections from a loopback address. */
export function isLocal(session: Session): boolean {
  return session.isUnixSocket || LOOPBACK.test(session.addr);
}
