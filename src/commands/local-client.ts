/** Is a client on this machine? Some commands may be allowed to such clients only. */
import type { Session } from '../dispatch/session.ts';

const LOOPBACK = /^(127\.\d+\.\d+\.\d+|\[?::1\]?|\[?::ffff:127\.\d+\.\d+\.\d+\]?):\d+$/;

/** True for the Unix socket and for connections from a loopback address. */
export function isLocal(session: Session): boolean {
  return session.isUnixSocket || LOOPBACK.test(session.addr);
}

/** Why a client may not use a command with the flag `protected`, or null: settings like enable-debug-command decide. */
export function protectedRefusal(session: Session): string | null {
  const allowed = session.server.settings.text('enable-debug-command');
  if (allowed === 'yes' || (allowed === 'local' && isLocal(session))) return null;
  return 'ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.';
}
