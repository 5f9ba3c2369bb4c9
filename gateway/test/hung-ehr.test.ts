import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseTenant, type Tenant } from '../../schema/tenant/tenant.ts';
import { authorizer, type Authorizer } from '../smart/authorize.ts';
import { authorizationServer, type AuthorizationServer } from './authorization-server.ts';
import { startGatewayAlone, type GatewayAlone } from './gateway-alone.ts';
import { timeAwake } from './setup/processor-time.ts';

/** An EHR that accepts connections and never answers does not delay requests that come after its recovery (SM-9). */

/** Milliseconds within which a request is answered although an older one hangs for three seconds. */
const SOON = 1500;

describe('SM-9 each call to an EHR that many requests share', () => {
  let ehr: AuthorizationServer;
  let tenantAuthorizer: Authorizer;
  let clock: number;
  let jwt: string;

  beforeAll(async () => {
    ehr = await authorizationServer();
    ehr.now = () => clock;
    clock = Date.now();
    const { publicKey, privateKey } = await generateKeyPair('ES384', { extractable: true });
    ehr.instead.set('/jwks', [200, { keys: [{ ...(await exportJWK(publicKey)), kid: 'k' }] }]);
    ehr.instead.set('/policy', [200, { rows: [{ patients: ['p1'] }] }]);
    jwt = await new SignJWT({ scope: 'patient/ImagingStudy.rs', patient: 'p1' })
      .setProtectedHeader({ alg: 'ES384', kid: 'k', typ: 'at+jwt' })
      .setIssuer(ehr.issuer)
      .setAudience(ehr.fhirBaseUrl)
      .setExpirationTime('1h')
      .sign(privateKey);
    const identifier = [{ value: 'MRN1' }];
    for (const id of ['p1', 'p2']) ehr.patients.set(id, { resourceType: 'Patient', id, identifier });
    ehr.tokens.set('launched', { scope: 'patient/ImagingStudy.rs', patient: 'p1' });
    ehr.tokens.set('user', { scope: 'user/ImagingStudy.rs' });
    ehr.tokens.set('backend', { scope: 'system/ImagingStudy.rs', client_id: 'b' });
  });
  afterAll(() => ehr.close());
  beforeEach(() => {
    clock = Date.now();
    ehr.hanging.clear();
    ehr.hung.length = 0;
    tenantAuthorizer = authorizer({
      dispatcher: () => undefined,
      now: () => clock,
      baseUrl: 'https://img.example.org',
    });
  });

  function tenant(more: object = {}, type = 'smart-on-fhir'): Tenant {
    const json = {
      authorization: { type, fhirBaseUrl: ehr.fhirBaseUrl, client: ehr.client, ...more },
      images: { type: 'dicom-web', lookup: 'studies-by-mrn', endpoint: 'http://127.0.0.1:1/' },
    };
    const origin = { key: 't', path: 't', dynamic: false, directory: '/', environment: {} };
    return parseTenant(json, origin).tenant;
  }

  async function ask(of: Tenant, token: string, patients: string[] = []): Promise<unknown> {
    try {
      const named = () => ({ patients, studies: [], runs: true });
      const access = await tenantAuthorizer.reach(of, await tenantAuthorizer.authorize(of, token), named);
      return access.patients;
    } catch (error) {
      return (error as { code: string }).code;
    }
  }

  const backend = () => ({ modes: ['backend-services'], policy: { url: `${ehr.url}/policy` } });
  const signed = () => ({ issuer: ehr.issuer, jwksUri: `${ehr.url}/jwks` });
  const CALLS: [what: string, path: string, request: () => Promise<unknown>][] = [
    ['discovery', '/fhir/.well-known/smart-configuration', () => ask(tenant(), 'launched')],
    ['our own token', '/token', () => ask(tenant(), 'launched')],
    ['introspection', '/introspect', () => ask(tenant(), 'launched')],
    ['the identity of a patient', '/fhir/Patient/p1', () => ask(tenant(), 'launched')],
    ['a patient that a user may read', '/fhir/Patient/p2', () => ask(tenant(), 'user', ['p2'])],
    ['the issuer’s keys', '/jwks', () => ask(tenant(signed(), 'smart-on-fhir-jwt'), jwt)],
    ['the policy service', '/policy', () => ask(tenant(backend()), 'backend')],
  ];

  test.each(CALLS)('%s (%s) is requested again after two seconds', async (_what, path, request) => {
    ehr.hanging.add(path);
    const older = request();
    await expect.poll(() => ehr.hung, { interval: 5 }).toEqual([path]);
    clock += 1900;
    const joined = request();
    await sleep(20);
    expect(ehr.hung).toEqual([path]);
    clock += 200;
    ehr.hanging.clear();
    const newer = async () =>
      expect(await request()).toMatchObject([{ identity: { identifier: [{ value: 'MRN1' }] } }]);
    expect(await timeAwake(newer)).toBeLessThan(SOON);
    expect(await Promise.race([older, joined, 'hangs'])).toBe('hangs');
  });

  test.each(CALLS)('%s (%s) is requested at most three times at once', async (_what, path, request) => {
    ehr.hanging.add(path);
    for (const attempts of [1, 2, 3, 3, 3]) {
      for (let i = 0; i < 20; i++) void request();
      await expect.poll(() => ehr.hung.length, { interval: 5 }).toBe(attempts);
      clock += 2000;
    }
    await sleep(50);
    expect(ehr.hung).toHaveLength(3);
  });
});

describe('over HTTP', () => {
  let gateway: GatewayAlone;

  beforeAll(async () => {
    gateway = await startGatewayAlone();
  });
  afterAll(() => gateway.close());
  afterEach(() => gateway.ehr.hanging.clear());

  async function ask(token: string) {
    const begun = performance.now();
    const { status, headers } = await fetch(`${gateway.url}/smart/fhir/Patient/p1`, {
      headers: { authorization: `Bearer ${token}` },
    });
    const milliseconds = performance.now() - begun;
    return { status, retryAfter: headers.get('retry-after'), milliseconds };
  }

  test('SM-12 requests that wait for a hung EHR get 503 after three seconds, requests after its recovery are answered', async () => {
    gateway.ehr.hanging.add('/introspect');
    const older = Promise.all(Array.from({ length: 5 }, () => ask('everything')));
    const waiting = timeAwake(() => older);
    await expect.poll(() => gateway.ehr.hung, { interval: 5 }).toHaveLength(1);
    await sleep(2000);
    gateway.ehr.hanging.clear();
    const newer = async () => expect((await ask('everything')).status).toBe(200);
    expect(await timeAwake(newer)).toBeLessThan(SOON);
    expect(gateway.ehr.hung).toHaveLength(1);
    for (const { status, retryAfter, milliseconds } of await older) {
      expect([status, retryAfter]).toEqual([503, '1']);
      expect(milliseconds).toBeGreaterThan(2900);
    }
    expect(await waiting).toBeLessThan(4500);
    // The failure of the older requests is not remembered for a token that has been checked since.
    expect((await ask('everything')).status).toBe(200);
    expect(gateway.ehr.calls['introspect']).toBe(1);
  }, 20_000);
});
