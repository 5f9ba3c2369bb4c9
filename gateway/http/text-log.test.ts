import { expect, test } from 'vitest';
import { logger } from './logger.ts';

function written(log: (to: ReturnType<typeof logger>) => void): string {
  let text = '';
  log(logger('info', { write: (line: string) => void (text += line) }, 'text'));
  return text;
}

test('a line for people: time, level, message, members; colours are for terminals only', () => {
  const text = written((log) => log.info({ tenant: 'demo', status: 200, reason: 'two words' }, 'request'));
  expect(text).toMatch(/^\d\d:\d\d:\d\d INFO {2}request tenant=demo status=200 reason="two words"\n$/);
});

test('an error is below its line, with its causes', () => {
  const error = new Error('It broke.', { cause: new TypeError('No number.') });
  const lines = written((log) => log.error({ err: error, tenant: 'demo' }, 'failed')).split('\n');
  expect(lines[0]).toMatch(/ERROR failed tenant=demo$/);
  expect(lines[1]).toBe('  Error: It broke.');
  expect(lines[2]).toMatch(/^ +at .*text-log\.test\.ts/);
  expect(lines).toContain('  TypeError: No number.');
});

test('SM-14 without credentials', () => {
  expect(written((log) => log.warn({ header: 'Bearer secret' }, 'Basic secret'))).not.toContain('secret');
});

test('nothing in it controls the terminal or begins a line of its own', () => {
  const bad = 'a\u001b[2J\u009bH\u202e\r\n12:00:00 INFO  forged';
  const text = written((log) => log.info({ name: bad, list: [bad] }, bad));
  expect(text.trimEnd()).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  expect(text).toContain('a\\u001b[2J');
});
