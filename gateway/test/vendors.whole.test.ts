import { generateKeyPair, exportJWK } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startGatewayAlone, type GatewayAlone } from './gateway-alone.ts';
import { SECRET, vendorServer, type VendorServer } from './vendor-server.ts';

let epic: VendorServer;
let meditech: VendorServer;
let gateway: GatewayAlone;

beforeAll(async () => {
  [epic, meditech] = await Promise.all([vendorServer('epic'), vendorServer('meditech')]);
  const { privateKey } = await generateKeyPair('ES384', { extractable: true });
  const images = { type: 'dicom-web', lookup: 'studies-by-mrn', endpoint: 'http://127.0.0.1:1' };
  const insecure = {
    type: 'smart-on-fhir-with-meditech-bugfixes',
    fhirBaseUrl: meditech.fhirBaseUrl,
    scope: null,
    client: { client_id: 'imaging', client_secret: SECRET },
    introspectionTtl: 0,
  };
  gateway = await startGatewayAlone({
    more: {
      epic: {
        authorization: {
          type: 'smart-on-fhir-with-epic-bugfixes',
          fhirBaseUrl: epic.fhirBaseUrl,
          client: { client_id: 'imaging', jwkPrivate: await exportJWK(privateKey) },
          introspectionTtl: 0,
        },
        images,
      },
      meditech: { authorization: { ...insecure, allowInsecureQuirks: true }, images },
      refused: { authorization: insecure, images },
    },
  });
});
afterAll(async () => {
  await Promise.all([gateway.close(), epic.close(), meditech.close()]);
});
beforeEach(() => {
  for (const server of [epic, meditech]) {
    server.tokens.clear();
    server.readers.clear();
    server.seen.length = 0;
    server.up = true;
  }
});

async function get(path: string, token: string) {
  const response = await fetch(gateway.url + path, { headers: { authorization: `Bearer ${token}` } });
  return { status: response.status, body: await response.text() };
}

describe('SM-11 an Epic-shaped server', () => {
  const scope = 'patient/DiagnosticReport.read patient/Patient.read';
  const active = { active: true, client_id: 'app', scope, exp: 4_000_000_000 };
  const patient = (id: string) => ({ ...active, sub: `${epic.fhirBaseUrl}/Patient/${id}` });

  test('introspection beside the token endpoint, with our own token; the patient in sub; the scope DiagnosticReport is enough', async () => {
    epic.tokens.set('t1', patient('p1'));
    expect((await get('/epic/fhir/Patient/p1', 't1')).status).toBe(200);
    expect((await get('/epic/dicomweb/studies', 't1')).status).toBe(200);
    expect((await get('/epic/fhir/Patient/p2', 't1')).status).toBe(403);
    expect(epic.seen).toContain('POST /oauth2/introspect Bearer the-gateways-own');
    expect(epic.seen).toContain('GET /api/FHIR/R4/Patient/p1 Bearer the-gateways-own');
  });

  test.each<[string, () => object]>([
    ['below another base', () => ({ ...active, sub: 'https://evil.example.org/FHIR/R4/Patient/p1' })],
    ['beside the base', () => ({ ...active, sub: `${epic.fhirBaseUrl}evil/Patient/p1` })],
    ['with more path', () => ({ ...active, sub: `${epic.fhirBaseUrl}/Patient/p1/../p2` })],
    ['with a query', () => ({ ...active, sub: `${epic.fhirBaseUrl}/Patient/p1?x` })],
    ['of another type', () => ({ ...active, sub: `${epic.fhirBaseUrl}/Practitioner/p1` })],
    ['relative', () => ({ ...active, sub: 'Patient/p1' })],
    ['that is missing, with a patient beside it', () => ({ ...active, patient: 'p1' })],
    ['that is missing', () => active],
  ])('a sub %s names no patient: 403, and it is not fetched', async (_what, record) => {
    const token = `x${Math.random()}`;
    epic.tokens.set(token, record() as Record<string, unknown>);
    for (const path of ['/epic/fhir/Patient/p1', '/epic/dicomweb/studies']) {
      const { status, body } = await get(path, token);
      expect(status).toBe(403);
      expect(body).not.toContain('CONFIDENTIAL');
    }
    expect(epic.seen.filter((line) => line.includes('/Patient'))).toEqual([]);
  });

  test.each([
    ['patient/DiagnosticReport.read', 200],
    ['patient/DiagnosticReport.rs', 200],
    ['patient/DiagnosticReport.s', 200],
    ['patient/DiagnosticReport.r', 403],
    ['patient/ImagingStudy.read', 200],
    ['patient/DiagnosticReport.rs?category=LAB', 403],
    ['patient/Observation.read', 403],
  ])('QIDO with %s → %i', async (scope, status) => {
    const token = `s${Math.random()}`;
    epic.tokens.set(token, { ...patient('p1'), scope });
    expect((await get('/epic/dicomweb/studies', token)).status).toBe(status);
  });

  test('IA-9 a server that is down: 503', async () => {
    epic.up = false;
    expect((await get('/epic/dicomweb/studies', 'new')).status).toBe(503);
  });

  test('SM-2 discovery names the introspection endpoint that is used', async () => {
    const { body } = await get('/epic/fhir/.well-known/smart-configuration', '');
    const document = JSON.parse(body) as Record<string, string>;
    expect(document['introspection_endpoint']).toBe(
      document['token_endpoint']!.replace('/token', '/introspect'),
    );
    expect(document['capabilities']).toContain('smart-imaging-access');
  });
});

describe('SM-11 a Meditech-shaped server', () => {
  const active = { active: true, client_id: 'imaging', scope: 'patient/*.read', exp: 4_000_000_000 };
  beforeEach(() => {
    for (const token of ['m1', 'm2']) meditech.tokens.set(token, active);
    meditech.readers.set('p1', new Set(['m1']));
    meditech.readers.set('p2', new Set(['m2']));
  });

  test.each<[string, string, number]>([
    ['the patient in the path', '/meditech/fhir/Patient/p1', 200],
    ['patient=', '/meditech/dicomweb/studies?patient=p1', 200],
    ['patient=Patient/', '/meditech/dicomweb/studies?patient=Patient/p1', 200],
    ['another patient in the path', '/meditech/fhir/Patient/p2', 403],
    ['patient= of another', '/meditech/dicomweb/studies?patient=p2', 403],
    ['a patient, and another in the path', '/meditech/fhir/Patient/p2?patient=p1', 403],
    ['no patient', '/meditech/dicomweb/studies', 403],
    ['a patient that is not an id', '/meditech/dicomweb/studies?patient=..%2Fmetadata', 403],
  ])('%s → %s', async (_what, path, status) => {
    const answer = await get(path, 'm1');
    expect(answer.status).toBe(status);
    expect(answer.body.includes('CONFIDENTIAL')).toBe(status === 200);
  });

  test('introspects with the client secret, reads the patient with the token of the app', async () => {
    await get('/meditech/fhir/Patient/p2', 'm2');
    expect(meditech.seen.filter((line) => line.startsWith('POST'))).toEqual([
      expect.stringMatching(/^POST \/oauth2\/introspect Basic /),
    ]);
    const reads = meditech.seen.filter((line) => line.includes('/Patient/'));
    expect(reads.every((line) => line.endsWith('Bearer m2'))).toBe(true);
  });

  test('a token that is not active: 401', async () => {
    meditech.readers.get('p1')!.add('dead');
    expect((await get('/meditech/fhir/Patient/p1', 'dead')).status).toBe(401);
  });

  test('refused and not advertised without allowInsecureQuirks; with it a warning is logged', async () => {
    for (const path of ['/refused/fhir/Patient/p1', '/refused/dicomweb/studies?patient=p1']) {
      const { status, body } = await get(path, 'm1');
      expect(status).toBe(403);
      expect(body).toContain('allowInsecureQuirks');
    }
    expect(meditech.seen).toEqual([]);
    const { body } = await get('/refused/fhir/.well-known/smart-configuration', '');
    expect(body).not.toContain('smart-imaging');
    const warnings = gateway.insecure.filter(([tenant]) => tenant !== 'smart');
    expect(warnings).toEqual([['meditech', expect.stringContaining('names no patient')]]);
  });
});

test('SM-14 no secret, token or record number is in the log', () => {
  expect(gateway.logged()).toContain('"route":"/:tenant/dicomweb/studies"');
  for (const secret of ['m1', 't1', 'the-gateways-own', SECRET, 'MRN-']) {
    expect(
      new RegExp(`[^\\w-]${secret.replace(/[+/]/g, '\\$&')}[^\\w-]`).test(gateway.logged()),
      secret,
    ).toBe(false);
  }
});
