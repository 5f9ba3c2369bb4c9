import { describe, expect, test } from 'vitest';
import type { FaultCode, FaultDetails } from './fault.ts';
import {
  Fault,
  faultExtensions,
  faultHeaders,
  faultJson,
  faultOauth,
  faultOutcome,
  toFault,
} from './fault.ts';

const REALM = 'https://img.example.org/t';
const METADATA = 'https://img.example.org/.well-known/oauth-protected-resource/t';

describe('SM-12 answers', () => {
  test.each<[FaultCode, FaultDetails, number, string | undefined]>([
    ['unauthenticated', {}, 401, `Bearer realm="${REALM}", resource_metadata="${METADATA}"`],
    [
      'invalid_token',
      {},
      401,
      `Bearer realm="${REALM}", error="invalid_token", resource_metadata="${METADATA}"`,
    ],
    [
      'insufficient_scope',
      { scope: 'patient/ImagingStudy.rs' },
      403,
      `Bearer realm="${REALM}", error="insufficient_scope", scope="patient/ImagingStudy.rs", resource_metadata="${METADATA}"`,
    ],
    [
      'invalid_request',
      { credentials: true },
      400,
      `Bearer realm="${REALM}", error="invalid_request", resource_metadata="${METADATA}"`,
    ],
    ['invalid_request', {}, 400, undefined],
    ['forbidden', {}, 403, undefined],
    ['not_found', {}, 404, undefined],
    ['not_implemented', {}, 501, undefined],
    ['bad_gateway', { service: 'authorization' }, 502, undefined],
    ['unavailable', { service: 'authorization' }, 503, undefined],
  ])('%s %o → %i, challenge %s', (code, details, status, challenge) => {
    const fault = new Fault(code, 'why', details);
    expect(fault.status).toBe(status);
    expect(faultHeaders(fault, REALM, METADATA)['www-authenticate']).toBe(challenge);
    expect(faultExtensions(fault)).toMatchObject({ code, status });
  });

  test('Retry-After is whole seconds, at least one; Allow is sent; no cache stores a fault', () => {
    expect(faultHeaders(new Fault('unavailable', 'w', { retryAfter: 0.2 }), REALM)).toEqual({
      'cache-control': 'no-store',
      'retry-after': '1',
    });
    expect(faultHeaders(new Fault('method_not_allowed', 'w', { allow: 'GET' }), REALM)).toEqual({
      'cache-control': 'no-store',
      allow: 'GET',
    });
  });

  test('every API gives the same text for a fault', () => {
    const fault = new Fault('forbidden', 'No.', { service: 'imaging' });
    expect(faultJson(fault)).toEqual({ error: 'forbidden', message: 'No.' });
    expect(faultOutcome(fault)).toMatchObject({
      resourceType: 'OperationOutcome',
      issue: [{ severity: 'error', code: 'forbidden', diagnostics: 'No.' }],
    });
    expect(faultExtensions(fault)).toEqual({ code: 'forbidden', status: 403, service: 'imaging' });
    expect(faultOauth(fault)).toEqual({ error: 'access_denied', error_description: 'No.' });
  });

  test.each<[FaultCode, string]>([
    ['invalid_token', 'invalid_token'],
    ['too_large', 'invalid_request'],
    ['unauthenticated', 'invalid_request'],
    ['too_many_requests', 'temporarily_unavailable'],
    ['unavailable', 'temporarily_unavailable'],
    ['internal', 'server_error'],
    ['not_implemented', 'not_implemented'],
  ])('%s is %s to an OAuth client, in characters of RFC 6749 §5.2', (code, error) => {
    const fault = new Fault(code, 'Send {"a": “b”}\n.');
    expect(faultOauth(fault)).toEqual({ error, error_description: "Send {'a': 'b'}'." });
  });
});

describe('SM-14 foreign errors', () => {
  const foreign = (properties: object) =>
    Object.assign(new Error('host db.internal, patient Jane'), properties);

  test.each([
    ['an error', foreign({})],
    ['an error with a status', foreign({ statusCode: 404 })],
    ['an internal error of Fastify', foreign({ statusCode: 500, code: 'FST_ERR_SEND_INSIDE_ONERR' })],
    ['a string', 'patient Jane'],
    ['undefined', undefined],
  ])('%s becomes internal and its text is hidden', (_what, thrown) => {
    const fault = toFault(thrown);
    expect(fault.code).toBe('internal');
    expect(fault.message).not.toContain('Jane');
    expect(fault.cause).toBe(thrown);
  });

  test.each([
    [413, 'FST_ERR_CTP_BODY_TOO_LARGE', 'too_large'],
    [400, 'FST_ERR_CTP_INVALID_JSON_BODY', 'invalid_request'],
    [415, 'FST_ERR_CTP_INVALID_MEDIA_TYPE', 'unsupported_media_type'],
  ])('a refusal of Fastify keeps its status %i', (statusCode, code, expected) => {
    expect(toFault(foreign({ statusCode, code })).code).toBe(expected);
  });

  test('a Fault is returned unchanged', () => {
    const fault = new Fault('gone', 'w');
    expect(toFault(fault)).toBe(fault);
  });
});
