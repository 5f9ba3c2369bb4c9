import { expect, test } from 'vitest';
import { parseTenant } from '../../../../schema/tenant/tenant.ts';
import { clientsOf } from './clients.ts';

const of = (...clients: object[]) => {
  const file = {
    authorization: { type: 'embedded', clients: clients.map((client) => ({ client_id: 'c', ...client })) },
    images: { type: 'folder', path: '.', lookup: 'studies-by-mrn' },
  };
  const origin = { key: 't', path: 't', dynamic: false, directory: '/', environment: {} };
  return clientsOf(parseTenant(file, origin).tenant);
};
const redirect_uris = ['https://app.example.org/'];
const client_secret = 'x'.repeat(16);
const jwks = { keys: [{ kty: 'EC' }] };

test.each([
  [{ redirect_uris }, 'none', 'authorization_code', 'web'],
  [{ redirect_uris, jwks }, 'private_key_jwt', 'authorization_code', 'web'],
  [{ redirect_uris, client_secret }, 'client_secret_basic', 'authorization_code', 'web'],
  [{ redirect_uris: ['org.example.app:/done'] }, 'none', 'authorization_code', 'native'],
  [{ jwks }, 'private_key_jwt', 'client_credentials', 'web'],
  [{ jwks_uri: 'https://b.example.org/jwks' }, 'private_key_jwt', 'client_credentials', 'web'],
  [
    { client_secret, token_endpoint_auth_method: 'client_secret_post' },
    'client_secret_post',
    'client_credentials',
    'web',
  ],
])('%j authenticates by %s for %s, %s', (client, method, grant, kind) => {
  const [made] = of(client).metadata;
  expect(made).toMatchObject({ token_endpoint_auth_method: method, application_type: kind });
  expect(made!.grant_types![0]).toBe(grant);
});

test.each([
  [{}, 'neither redirect_uris nor a key'],
  [{ redirect_uris, client_secret: 'short-and-secret' }, undefined],
  [{ redirect_uris, client_secret: 'short' }, 'client_secret'],
  [{ redirect_uris, secret: 1 }, 'Unrecognized key: "secret"'],
  [{ redirect_uris, client_secrett: 'x' }, 'client_secrett'],
  [{ redirect_uris, grant_types: ['authorization_code'] }, 'grant_types'],
  [{ redirect_uris: ['https://app.example.org/#a'] }, 'redirect_uris[0]: must be an absolute URL'],
  [{ redirect_uris: ['/callback'] }, 'redirect_uris[0]: must be an absolute URL'],
  [{ jwks, jwks_uri: 'https://b.example.org/jwks' }, 'must not have both jwks and jwks_uri'],
  [{ token_endpoint_auth_method: 'private_key_jwt' }, 'lacks the jwks'],
  [{ redirect_uris, token_endpoint_auth_method: 'client_secret_post' }, 'lacks the jwks'],
  [{ redirect_uris, token_endpoint_auth_method: 'client_secret_jwt' }, 'token_endpoint_auth_method'],
  [{ redirect_uris, client_name: 'The viewer – für Ärzte (β) 日本語' }, undefined],
  [{ redirect_uris, client_name: 'The \u202Ereweiv' }, 'client_name: must not have control characters'],
  [{ redirect_uris, client_name: 'The \u2066viewer\u2069' }, 'client_name'],
  [{ redirect_uris, client_name: 'The\u200Dviewer' }, 'client_name'],
  [{ redirect_uris, client_name: 'The\u2003viewer' }, 'client_name'],
  [{ redirect_uris, client_name: 'The\u0007viewer' }, 'client_name'],
  [{ redirect_uris, client_name: 'The\u2028viewer' }, 'client_name'],
  [{ redirect_uris, client_name: '\u2800' }, 'client_name'],
  [{ redirect_uris, client_name: '' }, 'client_name: must not be empty'],
])('%j: %s', (client, reason) => {
  if (reason === undefined) expect(() => of(client)).not.toThrow();
  else expect(() => of(client)).toThrow(reason);
});

test('the reason names the place in the file, but not the secret', () => {
  expect(() => of({ client_secret: 'hunter2' })).toThrow(/^authorization\.clients\[0\]\.client_secret: must/);
  expect(() => of({ client_secret: 'hunter2' })).not.toThrow(/hunter2/);
});

test('two clients must have different identifiers', () => {
  expect(() => of({ redirect_uris }, { redirect_uris })).toThrow('authorization.clients: must not name');
  expect(() => of({ redirect_uris }, { redirect_uris, client_id: 'd' })).not.toThrow();
});
