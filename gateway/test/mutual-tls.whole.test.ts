/** A hospital whose EHR and archive have certificates of its own authority, and want one of the gateway. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ExpressionPool } from '../../schema/expressions/pool.ts';
import { logger } from '../http/logger.ts';
import { outboundConnections } from '../outbound/connections.ts';
import { readTenants } from '../tenants/loading/tenants.ts';
import { authorizationServer, type AuthorizationServer } from './authorization-server.ts';
import { createAuthority, type Authority } from './setup/certificates.ts';
import { startTlsNginx } from './setup/nginx.ts';
import { startOrthanc, type Orthanc } from './setup/orthanc.ts';
import { smallObjects } from './setup/small-objects.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';

const STUDY = '1.2.47';
let authority: Authority;
let ehr: AuthorizationServer;
let orthanc: Orthanc;
let nginx: Awaited<ReturnType<typeof startTlsNginx>>;
let gateway: TestGateway;
let logged = '';

beforeAll(async () => {
  authority = createAuthority();
  const server = authority.issue('server');
  authority.issue('gateway');
  const { ca, directory } = authority;
  const [cert, key] = [readFileSync(server.certificate), readFileSync(server.key)];
  ehr = await authorizationServer('127.0.0.1', { cert, key, ca: readFileSync(ca), requestCert: true });
  orthanc = await startOrthanc({
    files: smallObjects({ studyUid: STUDY, patientId: 'MRN-1', instances: 2 }),
  });
  nginx = await startTlsNginx(directory, orthanc.url, { ...server, ca });
  const tls = { ca: './ca.pem', certificate: './gateway.pem', key: './gateway.key' };
  const only = { ca: './ca.pem' };
  const tenant = (ofEhr?: object, ofArchive?: object) => ({
    authorization: { type: 'smart-on-fhir', fhirBaseUrl: ehr.fhirBaseUrl, client: ehr.client, tls: ofEhr },
    images: {
      type: 'dicom-web',
      lookup: 'studies-by-mrn',
      endpoint: `${nginx.url}/dicom-web`,
      tls: ofArchive,
      authentication: { type: 'http-basic', username: orthanc.username, password: orthanc.password },
    },
  });
  const files = {
    hospital: tenant(tls, tls),
    'no-tls': tenant(),
    'no-certificate': tenant(only, only),
    'ehr-only': tenant(tls),
    jwt: { ...tenant(tls, tls), authorization: { ...tenant(tls).authorization, type: 'smart-on-fhir-jwt' } },
  };
  for (const [key, file] of Object.entries(files))
    writeFileSync(join(directory, `${key}.json`), JSON.stringify(file));
  const log = logger(
    'info',
    new Writable({ write: (chunk, _encoding, done) => ((logged += String(chunk)), done()) }),
  );
  const [expressions, dynamicHosts] = [new ExpressionPool(), new Set<string>()];
  gateway = await buildTestGateway(() => ({}), { images: '', patients: '' }, undefined, {
    log,
    connections: outboundConnections({ dynamicHosts, log }),
    tenants: () =>
      readTenants({
        directory,
        environment: {},
        expressions,
        dynamicHosts,
        mockAllowed: false,
        dynamic: false,
        demo: { images: '', patients: '' },
      }),
  });
  await expressions.close();
  ehr.patients.set('p1', { resourceType: 'Patient', id: 'p1', identifier: [{ value: 'MRN-1' }] });
  ehr.tokens.set('token', { scope: 'patient/*.rs', patient: 'p1', exp: Date.now() / 1000 + 3600 });
});
afterAll(async () => {
  await gateway?.close();
  await Promise.all([ehr?.close(), nginx?.stop(), orthanc?.stop()]);
  authority?.remove();
});

const headers = { authorization: 'Bearer token' };

async function ask(tenant: string) {
  const query = '{ Patient(id: "p1") { id ImagingStudyList { id } } }';
  const { statusCode, body } = await gateway.app.inject({
    method: 'POST',
    url: `/${tenant}/graphql`,
    headers,
    payload: { query },
  });
  return { statusCode, body };
}

const reasons = async (tenant: string) => {
  const { checks } = await gateway.selfTest(tenant);
  return Object.fromEntries(
    checks.filter(({ outcome }) => outcome === 'failed').map(({ name, reason }) => [name, reason]),
  );
};

test('`tls` serves all calls: discovery, token, introspection, keys, Patient, record, QIDO-RS and WADO-RS', async () => {
  const { body } = await ask('hospital');
  expect(JSON.parse(body)).toEqual({ data: { Patient: { id: 'p1', ImagingStudyList: [{ id: STUDY }] } } });
  expect(Math.min(...Object.values(ehr.calls))).toBeGreaterThan(0);
  const study = await gateway.app.inject({ url: `/hospital/dicomweb/studies/${STUDY}`, headers });
  expect(study.statusCode).toBe(200);
  expect(study.rawPayload.toString('latin1').match(/DICM/g)).toHaveLength(2);
  expect(await reasons('hospital')).toEqual({});
  ehr.instead.set('/jwks', [200, { keys: [ehr.client.jwk] }]);
  expect(await reasons('jwt')).toEqual({});
});

test.each([
  ['no-tls', /SELF_SIGNED_CERT_IN_CHAIN.*tls\.ca/, /UNABLE_TO_VERIFY_LEAF_SIGNATURE.*tls\.ca/],
  ['no-certificate', /closed the connection.*tls\.certificate/, /answered 400/],
  ['ehr-only', undefined, /UNABLE_TO_VERIFY_LEAF_SIGNATURE.*tls\.ca/],
])(
  '%s: the operator gets the reason in the log and the self-test, the client does not',
  async (tenant, ofEhr, ofArchive) => {
    logged = '';
    const { statusCode, body } = await ask(tenant);
    expect(statusCode).toBe(ofEhr ? 503 : 200);
    expect(body).toMatch(ofEhr ? /unavailable/ : /bad_gateway/);
    expect(body).not.toMatch(/certificate|CERT|127\.0\.0\.1|\.pem/);
    expect(logged).toMatch(
      tenant === 'no-certificate'
        ? /other side closed/
        : /self-signed certificate in|unable to verify the first/,
    );
    expect(logged).not.toContain('PRIVATE KEY');
    const { discovery, 'image-source': archive, ...others } = await reasons(tenant);
    if (ofEhr) expect(discovery).toMatch(ofEhr);
    else expect({ discovery, ...others }).toEqual({});
    expect(archive).toMatch(ofArchive);
  },
);
