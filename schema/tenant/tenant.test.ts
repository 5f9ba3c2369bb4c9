import { describe, expect, test } from 'vitest';
import { parseTenant, TenantError } from './tenant.ts';
import { keysOf, type SchemaNode } from './tenant-keys.ts';
import { tenantSchema } from './tenant-json-schema.ts';
import { readFileSync } from 'node:fs';

const origin = { key: 't', path: 't', dynamic: false, directory: '/etc/tenants', environment: {} };
const mock = { type: 'mock' };
const web = { type: 'dicom-web', lookup: 'studies-by-mrn', endpoint: 'http://orthanc:8042/dicom-web' };
const smart = { type: 'smart-on-fhir', fhirBaseUrl: 'https://ehr.example.org/fhir/' };
const ofRecord = { type: 'fhir', baseUrl: 'https://record.example.org/fhir' };
const publicKey = { kty: 'EC', crv: 'P-384', x: 'x', y: 'y', kid: 'k', alg: 'ES384' };

const parse = (json: unknown, more: object = {}) => parseTenant(json, { ...origin, ...more });
const issues = (json: unknown, more: object = {}) => {
  try {
    parse(json, more);
  } catch (error) {
    if (error instanceof TenantError) return error.issues.map(({ path, reason }) => `${path}: ${reason}`);
    throw error;
  }
  return [];
};

describe('accepts the tenant files of the reference server', () => {
  const basic = { type: 'http-basic', username: 'u', password: 'p' };
  const client = { client_id: 'imaging-client', jwk: publicKey, jwkPrivate: { ...publicKey, d: 'd' } };
  test.each<[string, unknown]>([
    [
      'mock without fhirBaseUrl',
      { authorization: { ...mock, disableAuthzChecks: true }, images: { ...web, authentication: basic } },
    ],
    [
      'mock, older key, delayed',
      {
        authorization: { ...mock, disabled: true },
        images: { ...web, delay: { lookupUntil: 4833623642, retrieveUntil: 4833623642 } },
      },
    ],
    [
      'mock with a patient',
      {
        authorization: {
          ...mock,
          patient: { resourceType: 'Patient', id: '123', identifier: [{ value: 'x' }] },
        },
        images: web,
      },
    ],
    [
      'studies-by-identifier',
      {
        authorization: mock,
        images: { ...web, lookup: 'studies-by-identifier', authentication: { type: 'open' } },
      },
    ],
    [
      'smart with keys',
      {
        authorization: { ...smart, scope: 'system/Patient.read', client },
        images: { ...web, authentication: basic },
      },
    ],
    [
      'independent',
      {
        authorization: { ...smart, type: 'smart-on-fhir-independent', scope: 'system/Patient.read', client },
        images: { ...web, mrn: ["identifier.where(type.text = 'EPIC').value"] },
      },
    ],
    [
      'Epic, a client without keys',
      {
        authorization: {
          ...smart,
          type: 'smart-on-fhir-with-epic-bugfixes',
          client: { client_id: '123', jwk: {} },
        },
        images: { ...web, lookup: 'all-studies-on-server' },
      },
    ],
    [
      'Meditech, null scope, secret',
      {
        authorization: {
          ...smart,
          type: 'smart-on-fhir-with-meditech-bugfixes',
          scope: null,
          client: { client_id: 'c', client_secret: 's' },
        },
        images: { ...web, mrn: ['identifier[0].value'] },
      },
    ],
    [
      'DIMSE with comment keys',
      {
        authorization: mock,
        images: {
          type: 'dicom-dimse',
          lookup: 'studies-by-mrn',
          retrieval: 'c-move',
          endpoint: 'dimse://orthanc:4242',
          ae: 'STORESCP',
          '//endpoint': 'dimse://x:30042',
          '//ae': 'LOCAL',
        },
      },
    ],
    ['a comment anywhere', { '//': 'x', authorization: { ...mock, '// why': { deep: true } }, images: web }],
  ])('%s', (_name, json) => {
    expect(issues(json)).toEqual([]);
  });
});

describe('the parsed tenant', () => {
  test('has defaults, absolute paths, and URLs without a slash at the end', () => {
    const { tenant } = parse({
      authorization: smart,
      images: [web, { type: 'folder', lookup: 'studies-by-mrn', path: './images' }],
    });
    expect(tenant.clinical).toEqual({ type: 'fhir', baseUrl: 'https://ehr.example.org/fhir' });
    expect(tenant.authorization).toMatchObject({ modes: ['app-launch'], introspectionTtl: 30 });
    expect(tenant.images[1]).toMatchObject({ type: 'folder', path: '/etc/tenants/images' });
    expect(tenant.images[0]).toMatchObject({ patience: 20, endpointStyle: 'contained', retrieve: 'token' });
    expect(tenant.images.map(({ emptyIsAway }) => emptyIsAway)).toEqual([300, 300]);
  });

  test.each<[string, object | undefined, object | undefined]>([
    ['none of its own, at the origin of the EHR', undefined, { ca: '/etc/tenants/ehr.pem' }],
    [
      'none of its own, named at that origin',
      { type: 'fhir', baseUrl: 'https://ehr.example.org/r4' },
      { ca: '/etc/tenants/ehr.pem' },
    ],
    ['none of its own, elsewhere', ofRecord, undefined],
    ['its own', { ...ofRecord, tls: { ca: '../record.pem' } }, { ca: '/etc/record.pem' }],
  ])('has `tls` for the record: %s', (_name, clinical, expected) => {
    const { tenant } = parse({ authorization: { ...smart, tls: { ca: 'ehr.pem' } }, clinical, images: web });
    expect(tenant.authorization.tls).toEqual({ ca: '/etc/tenants/ehr.pem' });
    expect((tenant.clinical as { tls?: object }).tls).toEqual(expected);
  });

  test('has PEM text as it is, and warns of a private key in the file', () => {
    const key = '-----BEGIN PRIVATE KEY-----\nx';
    const tls = { certificate: { $env: 'CERTIFICATE' }, key };
    const read = parse(
      { authorization: mock, images: { ...web, tls } },
      { environment: { CERTIFICATE: '-----BEGIN CERTIFICATE-----' } },
    );
    expect(read.tenant.images[0]).toMatchObject({ tls: { certificate: '-----BEGIN CERTIFICATE-----', key } });
    expect(read.literalSecrets).toEqual(['images.tls.key']);
  });

  test('has newer keys and values in place of older ones', () => {
    const { tenant } = parse({
      authorization: { ...mock, disabled: true },
      images: { ...web, lookup: 'studies-by-identifier' },
    });
    expect(tenant.authorization).toMatchObject({ disableAuthzChecks: true });
    expect(tenant.images[0]!.lookup).toBe('studies-by-mrn');
    expect(tenant.clinical).toEqual({ type: 'none' });
  });
});

test.each([
  [{}, 'off'],
  [{ trustedDocuments: 'log' }, 'log'],
  [{ trustedDocuments: 'enforce' }, 'enforce'],
  [{ trustedDocumentsOnly: true }, 'enforce'],
  [{ trustedDocuments: 'log', trustedDocumentsOnly: true }, 'enforce'],
  [{ trustedDocumentsOnly: false }, 'off'],
])('FG-13 graphql %j means %s', (graphql, trustedDocuments) => {
  const file = { trustedDocumentsFile: 'documents/apps.json' };
  const { tenant } = parse({ authorization: mock, images: web, graphql: { ...file, ...graphql } });
  const trustedDocumentsFile = '/etc/tenants/documents/apps.json';
  expect(tenant.graphql).toMatchObject({ trustedDocuments, trustedDocumentsFile });
});

describe('a wrong file is refused with path and reason', () => {
  test.each<[string, unknown, RegExp]>([
    ['unknown key', { authorization: { ...mock, colour: 1 }, images: web }, /^authorization: .*colour/],
    ['unknown type', { authorization: { type: 'kerberos' }, images: web }, /^authorization.type: /],
    ['no images', { authorization: mock }, /^images: /],
    [
      'bad URL',
      { authorization: smart, images: { ...web, endpoint: 'ftp://x' } },
      /^images.endpoint: must be an http or https URL/,
    ],
    [
      'bad DIMSE endpoint',
      {
        authorization: mock,
        images: { type: 'dicom-dimse', lookup: 'studies-by-mrn', endpoint: 'http://x' },
      },
      /^images.endpoint: must read dimse/,
    ],
    [
      'empty tls',
      { authorization: { ...smart, tls: {} }, images: web },
      /^authorization.tls: must name ca, or certificate and key/,
    ],
    [
      'a certificate without its key',
      { authorization: mock, images: { ...web, tls: { certificate: 'x.pem' } } },
      /^images.tls: must name certificate and key together/,
    ],
    [
      'no check of certificates',
      { authorization: mock, images: { ...web, tls: { rejectUnauthorized: false } } },
      /^images.tls: .*rejectUnauthorized/,
    ],
    [
      'second of a list',
      { authorization: mock, images: [web, { ...web, lookup: 'x' }] },
      /^images\[1\].lookup: /,
    ],
    [
      'patient of another type',
      { authorization: { ...mock, patient: { resourceType: 'Group', id: 'x' } }, images: web },
      /^authorization.patient: must be a FHIR Patient/,
    ],
    [
      'patient whose id cannot be in a URL',
      { authorization: { ...mock, patient: { resourceType: 'Patient', id: '..' } }, images: web },
      /^authorization.patient: must be a FHIR Patient/,
    ],
    [
      'policy with an invalid id',
      { authorization: { ...smart, policy: [{ client_id: 'c', patients: ['..'] }] }, images: web },
      /^authorization.policy/,
    ],
    [
      'policy with a text of invalid ids',
      { authorization: { ...smart, policy: [{ client_id: 'c', patients: 'p1 ..' }] }, images: web },
      /^authorization.policy/,
    ],
    ...[
      ['policy for nobody', {}],
      ['policy for a relative user', { user: 'Practitioner/7' }],
      ['policy for a user of another scheme', { user: 'urn:uuid:7/Practitioner/7' }],
      ['policy for a server instead of a user', { user: 'https://ehr.example.org/fhir' }],
      ['policy for a version of a user', { user: 'https://ehr.example.org/fhir/Practitioner/7?x=1' }],
    ].map(([name, who]): [string, object, RegExp] => [
      name as string,
      { authorization: { ...smart, policy: [{ ...(who as object), patients: ['p'] }] }, images: web },
      /^authorization.policy/,
    ]),
    [
      'rate that answers nothing',
      { authorization: mock, images: web, limits: { requestsPerMinute: 0 } },
      /^limits.requestsPerMinute: /,
    ],
    ['not an object', 'text', /^: /],
  ])('%s', (_name, json, expected) => {
    expect(issues(json).some((issue) => expected.test(issue))).toBe(true);
  });
});

test.each<[string, object, string[]]>([
  [
    'a misspelled key',
    { authorization: mock, images: { ...web, endpoint: undefined, endpont: 'http://x' } },
    [
      'images.endpoint: is missing; must be an http or https URL',
      'images: Unrecognized key: "endpont". The nearest is "endpoint".',
    ],
  ],
  [
    'a key of another type',
    { authorization: mock, images: [web, { ...web, senders: [] }] },
    [expect.stringMatching(/^images\[1\]: Unrecognized key: "senders"\. The nearest is /) as never],
  ],
  [
    'two wrong keys',
    { authorization: { ...mock, patent: {}, Scope: '' }, images: web },
    [
      'authorization: Unrecognized key: "patent". The nearest is "patient".',
      'authorization: Unrecognized key: "Scope". The nearest is "scope".',
    ],
  ],
  [
    'a wrong key of a client',
    {
      authorization: {
        type: 'embedded',
        clients: [{ client_id: 'c', redirect_uris: ['http://x'], client_secrett: 'x' }],
      },
      images: web,
    },
    ['authorization.clients[0]: Unrecognized key: "client_secrett". The nearest is "client_secret".'],
  ],
  [
    'nothing at all',
    { authorization: {} },
    [expect.stringMatching(/^authorization.type: is missing; .*'mock'/) as never, 'images: is missing'],
  ],
])('names what is missing and the nearest key: %s', (_what, json, expected) => {
  expect(issues(JSON.parse(JSON.stringify(json)))).toEqual(expected);
});

test.each<[string, object, string[]]>([
  [
    'an EHR that knows the gateway',
    { authorization: { ...smart, client: { client_id: 'c', client_secret: 's' } } },
    [],
  ],
  [
    'an EHR without a client',
    { authorization: smart },
    ['analysis.source: bulk needs a client with jwkPrivate or client_secret in authorization'],
  ],
  [
    'a record without the tokens of its EHR',
    { authorization: mock, clinical: ofRecord },
    ['analysis.source: bulk needs a record and tokens of an EHR'],
  ],
  [
    'a store',
    { authorization: smart, clinical: { type: 'store', path: 'record' } },
    ['analysis.source: bulk needs a record and tokens of an EHR'],
  ],
])('tables by the export of %s', (_record, parts, expected) => {
  expect(issues({ ...parts, images: web, analysis: { enabled: true, source: 'bulk' } })).toEqual(expected);
});

test.each<[dicom: string[], expected: string[]]>([
  [['SliceThickness', 'PixelSpacing', 'KVP'], []],
  [
    ['slice_thickness'],
    ['analysis.dicom[0]: must be a DICOM keyword, such as SliceThickness, of texts, numbers or dates'],
  ],
  [
    ['PixelData'],
    ['analysis.dicom[0]: must be a DICOM keyword, such as SliceThickness, of texts, numbers or dates'],
  ],
  [
    ['ReferencedImageSequence'],
    ['analysis.dicom[0]: must be a DICOM keyword, such as SliceThickness, of texts, numbers or dates'],
  ],
  [['Rows'], ['analysis.dicom[0]: is a column already']],
  [['KVP', 'KVP'], ['analysis.dicom: must not name a keyword twice']],
])('columns of instances: %j', (dicom, expected) => {
  expect(issues({ authorization: mock, images: web, analysis: { enabled: true, dicom } })).toEqual(expected);
});

describe('an archive by DIMSE (DW-16)', () => {
  test.each([
    ['dimse://pacs.example.org:104', true],
    ['dimse://10.0.0.7:104', true],
    ['dimse://[::1]:104', true],
    ['dimse://[2001:db8::7]:11112', true],
    ['dimse://[::ffff:10.0.0.7]:104', true],
    ['dimse://pacs.example.org', false],
    ['dimse://pacs.example.org:104/path', false],
    ['dimse://pacs.example.org:65536', false],
    ['dimse://::1:104', false],
    ['dimse://[::1]', false],
    ['dimse://[1:2]:104', false],
    ['dimse://[pacs]:104', false],
    ['dimse://[fe80::1%eth0]:104', false],
  ])('%s', (endpoint, isGood) => {
    const images = { type: 'dicom-dimse', lookup: 'studies-by-mrn', endpoint };
    const expected = 'images.endpoint: must read dimse://host:port, with an IPv6 address in brackets';
    expect(issues({ authorization: mock, images })).toEqual(isGood ? [] : [expected]);
  });
});

describe('$env', () => {
  const withPassword = (password: unknown) => ({
    authorization: mock,
    images: { ...web, authentication: { type: 'http-basic', username: 'u', password } },
  });

  test('is replaced by the value; a JWK is parsed as JSON', () => {
    const environment = { PW: 'hush', KEY: JSON.stringify(publicKey) };
    const { tenant, literalSecrets } = parse(
      {
        authorization: { ...smart, client: { client_id: 'c', jwkPrivate: { $env: 'KEY' } } },
        images: withPassword({ $env: 'PW' }).images,
      },
      { environment },
    );
    expect(tenant.images[0]).toMatchObject({ authentication: { password: 'hush' } });
    expect(tenant.authorization).toMatchObject({ client: { jwkPrivate: { kid: 'k' } } });
    expect(literalSecrets).toEqual([]);
  });

  test('is text where the key is the URL of a JWK Set', () => {
    const jwksUri = { $env: 'KEYS' };
    const authorization = { ...smart, type: 'smart-on-fhir-jwt', jwksUri };
    const { tenant } = parse(
      { authorization, images: web },
      { environment: { KEYS: 'https://ehr.example.org/jwks' } },
    );
    expect(tenant.authorization).toMatchObject({ jwksUri: 'https://ehr.example.org/jwks' });
  });

  test.each<[string, unknown, string]>([
    [
      'an unset variable',
      { $env: 'PW' },
      'images.authentication.password: environment variable PW is not set',
    ],
    [
      'an unknown key',
      { $env: 'PW', fallback: 'x' },
      'images.authentication.password: an environment reference reads { "$env": "NAME", "default": … }',
    ],
  ])('is refused with %s', (_name, reference, expected) => {
    expect(issues(withPassword(reference))).toEqual([expected]);
  });

  test('may have a default; a default of null removes the key', () => {
    const { tenant } = parse({
      authorization: {
        ...smart,
        client: { client_id: { $env: 'ID', default: 'c' }, jwkPrivate: { $env: 'KEY', default: null } },
      },
      images: web,
    });
    expect(tenant.authorization).toMatchObject({ client: { client_id: 'c' } });
    expect((tenant.authorization as { client: object }).client).not.toHaveProperty('jwkPrivate');
  });

  test('accepts and reports a literal secret', () => {
    expect(parse(withPassword('p')).literalSecrets).toEqual(['images.authentication.password']);
  });
});

describe('FG-23 FHIRPath in a tenant file', () => {
  const wrong = (path: string) => issues({ authorization: mock, images: { ...web, mrn: [path] } });

  test.each([
    ["identifier.where(type.coding.code='MR').value", []],
    ["identifier.value.select(replaceMatches('^0+', ''))", []],
    ['identifier.where(', ['images.mrn[0]: the path is not FHIRPath (line 1, column 18)']],
    [
      'repeat(identifier)',
      [expect.stringMatching(/^images.mrn\[0\]: the path calls repeat\(\), which is not/)],
    ],
  ])('%s', (path, expected) => {
    expect(wrong(path)).toEqual(expected);
  });
});

describe('SM-15 a dynamic tenant', () => {
  const dynamic = { dynamic: true, environment: { SECRET: 's' } };
  test.each<[string, unknown, string]>([
    [
      'a folder',
      { authorization: mock, images: { type: 'folder', lookup: 'studies-by-mrn', path: '/etc' } },
      'images.type',
    ],
    [
      'a folder in a list',
      { authorization: mock, images: [web, { type: 'folder', lookup: 'studies-by-mrn', path: '/etc' }] },
      'images[1].type',
    ],
    [
      'a store',
      { authorization: mock, clinical: { type: 'store', path: '/x' }, images: web },
      'clinical.type',
    ],
    ['our authorization server', { authorization: { type: 'embedded' }, images: web }, 'authorization.type'],
    [
      'a file to write',
      { authorization: mock, images: web, audit: { type: 'file', path: '/x' } },
      'audit.type',
    ],
    [
      'a list of accesses',
      { authorization: mock, images: web, audit: { type: 'stdout', keep: 1 } },
      'audit.keep',
    ],
    [
      'a file of trusted documents',
      { authorization: mock, images: web, graphql: { trustedDocumentsFile: '/x' } },
      'graphql.trustedDocumentsFile',
    ],
    [
      'our environment',
      { authorization: mock, images: { ...web, issuer: { $env: 'SECRET' } } },
      'images.issuer',
    ],
    [
      'our environment, with a default',
      { authorization: mock, images: { ...web, issuer: { $env: 'SECRET', default: 'x' } } },
      'images.issuer',
    ],
    [
      'a path that takes long to parse',
      { authorization: mock, images: [web, { ...web, mrn: ['identifier.value', '('.repeat(299)] }] },
      'images[1].mrn[1]',
    ],
    [
      'objects larger than usual',
      { authorization: mock, images: web, limits: { objectElements: 100_001 } },
      'limits.objectElements',
    ],
    [
      'certificates of a file',
      { authorization: { ...smart, tls: { ca: '/etc/ssl/ca.pem' } }, images: web },
      'authorization.tls',
    ],
    [
      'certificates in PEM format',
      { authorization: mock, images: [web, { ...web, tls: { ca: '-----BEGIN CERTIFICATE-----' } }] },
      'images[1].tls',
    ],
    [
      'certificates for a record',
      { authorization: mock, clinical: { ...ofRecord, tls: { ca: 'x' } }, images: web },
      'clinical.tls',
    ],
  ])('must not use %s', (_what, json, path) => {
    expect(issues(json, dynamic).map((issue) => issue.split(': ')[0])).toEqual([path]);
  });

  test('may use servers', () => {
    expect(issues({ authorization: smart, images: web }, dynamic)).toEqual([]);
  });
});

test('tenant.schema.json is up to date', () => {
  const committed = readFileSync(new URL('../tenant.schema.json', import.meta.url), 'utf8');
  expect(committed).toBe(tenantSchema()['tenant.schema.json']);
});

test('tenant.schema.json allows an environment reference for every text', () => {
  const schema = JSON.parse(tenantSchema()['tenant.schema.json']!) as SchemaNode;
  const texts = [...keysOf(schema)].filter(
    ({ schema }) => schema.type === 'string' && schema.const === undefined,
  );
  expect(texts.map(({ path, type }) => `${path} of ${type}`)).toEqual([]);
});
