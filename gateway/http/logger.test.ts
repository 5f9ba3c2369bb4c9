import { Writable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { metrics } from './metrics.ts';
import { shortHash, logger, requestId, withoutCredentials } from './logger.ts';

const JWT = 'eyJhbGciOiJFUzM4NCJ9.eyJzdWIiOiJKYW5lIn0.c2lnbmF0dXJl';

describe('SM-14 credentials never reach a log', () => {
  test.each([
    ['a bearer token', 'sent Bearer abc.DEF-123~/+= to', 'sent Bearer [redacted] to'],
    ['basic credentials', 'Basic dXNlcjpwYXNz', 'Basic [redacted]'],
    ['a JWT', `token ${JWT} refused`, 'token [redacted] refused'],
    ['a token in a query', 'GET /x?access_token=abc&y=1', 'GET /x?access_token=[redacted]&y=1'],
    [
      'an assertion in a form',
      `client_assertion=abc&client_secret=d`,
      'client_assertion=[redacted]&client_secret=[redacted]',
    ],
    ['no credential', '{"status":200,"msg":"answered"}', '{"status":200,"msg":"answered"}'],
  ])('%s', (_title, line, expected) => {
    expect(withoutCredentials(line)).toBe(expected);
  });

  test('neither in the message nor in any other field', () => {
    const lines: string[] = [];
    const sink = new Writable({ write: (chunk: Buffer, _e, done) => (lines.push(chunk.toString()), done()) });
    const log = logger('info', sink);
    log.info(
      { err: new Error(`Bearer secret-token`, { cause: new Error(JWT) }), header: 'Bearer other-secret' },
      JWT,
    );
    log.info(
      {
        req: { method: 'GET', url: '/fhir/Patient?name=Jane', routeOptions: { url: '/:tenant/fhir/:type' } },
      },
      'x',
    );
    try {
      JSON.parse('{"name": Jane}');
    } catch (err) {
      log.error({ err }, 'x');
      log.error({ err: new Error('unreadable', { cause: err }) }, 'x');
    }
    const logged = lines.join('');
    expect(logged).not.toMatch(/secret|eyJ|Jane/);
    expect(logged).toMatch(/"SyntaxError","stack":"\s*at /);
    expect(logged).toContain('/:tenant/fhir/:type');
  });
});

test.each<[unknown, boolean]>([
  ['0af7651916cd43dd8448eb211c80319c', true],
  ['short', false],
  ['has spaces and "quotes"', false],
  ['x'.repeat(65), false],
  [['a', 'b'], false],
  [undefined, false],
])('keeps the request id %o of a client: %s', (sent, kept) => {
  const id = requestId({ 'x-request-id': sent });
  expect(id === sent).toBe(kept);
  if (!kept) expect(id).toMatch(/^[0-9a-f-]{36}$/);
});

test('a short hash replaces a secret', () => {
  expect(shortHash('capability')).toMatch(/^[0-9a-f]{12}$/);
  expect(shortHash('a')).not.toBe(shortHash('b'));
});

test('DW-26 counts refused images of DIMSE senders by reason', async () => {
  const { registry, imageRefused } = metrics();
  imageRefused('dicom-dimse', 'move originator');
  expect(await registry.metrics()).toContain(
    'images_refused_total{source="dicom-dimse",reason="move originator"} 1',
  );
});

test('DW-21 counts identities of which a part is withheld by reason', async () => {
  const { registry, identityUnclear } = metrics();
  identityUnclear('link');
  expect(await registry.metrics()).toContain('identity_unclear_total{reason="link"} 1');
});
