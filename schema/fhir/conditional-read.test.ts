import type { Resource } from 'fhir/r4.js';
import Fastify from 'fastify';
import { describe, expect, test } from 'vitest';
import { contentVersion, sendRead, storedVersion, type VersionHeaders } from './conditional-read.ts';

const resource = (meta?: object) => ({ resourceType: 'Patient', id: 'p', ...(meta && { meta }) }) as Resource;
const CHANGED = 'Sun, 01 Feb 2026 10:00:00 GMT';
const OF_CONTENT: unknown = expect.stringMatching(/^W\/"[0-9a-f]{32}"$/);
const STORED = resource({ versionId: '3', lastUpdated: '2026-02-01T10:00:00Z' });

test.each<[meta: object | undefined, version: Record<string, unknown>]>([
  // Of its content, where the resource states none that can be a tag.
  [undefined, { etag: OF_CONTENT }],
  [{ versionId: '3' }, { etag: 'W/"3"' }],
  [{ lastUpdated: '2026-02-01T10:00:00Z' }, { etag: OF_CONTENT, 'last-modified': CHANGED }],
  [{ lastUpdated: 'soon', versionId: '' }, { etag: OF_CONTENT }],
  [{ versionId: '3"\r\nx: y' }, { etag: OF_CONTENT }],
])('R4 §3.1.0.1.2 a resource with %j has the version %j', (meta, version) => {
  expect(storedVersion(resource(meta))).toEqual(version);
});

test('a generated resource has an entity tag of its content, and no time of the last change', () => {
  expect(contentVersion(STORED)).toEqual({ etag: expect.stringMatching(/^W\/"[\w-]{22}"$/) });
  expect(contentVersion(STORED)).toEqual(contentVersion(structuredClone(STORED)));
  expect(contentVersion(STORED)).not.toEqual(contentVersion(resource()));
});

describe('RFC 9110 §13.1', () => {
  async function read(headers: Record<string, string>, version: VersionHeaders) {
    const app = Fastify();
    app.get('/', (request, reply) => sendRead(request, reply, { resource: STORED, version }));
    const answer = await app.inject({ url: '/', headers });
    await app.close();
    return answer;
  }

  test.each<[headers: Record<string, string>, version: VersionHeaders, status: number]>([
    [{}, storedVersion(STORED), 200],
    [{ 'if-none-match': '"3"' }, storedVersion(STORED), 304],
    [{ 'if-none-match': 'W/"2"' }, storedVersion(STORED), 200],
    [{ 'if-none-match': '*' }, {}, 304],
    [{ 'if-none-match': '"3"' }, {}, 200],
    [{ 'if-modified-since': CHANGED }, storedVersion(STORED), 304],
    [{ 'if-modified-since': 'Sun, 01 Feb 2026 09:59:59 GMT' }, storedVersion(STORED), 200],
    [{ 'if-modified-since': CHANGED }, { etag: '"x"' }, 200],
    // §13.1.3: If-None-Match takes precedence.
    [{ 'if-none-match': '"2"', 'if-modified-since': CHANGED }, storedVersion(STORED), 200],
  ])('%j of the version %j → %i', async (headers, version, status) => {
    const answer = await read(headers, version);
    expect([answer.statusCode, answer.headers['cache-control'], answer.headers['etag']]).toEqual([
      status,
      'no-store',
      version.etag,
    ]);
    expect(answer.body).toBe(status === 304 ? '' : JSON.stringify(STORED));
  });
});
