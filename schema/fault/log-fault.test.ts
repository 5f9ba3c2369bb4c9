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
