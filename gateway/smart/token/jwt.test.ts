import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, exportSPKI, generateKeyPair, SignJWT, UnsecuredJWT, type JWTPayload } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseTenant } from '../../../schema/tenant/tenant.ts';
import { authorizer, type Authorizer } from '../authorize.ts';

const BASE = 'https://img.example.org';
const scope = 'patient/ImagingStudy.rs';
type Pair = Awaited<ReturnType<typeof generateKeyPair>>;

let own: Pair;
let rsa: Pair;
let evil: Pair;
let issuer: string;
let served: { keys: object[] };
let calls: string[] = [];
let up = true;
/** Status of the answer with the keys. */
let keysStatus = 200;
let clock: number;
let auth: Authorizer;
/** An issuer that publishes its keys; every request to it is recorded. */
const server = createServer((request, response) => {
  calls.push(request.url!);
  if (!up) return void response.destroy();
  const isKeys = request.url === '/jwks';
  const json = isKeys ? served : { issuer, jwks_uri: `${issuer}/jwks`, token_endpoint: `${issuer}/token` };
  const status = isKeys ? keysStatus : 200;
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(json));
});

beforeAll(async () => {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  own = await generateKeyPair('ES384', { extractable: true });
  rsa = await generateKeyPair('RS256', { extractable: true });
  evil = await generateKeyPair('ES384', { extractable: true });
});
afterAll(() => new Promise((done) => server.close(done)));
beforeEach(async () => {
  served = {
    keys: [
      { ...(await exportJWK(own.publicKey)), kid: 'k1', use: 'sig' },
      { ...(await exportJWK(rsa.publicKey)), kid: 'r1', use: 'sig' },
    ],
  };
  calls = [];
  up = true;
  keysStatus = 200;
  clock = Date.now();
  auth = authorizer({ dispatcher: () => undefined, now: () => clock, baseUrl: BASE });
});

const now = () => Math.floor(clock / 1000);
const claims = (): JWTPayload => ({
  iss: issuer,
  aud: `${BASE}/t/fhir`,
  sub: 'u',
  client_id: 'app',
  exp: now() + 600,
  iat: now(),
  scope,
  patient: 'p1',
});

function tenant(more: object = {}) {
  const json = {
    authorization: { type: 'smart-on-fhir-jwt', fhirBaseUrl: `${issuer}/fhir`, ...more },
    images: { type: 'dicom-web', lookup: 'all-studies-on-server', endpoint: 'http://127.0.0.1:1/' },
  };
  return parseTenant(json, { key: 't', path: 't', dynamic: false, directory: '/', environment: {} }).tenant;
}

async function ask(token: string, more: object = {}) {
  return auth.authorize(tenant(more), token);
}
const code = (promise: Promise<unknown>) =>
  promise.then(
    () => 'allowed',
    (error: { code: string }) => error.code,
  );
const sign = (
  payload: JWTPayload,
  header: object = {},
  key: Pair['privateKey'] | Uint8Array = own.privateKey,
) => new SignJWT(payload).setProtectedHeader({ alg: 'ES384', kid: 'k1', typ: 'at+jwt', ...header }).sign(key);

test('SM-10 a signed token becomes the same Access as an introspected one', async () => {
  expect(await ask(await sign({ ...claims(), fhirUser: 'Practitioner/7' }))).toEqual({
    tenant: 't',
    client: 'app',
    user: 'Practitioner/7',
    patients: [{ id: 'p1' }],
    permissions: [{ level: 'patient', type: 'ImagingStudy', interactions: 'rs' }],
    expires: clock / 1000 + 60,
    tokenExpires: Math.floor(clock / 1000) + 600,
    clinicalToken: expect.any(String),
    token: expect.any(String),
    record: expect.any(String),
  });
});

describe('SM-10 requirements for a token', () => {
  test.each<[string, () => JWTPayload, object, string]>([
    ['a valid token', claims, {}, 'allowed'],
    ['scp as a list', () => ({ ...claims(), scope: undefined, scp: [scope, 'openid'] }), {}, 'allowed'],
    ['azp for client_id', () => ({ ...claims(), client_id: undefined, azp: 'app' }), {}, 'allowed'],
    ['typ with application/', claims, { typ: 'application/AT+JWT' }, 'allowed'],
    ['no kid, one matching key', claims, { kid: undefined }, 'allowed'],
    ['the issuer with a slash', () => ({ ...claims(), iss: `${issuer}/` }), {}, 'allowed'],
    ['several audiences', () => ({ ...claims(), aud: ['x', BASE + '/t'] }), {}, 'allowed'],
    ['typ JWT', claims, { typ: 'JWT' }, 'invalid_token'],
    ['no typ', claims, { typ: undefined }, 'invalid_token'],
    ['expired by a clock that is 4 s behind', () => ({ ...claims(), exp: now() - 4 }), {}, 'allowed'],
    ['expired', () => ({ ...claims(), exp: now() - 6 }), {}, 'invalid_token'],
    ['valid by a clock that is 4 s ahead', () => ({ ...claims(), nbf: now() + 4 }), {}, 'allowed'],
    ['not valid for another 6 s', () => ({ ...claims(), nbf: now() + 6 }), {}, 'invalid_token'],
    ['no exp', () => ({ ...claims(), exp: undefined }), {}, 'invalid_token'],
    ['not yet valid', () => ({ ...claims(), nbf: now() + 60 }), {}, 'invalid_token'],
    ['a foreign issuer', () => ({ ...claims(), iss: 'https://evil.example.org' }), {}, 'invalid_token'],
    ['no issuer', () => ({ ...claims(), iss: undefined }), {}, 'invalid_token'],
    ['another audience', () => ({ ...claims(), aud: 'https://other.example.org' }), {}, 'invalid_token'],
    ['another tenant of this gateway', () => ({ ...claims(), aud: `${BASE}/u/fhir` }), {}, 'invalid_token'],
    ['no audience', () => ({ ...claims(), aud: undefined }), {}, 'invalid_token'],
    ['token_use access', () => ({ ...claims(), token_use: 'access' }), {}, 'allowed'],
    ['token_use refresh', () => ({ ...claims(), token_use: 'refresh' }), {}, 'invalid_token'],
    ['token_use id', () => ({ ...claims(), token_use: 'id' }), {}, 'invalid_token'],
    ['typ Bearer among the claims', () => ({ ...claims(), typ: 'Bearer' }), {}, 'allowed'],
    ['typ Refresh among the claims', () => ({ ...claims(), typ: 'Refresh' }), {}, 'invalid_token'],
    ['a logout token', () => ({ ...claims(), events: {} }), {}, 'invalid_token'],
    ['the patient id ..', () => ({ ...claims(), patient: '..' }), {}, 'insufficient_scope'],
    ['an assertion (IA-12)', () => ({ ...claims(), iss: 'app', sub: 'app' }), {}, 'invalid_token'],
    [
      'for the token endpoint (IA-12)',
      () => ({ ...claims(), aud: [`${issuer}/token`, `${BASE}/t`] }),
      {},
      'invalid_token',
    ],
    ['no patient', () => ({ ...claims(), patient: undefined }), {}, 'insufficient_scope'],
    ['no scope', () => ({ ...claims(), scope: undefined }), {}, 'insufficient_scope'],
    ['a patient that is no text', () => ({ ...claims(), patient: { id: 'p1' } }), {}, 'invalid_token'],
    ['an unknown critical header', claims, { crit: ['x'], x: 1 }, 'invalid_token'],
  ])('%s', async (_what, payload, header, expected) => {
    const text = JSON.parse(JSON.stringify(payload())) as JWTPayload;
    const head = JSON.parse(JSON.stringify({ alg: 'ES384', kid: 'k1', typ: 'at+jwt', ...header })) as {
      alg: string;
    };
    const token = await new SignJWT(text)
      .setProtectedHeader(head)
      .sign(own.privateKey, { crit: { x: true } });
    expect(await code(ask(token))).toBe(expected);
  });

  test('uses the types and algorithms in the tenant’s configuration', async () => {
    const typed = await sign(claims(), { typ: 'JWT' });
    expect(await code(ask(typed, { typ: ['JWT'] }))).toBe('allowed');
    const other = await sign({ ...claims(), jti: '2' });
    expect(await code(ask(other, { algorithms: ['RS256'] }))).toBe('invalid_token');
  });
});

describe('forgeries', () => {
  const b64 = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

  test('refuses alg none, with and without a signature', async () => {
    const none = new UnsecuredJWT(claims()).encode();
    const typed = `${b64({ alg: 'none', typ: 'at+jwt', kid: 'k1' })}.${b64(claims())}.`;
    for (const token of [none, typed, `${typed}AAAA`, typed.replace('none', 'None')]) {
      expect(await code(ask(token))).toBe('invalid_token');
    }
  });

  test('refuses HMAC with the public key, in every spelling', async () => {
    const spki = await exportSPKI(rsa.publicKey);
    const jwk = JSON.stringify(served.keys[1]);
    for (const secret of [spki, spki.trim(), jwk]) {
      const token = await sign(claims(), { alg: 'HS256', kid: 'r1' }, new TextEncoder().encode(secret));
      expect(await code(ask(token))).toBe('invalid_token');
    }
  });

  test('refuses another key with a known kid, and a changed payload', async () => {
    expect(await code(ask(await sign(claims(), {}, evil.privateKey)))).toBe('invalid_token');
    const [head, , signature] = (await sign(claims())).split('.');
    expect(await code(ask(`${head}.${b64({ ...claims(), patient: 'p2' })}.${signature}`))).toBe(
      'invalid_token',
    );
  });

  test('ignores keys that the token contains or refers to', async () => {
    const jwk = await exportJWK(evil.publicKey);
    for (const header of [
      { jwk },
      { jku: `${issuer}/evil-jwks`, kid: 'evil' },
      { x5u: `${issuer}/evil-x5u` },
      { x5c: ['AAAA'] },
    ]) {
      expect(await code(ask(await sign(claims(), header, evil.privateKey)))).toBe('invalid_token');
    }
    expect(calls.filter((path) => path.includes('evil'))).toEqual([]);
  });

  test.each(['../../../../dev/null', "' OR 1=1 --", 'https://evil.example.org/jwks', '__proto__', ''])(
    'kid %j is only a name',
    async (kid) => {
      expect(await code(ask(await sign(claims(), { kid }, evil.privateKey)))).toBe('invalid_token');
      expect(new Set(calls)).toEqual(new Set(['/fhir/.well-known/smart-configuration', '/jwks']));
    },
  );
});

describe('the issuer’s keys', () => {
  const asked = () => calls.filter((path) => path === '/jwks').length;

  test('are fetched once for many tokens', async () => {
    await Promise.all([1, 2, 3].map(async (jti) => ask(await sign({ ...claims(), jti: `${jti}` }))));
    expect(asked()).toBe(1);
  });

  test('are fetched again for an unknown kid, but not within ten seconds', async () => {
    await ask(await sign(claims()));
    clock += 11_000;
    const next = await generateKeyPair('ES384', { extractable: true });
    served.keys.push({ ...(await exportJWK(next.publicKey)), kid: 'k2' });
    expect(await code(ask(await sign(claims(), { kid: 'k2' }, next.privateKey)))).toBe('allowed');
    expect(asked()).toBe(2);
    for (let i = 0; i < 20; i++) {
      expect(await code(ask(await sign({ ...claims(), jti: `${i}` }, { kid: `x${i}` })))).toBe(
        'invalid_token',
      );
    }
    expect(asked()).toBe(2);
  });

  test('IA-9 when they cannot be fetched, the answer is 503: no token is accepted, or refused for long', async () => {
    const token = await sign(claims());
    up = false;
    expect(await code(ask(token))).toBe('unavailable');
    expect(await code(ask(token, { issuer, jwksUri: `${issuer}/jwks` }))).toBe('unavailable');
    up = true;
    clock += 1001;
    expect(await code(ask(token))).toBe('allowed');
  });

  test('answers 503 when an unknown key cannot be fetched', async () => {
    await ask(await sign(claims()));
    clock += 11_000;
    up = false;
    expect(await code(ask(await sign(claims(), { kid: 'k9' })))).toBe('unavailable');
  });

  test('tokens with known keys are accepted while an unknown key cannot be fetched', async () => {
    await ask(await sign(claims()));
    clock += 11_000;
    keysStatus = 500;
    expect(await code(ask(await sign(claims(), { kid: 'made-up' })))).toBe('unavailable');
    expect(await code(ask(await sign({ ...claims(), jti: '2' })))).toBe('allowed');
    clock += 288_000;
    expect(await code(ask(await sign({ ...claims(), jti: '3' })))).toBe('allowed');
    // The known keys are not kept longer because of that.
    clock += 2000;
    expect(await code(ask(await sign({ ...claims(), jti: '4' })))).toBe('unavailable');
  });

  test('are requested once a second for invented keys during an outage', async () => {
    await ask(await sign(claims()));
    clock += 11_000;
    keysStatus = 500;
    const made = (n: number) => sign({ ...claims(), jti: `${n}` }, { kid: `made-up-${n}` });
    for (let n = 0; n < 20; n++) expect(await code(ask(await made(n)))).toBe('unavailable');
    expect(asked()).toBe(2);
    clock += 1001;
    await Promise.all(Array.from({ length: 20 }, async (_, n) => code(ask(await made(n + 20)))));
    expect(asked()).toBe(3);
    keysStatus = 200;
    clock += 1001;
    expect(await code(ask(await made(40)))).toBe('invalid_token');
  });

  test('a new set without a key withdraws the key', async () => {
    await ask(await sign(claims()));
    clock += 11_000;
    served.keys = served.keys.slice(1);
    expect(await code(ask(await sign(claims(), { kid: 'made-up' })))).toBe('invalid_token');
    expect(await code(ask(await sign({ ...claims(), jti: '2' })))).toBe('invalid_token');
  });

  test.each([[{ keys: 'none' }], [{ keys: ['none'] }], [{}]])(
    'an invalid set such as %j withdraws no key, and is a bad gateway without known keys',
    async (set) => {
      await ask(await sign(claims()));
      clock += 11_000;
      served = set as never;
      expect(await code(ask(await sign(claims(), { kid: 'made-up' })))).toBe('bad_gateway');
      expect(await code(ask(await sign({ ...claims(), jti: '2' })))).toBe('allowed');
      clock += 301_000;
      expect(await code(ask(await sign({ ...claims(), jti: '3' })))).toBe('bad_gateway');
    },
  );

  test('a withdrawn key is accepted for five minutes at most', async () => {
    await ask(await sign(claims()));
    served.keys.shift();
    clock += 301_000;
    expect(await code(ask(await sign(claims())))).toBe('invalid_token');
  });

  const many = Array.from({ length: 101 }, () => ({ kty: 'EC' }));
  test.each<[string, object]>([
    ['keys as text', { keys: 'none' }],
    ['no keys', {}],
    ['null for a key', { keys: [null] }],
    ['text for a key', { keys: ['k1'] }],
    ['a key without a type', { keys: [{ kid: 'k1' }] }],
    ['more than a hundred keys', { keys: many }],
  ])('a key set with %s is a bad gateway', async (_what, set) => {
    served = set as never;
    expect(await code(ask(await sign(claims())))).toBe('bad_gateway');
  });
});

test('a checked token is kept for introspectionTtl, but never beyond its exp by the issuer’s clock', async () => {
  const token = await sign({ ...claims(), exp: now() + 10 });
  await ask(token);
  clock += 14_000;
  expect((await ask(token)).expires).toBeGreaterThan(clock / 1000);
  clock += 2000;
  expect(await code(ask(token))).toBe('invalid_token');
});
