import { expect, test } from 'vitest';
import type { FaultDetails } from './fault.ts';
import { Fault, type FaultCode } from './fault.ts';
import { logFault } from './log-fault.ts';

const malformed = () => {
  try {
    return JSON.parse('"Jane') as never;
  } catch (error) {
    return error as Error;
  }
};

/** An error of OpenSSL as Node gives it. */
const openSsl = (code: string, reason: string) =>
  Object.assign(new Error(`4052AE22AE7F0000:error:0A00010B:SSL routines::${reason}:ssl/record/x.c:350:\n`), {
    code: `ERR_SSL_${code}`,
    reason,
  });

test.each<[FaultCode, FaultDetails, string, object?]>([
  ['not_found', {}, 'nothing'],
  ['insufficient_scope', {}, 'nothing'],
  ['not_implemented', { cause: new Error('x') }, 'nothing'],
  ['unavailable', { service: 'imaging' }, 'warn', { code: 'unavailable', service: 'imaging', reason: 'x' }],
  ['bad_gateway', { cause: new Error('ECONNREFUSED') }, 'warn', { reason: 'ECONNREFUSED' }],
  [
    'unavailable',
    { cause: new Error('fetch failed', { cause: new Error('ECONNRESET') }) },
    'warn',
    { reason: 'ECONNRESET' },
  ],
  [
    'unavailable',
    { cause: new Error('fetch failed', { cause: openSsl('WRONG_VERSION_NUMBER', 'wrong version number') }) },
    'warn',
    { reason: 'the server at this port does not speak TLS (ERR_SSL_WRONG_VERSION_NUMBER)' },
  ],
  [
    'unavailable',
    { cause: openSsl('TLSV1_ALERT_UNKNOWN_CA', 'tlsv1 alert unknown ca') },
    'warn',
    { reason: 'TLS failed: tlsv1 alert unknown ca (ERR_SSL_TLSV1_ALERT_UNKNOWN_CA)' },
  ],
  ['bad_gateway', { cause: malformed() }, 'warn', { reason: 'SyntaxError' }],
  ['gateway_timeout', {}, 'warn', { code: 'gateway_timeout', reason: 'x' }],
  ['internal', { cause: new Error('bug') }, 'error', { err: { message: 'bug' } }],
])('%s with %o is logged as %s', (code, details, level, logged) => {
  const lines: [string, Record<string, unknown>][] = [];
  const to = (level: string) => (line: object) => void lines.push([level, line as Record<string, unknown>]);
  logFault({ error: to('error'), warn: to('warn') }, new Fault(code, 'x', details), { path: 'p' }, 'failed');
  expect(lines.map(([level]) => level)).toEqual(level === 'nothing' ? [] : [level]);
  if (logged) expect(lines[0]![1]).toMatchObject({ ...logged, path: 'p' });
  if (level === 'warn') expect(lines[0]![1]).not.toHaveProperty('err');
});
