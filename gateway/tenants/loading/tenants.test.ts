import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { ExpressionPool } from '../../../schema/expressions/pool.ts';
import { documentIdOf } from '../../../schema/graphql/trusted-manifest.ts';
import { populationEnvironment } from '../../demo/population/environment.ts';
import { readTenants } from './tenants.ts';
import type { TenantSettings } from './settings.ts';

const shipped = fileURLToPath(new URL('..', import.meta.url));
const patients = fileURLToPath(new URL('../../demo/patients', import.meta.url));
const expressions = new ExpressionPool();
afterAll(() => expressions.close());
const base: TenantSettings = {
  directory: shipped,
  environment: {
    DEMO_IMAGES: '/data/demo/images',
    DEMO_SECRET: 'made once for each installation',
    DEMO_PLAYGROUND_URL: 'http://localhost:4000/demo/playground',
    VIEWER_URL: 'http://localhost:4000/app/',
    ...populationEnvironment('/data/demo/population', 'http://localhost:4000'),
  },
  demo: { images: '/data/demo/images', patients, population: '/data/demo/population' },
  mockAllowed: true,
  dynamic: true,
  dynamicHosts: new Set(['pacs.example.org', '127.0.0.1:8042']),
  expressions,
};

const directories: string[] = [];
afterEach(() => directories.splice(0).forEach((directory) => rmSync(directory, { recursive: true })));

function directory(files: Record<string, unknown>): string {
  const path = mkdtempSync(join(tmpdir(), 'tenants-'));
  directories.push(path);
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(path, name), typeof content === 'string' ? content : JSON.stringify(content));
  }
  return path;
}
const web = { type: 'dicom-web', lookup: 'studies-by-mrn', endpoint: 'http://pacs.example.org/dicom-web' };
const mock = { authorization: { type: 'mock' }, images: web };
const message = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    return (error as Error).message;
  }
  return '';
};
const fault = async (run: () => Promise<unknown>) => {
  try {
    return (await run()) && 'found';
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe('the shipped tenants', () => {
  test('load with an empty environment, and hold no secret', () => {
    const { all, warnings, skipped } = readTenants(base);
    expect(all.map(({ key }) => key).sort()).toEqual(
      readdirSync(shipped)
        .filter((name) => name.endsWith('.json'))
        .map((name) => name.replace('.json', ''))
        .sort(),
    );
    expect(all).toHaveLength(15);
    expect(warnings).toEqual([]);
    expect(skipped).toEqual([]);
  });

  test('SM-11 load on a public address with mock authorization only if they serve the demonstration', async () => {
    const { all, skipped, byKey } = readTenants({ ...base, mockAllowed: false });
    expect(skipped.map(({ key }) => key)).toEqual(['open-dimse', 'siim-hackathon']);
    expect(all.map(({ key }) => key)).toEqual(
      expect.arrayContaining(['demo', 'open', 'delayed', 'hardcoded-patient', 'population']),
    );
    expect(await fault(async () => byKey('open-dimse'))).toBe('not_found');
  });
});

describe('reading tenant files', () => {
  test('names all wrong files with path and reason, without their content', () => {
    const path = directory({
      'a.json': { authorization: { type: 'mock', colour: 1 }, images: web },
      'b.json': '{ "password": "hunter2" ',
      'c.json': mock,
      'dyn.json': mock,
      'with space.json': mock,
      'd.json': { ...mock, images: { ...web, issuer: { $env: 'UNSET' } } },
      'notes.txt': 'not looked at',
    });
    const text = message(() => readTenants({ ...base, directory: path }));
    expect(text).toContain('a.json: authorization: ');
    expect(text).toContain(
      'b.json: (root): is not JSON: line 1, column 25: the text ends before a comma or }',
    );
    expect(text).toContain(
      'dyn.json: (root): cannot be a tenant: /dyn is a path of the gateway itself; choose another name',
    );
    expect(text).toContain(
      'with space.json: (root): cannot be a tenant: its name must begin with a letter or digit and have only letters, digits, "_", "." and "-", 64 at most',
    );
    expect(text).toContain('d.json: images.issuer: environment variable UNSET is not set');
    expect(text).not.toContain('c.json');
    expect(text).not.toContain('hunter2');
  });

  test('names certificates and keys that cannot be used, without their content', () => {
    const tls = { ca: './ca.pem' };
    const path = directory({
      'ca.pem': 'not PEM but s3cret',
      'hospital.json': {
        authorization: { type: 'smart-on-fhir', fhirBaseUrl: 'https://ehr.example.org/fhir', tls },
        images: [web, { ...web, tls: { certificate: '/nowhere/c.pem', key: 'k' } }],
      },
    });
    const text = message(() => readTenants({ ...base, directory: path }));
    expect(text.split('\n').slice(1)).toEqual([
      `hospital.json: authorization.tls.ca: ${path}/ca.pem has no certificate in PEM format`,
      'hospital.json: images[1].tls.certificate: /nowhere/c.pem cannot be read (ENOENT)',
    ]);
  });

  test('IA-36 refuses names of paths of shared links, and links with an address that is too long', () => {
    const reserved = ['docs', 'share', 'shared', 'shl'];
    const share = { enabled: true };
    const path = directory({
      ...Object.fromEntries(reserved.map((name) => [`${name}.json`, mock])),
      'long-name.json': { ...mock, share },
      'long-name-2.json': mock,
    });
    // 128 characters for a name of 8: the address of `long-name` has one more.
    const baseUrl = `https://${'x'.repeat(128 - 43 - '/12345678/shl/'.length - 'https://'.length)}`;
    const text = message(() => readTenants({ ...base, directory: path, baseUrl }));
    for (const name of reserved) expect(text).toContain(`${name}.json: (root): cannot be a tenant`);
    expect(text).toContain('long-name.json: share.enabled: the address of a link would have 129 characters');
    expect(text).not.toContain('long-name-2');
    const short = directory({ '12345678.json': { ...mock, share } });
    expect(readTenants({ ...base, directory: short, baseUrl }).warnings).toEqual([]);
  });

  test('reads the tables and questions of a tenant, and says what is wrong with them', () => {
    const analysis = { enabled: true, views: ['lesions.txt'], questions: ['tally.sql'] };
    const path = directory({
      'a.json': { ...mock, analysis },
      'b.json': { ...mock, analysis: { ...analysis, views: ['nothing.txt'] } },
      'c.json': { ...mock, analysis: { enabled: true, views: ['tally.sql'] } },
      'lesions.txt': { name: 'lesions' },
      'tally.sql': 'SELECT 1',
    });
    const text = message(() => readTenants({ ...base, directory: path }));
    expect(text.split('\n').slice(1)).toEqual([
      expect.stringMatching(/^b\.json: analysis\.views\[0\]: the file cannot be read \(ENOENT\)$/),
      expect.stringMatching(/^c\.json: analysis\.views\[0\]: the file .*JSON/),
    ]);
    for (const name of ['b.json', 'c.json']) rmSync(join(path, name));
    const [tenant] = readTenants({ ...base, directory: path }).all;
    expect(tenant!.analysis).toMatchObject({
      definitions: [{ name: 'lesions' }],
      statements: ['SELECT 1'],
      questions: [join(path, 'tally.sql')],
    });
    writeFileSync(join(path, 'lesions.txt'), '{}');
    const [changed] = readTenants({ ...base, directory: path }).all;
    expect(changed!.cacheKey).not.toBe(tenant!.cacheKey);
    const analysisMistakes = () => [{ path: 'analysis.views[0]', reason: 'is wrong' }];
    expect(message(() => readTenants({ ...base, directory: path, analysisMistakes }))).toContain(
      'a.json: analysis.views[0]: is wrong',
    );
  });

  test('warns of a tenant that has no tables although it should', () => {
    const clinical = { type: 'fhir', baseUrl: 'https://ehr.example.org/fhir' };
    const path = directory({ 'a.json': { ...mock, clinical, analysis: { enabled: true } } });
    const { warnings } = readTenants({ ...base, directory: path });
    expect(warnings).toEqual([expect.stringMatching(/^a\.json: analysis\.enabled has no effect\./)]);
    const client = { client_id: 'a', client_secret: { $env: 'CLIENT_SECRET' } };
    const fetched = {
      ...mock,
      authorization: { type: 'smart-on-fhir', fhirBaseUrl: clinical.baseUrl, client },
      analysis: { enabled: true, source: 'bulk' },
    };
    const environment = { CLIENT_SECRET: 'a secret of this test' };
    const other = readTenants({ ...base, environment, directory: directory({ 'a.json': fetched }) });
    expect(other.warnings).toEqual([]);
  });

  test('IA-36 warns of a tenant that cannot share although it should', () => {
    const authorization = { type: 'smart-on-fhir', fhirBaseUrl: 'https://ehr.example.org/fhir' };
    const path = directory({ 'a.json': { authorization, images: web, share: { enabled: true } } });
    const { warnings } = readTenants({ ...base, directory: path });
    expect(warnings).toEqual([expect.stringMatching(/^a\.json: share\.enabled has no effect\. .*token/)]);
  });

  test('names TENANTS_DIR when the directory does not exist', () => {
    expect(message(() => readTenants({ ...base, directory: '/nowhere' }))).toContain('TENANTS_DIR');
  });

  test('warns of a secret in a file, without its value', () => {
    const authentication = { type: 'http-basic', username: 'u', password: 'hunter2' };
    const path = directory({ 'a.json': { ...mock, images: { ...web, authentication } } });
    const { warnings, all } = readTenants({ ...base, directory: path });
    expect(all).toHaveLength(1);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('images.authentication.password');
    expect(warnings[0]).not.toContain('hunter2');
  });
});

describe('SM-15 dynamic tenants', () => {
  const encode = (json: unknown) => Buffer.from(JSON.stringify(json)).toString('base64url');
  const dynamic = (json: unknown, more: Partial<TenantSettings> = {}) => {
    const tenants = readTenants({ ...base, directory: directory({}), ...more });
    return fault(async () => tenants.dynamic(typeof json === 'string' ? json : encode(json)));
  };
  const at = (endpoint: string) => ({ ...mock, images: { ...web, endpoint } });

  test.each<[string, unknown, string, Partial<TenantSettings>?]>([
    ['an allowed host', mock, 'found'],
    ['an allowed host and port', at('http://127.0.0.1:8042/dicom-web'), 'found'],
    ['a public host', at('https://pacs.public.example/dicom-web'), 'found'],
    ['another port of an allowed host', at('http://127.0.0.1:8043/dicom-web'), 'not_implemented'],
    ['the metadata service', at('http://169.254.169.254/latest'), 'not_implemented'],
    ['loopback by another spelling', at('http://2130706433:8042/'), 'found'],
    ['a user part that looks allowed', at('http://pacs.example.org@10.0.0.1/'), 'not_implemented'],
    [
      'a DIMSE host',
      {
        ...mock,
        images: { type: 'dicom-dimse', lookup: 'studies-by-mrn', endpoint: 'dimse://10.0.0.1:104' },
      },
      'not_implemented',
    ],
    [
      'a token endpoint deep inside',
      {
        ...mock,
        images: {
          ...web,
          authentication: {
            type: 'oauth2',
            tokenUrl: 'http://10.0.0.1/',
            client_id: 'c',
            client_secret: 's',
          },
        },
      },
      'not_implemented',
    ],
    [
      'a local folder',
      { ...mock, images: { type: 'folder', lookup: 'studies-by-mrn', path: '/data/demo/images' } },
      'not_found',
    ],
    ['a reference to the environment', at({ $env: 'DEMO_IMAGES' } as never), 'not_found'],
    [
      'a patient whose identifier system is a URL',
      {
        ...mock,
        authorization: {
          type: 'mock',
          patient: {
            resourceType: 'Patient',
            id: '1',
            identifier: [{ system: 'http://h.example.org', value: '1' }],
          },
        },
      },
      'found',
    ],
    ['not base64url', '%2e%2e', 'not_found'],
    ['not JSON', Buffer.from('{').toString('base64url'), 'not_found'],
    ['more than 8 KiB', { ...mock, '//': 'x'.repeat(8200) }, 'not_found'],
    ['dynamic tenants switched off', mock, 'not_found', { dynamic: false }],
    ['mock on a public address', mock, 'not_found', { mockAllowed: false }],
  ])('%s', async (_title, json, expected, more) => {
    expect(await dynamic(json, more)).toBe(expected);
  });

  test('says where the JSON of a configuration is broken', async () => {
    const tenants = readTenants({ ...base, directory: directory({}) });
    const broken = Buffer.from('{\n "images": s3cret }').toString('base64url');
    await expect(tenants.dynamic(broken)).rejects.toMatchObject({
      code: 'not_found',
      message: expect.stringMatching(
        /\(root\): is not JSON: line 2, column 12: a value is expected$/,
      ) as string,
    });
  });

  test.each([
    ["identifier.value.where($this.`matches`('^(a+)+$'))", /^images\.mrn\[0\]: the path calls a function/m],
    [
      "identifier.value.where($this.matches/**/('^(a+)+$'))",
      /^images\.mrn\[0\]: the path calls matches\(\)/m,
    ],
    ['identifier.aggregate($total.combine($total), identifier)', /calls aggregate\(\)/],
    ['identifier.where(', /the path is not FHIRPath \(line 1, column 18\)/],
    ['('.repeat(299), /more than 40 brackets/],
    [`identifier.where(${'value.exists() and '.repeat(20)}true)`, /longer than 300 characters/],
  ])('explains why the path %s cannot be used', async (path, reason) => {
    const tenants = readTenants({ ...base, directory: directory({}) });
    const encoded = encode({ ...mock, images: { ...web, mrn: [path] } });
    const refused = { code: 'not_found', message: expect.stringMatching(reason) as string };
    await expect(tenants.dynamic(encoded)).rejects.toMatchObject(refused);
    // The next request gets the same answer.
    await expect(tenants.dynamic(encoded)).rejects.toMatchObject(refused);
  });

  test('have a hash as their key, and the path of the URL', async () => {
    const tenants = readTenants({ ...base, directory: directory({}) });
    const encoded = encode(mock);
    const tenant = await tenants.dynamic(encoded);
    expect(tenant).toMatchObject({ path: `dyn/${encoded}`, dynamic: true });
    expect(tenant.key).toMatch(/^dyn:[0-9a-f]{32}$/);
    expect(await tenants.dynamic(encoded)).toBe(tenant);
  });
});

describe('FG-13 a file of trusted documents', () => {
  const operation = (more: object = {}) => ({
    id: documentIdOf('{ __typename }'),
    name: 'One',
    type: 'query',
    body: '{ __typename }',
    ...more,
  });
  const manifest = (operations: unknown, more: object = {}) => ({
    format: 'apollo-persisted-query-manifest',
    version: 1,
    operations,
    ...more,
  });
  const withManifest = (content: unknown) => {
    const graphql = { trustedDocumentsFile: 'documents.txt' };
    return directory({
      'a.json': { ...mock, graphql },
      ...(content !== undefined && { 'documents.txt': content }),
    });
  };

  test('is read with its tenant', () => {
    const { all } = readTenants({
      ...base,
      directory: withManifest(manifest([operation({ clientName: null })])),
    });
    expect([...all[0]!.graphql.documents!.values()]).toEqual(['{ __typename }']);
  });

  test.each<[string, unknown, string]>([
    ['that is missing', undefined, 'the file cannot be read'],
    ['that is not JSON', '{ "format"', 'the file is not JSON'],
    ['that is a list', [], 'no manifest of trusted documents: (root): '],
    ['of another format', manifest([], { format: 'relay' }), 'trusted documents: format: '],
    ['of another version', manifest([], { version: 2 }), 'trusted documents: version: '],
    ['without operations', manifest(undefined), 'trusted documents: operations: '],
    [
      'with an operation without text',
      manifest([operation(), operation({ body: undefined })]),
      'operations[1].body: ',
    ],
    [
      'with an id of another text',
      manifest([operation({ body: '{ a }' })]),
      'operations[0].id: must be the SHA-256 of body',
    ],
  ])('%s is an error', (_what, content, reason) => {
    const wrong = message(() => readTenants({ ...base, directory: withManifest(content) }));
    expect(wrong).toContain('a.json: graphql.trustedDocumentsFile: the file ');
    expect(wrong).toContain(reason);
  });
});
