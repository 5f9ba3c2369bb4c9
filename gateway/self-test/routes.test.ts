import { fastify } from 'fastify';
import { describe, expect, test, vi } from 'vitest';
import { addAuthorization, decorateRequests } from '../http/authorization-hook.ts';
import { faultHandler, nameResourceMetadata } from '../http/fault-reply.ts';
import type { Authorizer } from '../smart/authorize.ts';
import { tenantsOf } from '../test/gateway-alone.ts';
import { selfTestRoutes } from './routes.ts';

const KEY = 'an-operators-key-of-32-characters';
const baseUrl = 'http://localhost';
const images = { type: 'folder', path: '.', lookup: 'studies-by-mrn' };

async function app(key: string | undefined) {
  const run = vi.fn(async () => ({
    tenant: 'open',
    authorization: 'mock',
    images: [],
    ok: false,
    checks: [],
  }));
  const app = fastify();
  decorateRequests(app);
  nameResourceMetadata(app, baseUrl);
  app.setErrorHandler(faultHandler(baseUrl, 'json'));
  await app.register(
    async (scope) => {
      const tenants = tenantsOf({
        open: { authorization: { type: 'mock', disableAuthzChecks: true }, images },
      });
      addAuthorization(scope, { tenants, authorizer: {} as Authorizer, baseUrl });
      await scope.register(selfTestRoutes(run, key));
    },
    { prefix: '/:tenant' },
  );
  const get = (headers: Record<string, string> = {}, url = '/open/self-test') => app.inject({ url, headers });
  return { run, get };
}
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

describe('SM-18 GET /{tenant}/self-test', () => {
  const realm = 'Bearer realm="http://localhost/open"';
  test.each<[string, string | undefined, Record<string, string>, number, string | undefined]>([
    ['is absent when no key is set', undefined, bearer(KEY), 404, undefined],
    ['refuses a request without a key', KEY, {}, 401, `${realm}, resource_metadata=`],
    ['refuses another key', KEY, bearer(`${KEY}x`), 401, `${realm}, error="invalid_token"`],
    ['refuses a part of the key', KEY, bearer(KEY.slice(0, -1)), 401, `${realm}, error="invalid_token"`],
    ['refuses another scheme', KEY, { authorization: `Basic ${KEY}` }, 401, `${realm}, resource_metadata=`],
    [
      'refuses a malformed header',
      KEY,
      { authorization: 'Bearer a b' },
      400,
      `${realm}, error="invalid_request"`,
    ],
  ])('%s', async (_title, key, headers, status, challenge) => {
    const { run, get } = await app(key);
    const { statusCode, headers: answered, body } = await get(headers);
    expect(statusCode).toBe(status);
    if (challenge === undefined) expect(answered['www-authenticate']).toBeUndefined();
    else expect(answered['www-authenticate']).toContain(challenge);
    expect(body).not.toContain(KEY);
    expect(run).not.toHaveBeenCalled();
  });

  test('answers the holder of the key for a known tenant', async () => {
    const { run, get } = await app(KEY);
    const answer = await get(bearer(KEY), '/open/self-test?patient=p1');
    expect(answer.statusCode).toBe(200);
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.json()).toMatchObject({ tenant: 'open', ok: false });
    expect(run).toHaveBeenCalledWith(expect.objectContaining({ key: 'open' }), 'p1');
    expect((await get(bearer(KEY), '/nowhere/self-test')).statusCode).toBe(404);
  });
});
