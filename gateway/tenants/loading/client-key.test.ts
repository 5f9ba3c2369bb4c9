import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { ExpressionPool } from '../../../schema/expressions/pool.ts';
import { readTenants } from './tenants.ts';

const expressions = new ExpressionPool();
const directory = mkdtempSync(join(tmpdir(), 'client-key-'));
afterAll(async () => {
  rmSync(directory, { recursive: true });
  await expressions.close();
});
const base = {
  expressions,
  demo: { images: '', patients: '' },
  dynamicHosts: new Set<string>(),
  mockAllowed: false,
  dynamic: false,
};
const web = { type: 'dicom-web', lookup: 'studies-by-mrn', endpoint: 'https://pacs.example.org/dicom-web' };

function message(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('It did not throw.');
}

const pair = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const [ours, published] = [pair.privateKey, pair.publicKey].map((key) => key.export({ format: 'jwk' }));
const other = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey.export({ format: 'jwk' });
const small = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });
const short = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey.export({ format: 'jwk' });
const pem = String(pair.privateKey.export({ format: 'pem', type: 'pkcs8' }));

test.each<[what: string, jwk: unknown, mistake: RegExp | undefined]>([
  ['a key for ES384', ours, undefined],
  ['a key for RS384', rsa, undefined],
  ['a key that names ES256', { ...small, alg: 'ES256' }, undefined],
  ['a public key', published, /is a public key; a private one has the member d$/],
  ['a key on another curve', small, /has another curve than P-384, which ES384 needs$/],
  ['a key of another type than its alg', { ...rsa, alg: 'ES384' }, /has alg ES384, which is not one/],
  ['halves of two keys', { ...ours, d: other.d }, /half that are not a pair$/],
  ['a short RSA key', short, /has fewer than 2048 bits$/],
  ['a part of a key', { kty: 'EC', crv: 'P-384', d: ours!.d }, /is no complete private key/],
  ['a symmetric key', { kty: 'oct', k: 'c2VjcmV0' }, /must have kty EC/],
  ['PEM text', pem, /must be a JWK/],
  ['PEM text of a variable', { $env: 'PEM' }, /variable PEM must hold a JWK as JSON: it is PEM text$/],
  ['broken JSON of a variable', { $env: 'CUT' }, /as JSON: line 1, column \d+: .*no end/],
])('a client key: %s', (_what, jwkPrivate, mistake) => {
  const authorization = {
    type: 'smart-on-fhir',
    fhirBaseUrl: 'https://ehr.example.org/fhir',
    client: { client_id: 'c', jwkPrivate },
  };
  const environment = { PEM: pem.replaceAll('\n', '\\n'), CUT: JSON.stringify(ours).slice(0, 60) };
  writeFileSync(join(directory, 'a.json'), JSON.stringify({ authorization, images: web }));
  const settings = { ...base, environment, directory };
  if (!mistake) return expect(readTenants(settings).all).toHaveLength(1);
  const text = message(() => readTenants(settings));
  expect(text).toMatch(mistake);
  expect(text).toContain('a.json: authorization.client.jwkPrivate');
  for (const secret of [ours!.d!, 'MIG2', 'c2VjcmV0']) expect(text).not.toContain(secret.slice(0, 8));
});
