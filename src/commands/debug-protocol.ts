/** DEBUG PROTOCOL: a sample of each reply type, for tests of clients. */
import type { Session } from '../dispatch/session.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { wrongFormError } from './errors.ts';

const THREE = [0, 1, 2];

const SAMPLES: Readonly<Record<string, (reply: ReplyWriter) => void>> = {
  string: (reply) => reply.bulkText('Hello World'),
  integer: (reply) => reply.integer(12345),
  double: (reply) => reply.doubleText('3.141'),
  bignum: (reply) => reply.bigNumber('1234567999999999999999999999999999999'),
  null: (reply) => reply.null(),
  array: (reply) => {
    reply.array(3);
    for (const n of THREE) reply.integer(n);
  },
  set: (reply) => {
    reply.set(3);
    for (const n of THREE) reply.integer(n);
  },
  map: (reply) => {
    reply.map(3);
    for (const n of THREE) {
      reply.integer(n);
      reply.boolean(n === 1);
    }
  },
  attrib: (reply) => {
    if (reply.resp === 3) {
      reply.attribute(1);
      reply.bulkText('key-popularity');
      reply.array(2);
      reply.bulkText('key:123');
      reply.integer(90);
    }
    reply.bulkText('Some real reply following the attribute');
  },
  push: (reply) => {
    if (reply.resp !== 3) return reply.error('ERR RESP2 is not supported by this command');
    reply.push(2);
    reply.bulkText('server-cpu-usage');
    reply.integer(42);
    reply.bulkText('Some real reply following the push reply');
  },
  true: (reply) => reply.boolean(true),
  false: (reply) => reply.boolean(false),
  verbatim: (reply) => reply.verbatim('This is a verbatim\nstring', 'txt'),
};

export function debugProtocol(_session: Session, args: Args, reply: ReplyWriter): void {
  if (args.count !== 3) return reply.error(wrongFormError(args, 'DEBUG'));
  const name = args.text(2).toLowerCase();
  if (Object.hasOwn(SAMPLES, name)) SAMPLES[name](reply);
  else {
    reply.error(
      'ERR Wrong protocol type name. Please use one of the following: string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false',
    );
  }
}
