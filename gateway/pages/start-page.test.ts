import { fastify, type FastifyReply } from 'fastify';
import { createServer } from 'node:http';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tenantsOf } from '../test/gateway-alone.ts';
import { freePort } from '../test/setup/free-port.ts';
import { timeAwake } from '../test/setup/processor-time.ts';
import { reachability } from './reachable.ts';
import { startPage, type StartPageOptions } from './start-page.ts';
import { offerOf } from './visitor-token.ts';

const FOLDER = { type: 'folder', path: '/images', lookup: 'all-studies-on-server' };
const STORE = { type: 'store', path: '/patients' };
const MOCK = { authorization: { type: 'mock', disableAuthzChecks: true }, clinical: STORE, images: FOLDER };
const EHR = { type: 'smart-on-fhir', fhirBaseUrl: 'https://ehr.example.org/r4' };
const ARCHIVE = {
  type: 'dicom-web',
  lookup: 'studies-by-mrn',
  endpoint: 'https://pacs.example.org/dicom-web',
};
const HOSPITAL = { authorization: EHR, images: ARCHIVE };

/** Returns the answer of a start page, and its text without tags. */
async function visit(files: Record<string, unknown>, options: Partial<StartPageOptions> = {}) {
  const app = fastify();
  // A token endpoint.
  app.addContentTypeParser('*', (_request, _body, done) => done(null));
  app.post('/demo/oauth/token', async () => ({ access_token: 'a-token', expires_in: 300 }));
  await app.register(
    startPage(tenantsOf(files), {
      baseUrl: 'https://gateway.example.org/imaging',
      version: '1.2.3',
      metrics: true,
      readiness: { loading: () => [] },
      ...options,
    }),
  );
  const { body, headers } = await app.inject('/');
  await app.close();
  const [shown, folded = ''] = body.split('<details>');
  const text = body.replace(/<(style|script).*?<\/\1>/gs, ' ').replace(/<[^>]+>/g, ' ');
  const policy = String(headers['content-security-policy']);
  return { body, shown: shown!, folded, text: text.replace(/\s+/g, ' ').trim(), policy };
}

const keys = (html: string) => [...html.matchAll(/<h3>([^ <]+)/g)].map(([, key]) => key);

describe('a server where nobody can try anything', () => {
  test('shows nothing but its name, its version and its health', async () => {
    const { text, body, policy } = await visit({ hospital: HOSPITAL, clinic: HOSPITAL });
    expect(text).toBe('SMART Imaging Gateway SMART Imaging Gateway Version 1.2.3 Health ready');
    expect([...body.matchAll(/href="([^"]*)"/g)].map(([, href]) => href)).toEqual(['health/ready']);
    expect(policy).not.toContain('script-src');
    expect((await visit({}, { readiness: { loading: () => [{}] } })).text).toMatch(/Health loading records$/);
  });

  test('asks no server for it', async () => {
    const reachable = () => Promise.reject(new Error('asked'));
    expect((await visit({ hospital: HOSPITAL }, { reachable })).text).toContain('ready');
  });
});

describe('a demonstration', () => {
  const delayed = { ...MOCK, images: { ...FOLDER, delay: { lookupUntil: 4_833_623_642 } } };
  const embedded = { ...MOCK, authorization: { type: 'embedded' } };
  const files = { away: HOSPITAL, delayed, demo: embedded, here: HOSPITAL, open: MOCK };
  const reachable: StartPageOptions['reachable'] = async ({ key }) => key === 'here';

  test('leads: the sentence, the picture, the three ways, the request, the people, the state, the tenants', async () => {
    const people = async () => [
      { id: 'p', reference: 'Patient/p', name: 'Ann Doe', birthDate: '1970-01-01' },
    ];
    const { body, text } = await visit(files, { people });
    const order = ['class="lead"', '<svg', 'Open the viewer', 'Open the playground', 'Make a request', '<pre']
      .concat('You can sign in as', 'Ann Doe', 'This server', '1.2.3', '<h2>Tenants', '<details>')
      .map((part) => body.indexOf(part));
    expect(order).toEqual(order.toSorted((a, b) => a - b));
    expect(order).not.toContain(-1);
    expect(body).toContain('href="app/?tenant=demo"');
    expect(text).toContain('demonstration: 3 of 5 tenants need no password');
  });

  test('shows the tenants that work first, and folds those that need other servers', async () => {
    const { shown, folded, text } = await visit(files, { reachable });
    expect(keys(shown)).toEqual(['demo', 'open', 'delayed']);
    expect(keys(folded)).toEqual(['here', 'away']);
    expect(folded).toContain('<h3>away <small>(unreachable)</small>');
    expect(folded).toContain('<h3>here</h3>');
    expect(text).toContain('2 need other servers: 1 reachable, 1 unreachable');
  });

  test('marks a tenant of a source that is known to be away', async () => {
    const source = { tenant: 'here', source: 'images[0] (dicom-web)', state: 'open', since: 0 } as const;
    const readiness = { loading: () => [], awaySources: () => [source] };
    expect((await visit(files, { reachable, readiness })).text).toContain('0 reachable, 2 unreachable');
  });

  test('does not wait for servers that do not answer', async () => {
    const never = () => new Promise<never>(() => undefined);
    const visited = async () => {
      const { text } = await visit(files, { reachable: never, people: never });
      expect(text).toContain('0 reachable, 0 unreachable, 2 not known yet');
    };
    expect(await timeAwake(visited)).toBeLessThan(2_000);
  });

  test('is the page of the first process, which has the tokens, unless processes share a store', async () => {
    const to = async (_request: unknown, reply: FastifyReply) => void reply.send('passed on');
    expect((await visit(files, { passOn: { to, isShared: false } })).body).toBe('passed on');
    expect((await visit(files, { passOn: { to, isShared: true } })).body).toContain('Open the viewer');
  });

  test('escapes names', async () => {
    const people = async () => [{ id: 'p', reference: 'Patient/p', name: '<i>"Ann"' }];
    const { body } = await visit({ demo: embedded, '<u>x': MOCK }, { people, version: '<s>' });
    expect(body).not.toMatch(/<[ius]>/);
    expect(body).toContain('&#60;i&#62;&#34;Ann&#34;');
  });

  test('with a token for visitors, has a command with it, and a link to a tenant that answers without one', async () => {
    const clients = [{ client_id: 'start-page', client_secret: 'x'.repeat(20) }];
    const policy = [{ client_id: 'start-page', patients: ['p1'] }];
    const demo = { ...MOCK, authorization: { type: 'embedded', clients, policy } };
    const { body } = await visit({ ...files, demo });
    expect(body).toContain('-H &#34;authorization: Bearer a-token&#34;');
    expect(body).toContain('href="open/fhir/ImagingStudy?patient=Patient/p1"');
  });

  test('tells analysts where they can ask about all patients', async () => {
    const clients = [{ client_id: 'start-page', client_secret: 'x'.repeat(20) }];
    const policy = [{ client_id: 'start-page', patients: ['p1'] }];
    const demo = { ...MOCK, authorization: { type: 'embedded', clients, policy } };
    const way = async (tenants: Record<string, unknown>) =>
      /Open the playground (.*?) Make a request/.exec((await visit(tenants)).text)![1];
    const analysts = 'For analysts and developers: write a query, see its answer as a table or chart.';
    const token = 'npm start prints the command for a token.';
    expect(await way({ open: MOCK })).toBe(analysts);
    expect(await way({ demo })).toBe(`${analysts} For all patients: ${token}`);
    const user = 'https://gateway.example.org/imaging/demo/fhir/Practitioner/analyst';
    const withUser = { ...demo.authorization, policy: [...policy, { user, patients: ['p1', 'p2'] }] };
    expect(await way({ demo: { ...demo, authorization: withUser } })).toBe(
      `${analysts} For all patients: sign in there as analyst.`,
    );
    expect(await way({ ...files, demo })).toBe(
      `${analysts} For all patients: the tenant open needs no token; ${token}`,
    );
  });

  test('leads an analyst to the population by one click', async () => {
    const user = 'https://gateway.example.org/imaging/population/fhir/Practitioner/analyst';
    const population = (row: object) => ({
      ...MOCK,
      authorization: { type: 'embedded', policy: [{ patients: ['p1'], ...row }] },
    });
    const link = 'href="population/playground?analyst"';
    expect((await visit({ ...files, population: population({ user }) })).body).toContain(link);
    const ofOther = { user: 'https://ehr.example.org/fhir/Practitioner/analyst' };
    for (const row of [ofOther, { client_id: 'backend' }])
      expect((await visit({ ...files, population: population(row) })).body).not.toContain(link);
  });

  test('without a token for visitors, has a request that needs none', async () => {
    const { body } = await visit({ open: MOCK });
    expect(body).toContain('>curl -s https://gateway.example.org/imaging/open/fhir/metadata</pre>');
  });

  test.each([
    ['one patient', ['p1'], true],
    ['two patients', ['p1', 'p2'], false],
    ['no patient', [], false],
  ])('has a token for visitors if the policy of the client start-page names %s', (_, patients, isOffered) => {
    const clients = [{ client_id: 'start-page', client_secret: 'x'.repeat(20) }];
    const policy = [{ client_id: 'start-page', patients }];
    const tenantsWith = (authorization: object) => tenantsOf({ demo: { ...MOCK, authorization } }).all;
    expect(offerOf(tenantsWith({ type: 'embedded', clients, policy })) !== undefined).toBe(isOffered);
    expect(offerOf(tenantsWith({ ...EHR, clients, policy }))).toBeUndefined();
  });
});

describe('whether servers can be reached', () => {
  const asked: string[] = [];
  const web = createServer((request, response) => {
    asked.push(`${request.method} ${request.headers.authorization}`);
    response.writeHead(request.url === '/broken' ? 500 : 401).end();
  });
  const pacs = createTcpServer((socket) => socket.end());
  const portOf = (server: typeof web | typeof pacs) => (server.address() as AddressInfo).port;
  beforeAll(() =>
    Promise.all(
      [web, pacs].map((server) => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))),
    ),
  );
  afterAll(() => [web, pacs].forEach((server) => server.close()));

  const tenantOf = (images: object) => tenantsOf({ one: { ...MOCK, images } }).all[0]!;
  const archive = (port: number, path = '') =>
    tenantOf({ ...ARCHIVE, endpoint: `http://127.0.0.1:${port}${path}` });
  const dimse = (port: number) =>
    tenantOf({
      type: 'dicom-dimse',
      lookup: 'studies-by-mrn',
      retrieval: 'c-get',
      endpoint: `dimse://127.0.0.1:${port}`,
      ae: 'A',
    });

  test('any answer counts, by HTTP and by a connection of DIMSE', async () => {
    const reachable = reachability({ dispatcher: () => undefined, now: Date.now });
    const closed = await freePort();
    const tenants = [
      archive(portOf(web)),
      archive(portOf(web), '/broken'),
      dimse(portOf(pacs)),
      archive(closed),
      dimse(closed),
    ];
    expect(await Promise.all(tenants.map(reachable))).toEqual([true, true, true, false, false]);
  });

  test('a server is asked once a minute, without credentials, whoever opens the page', async () => {
    let now = 0;
    const reachable = reachability({ dispatcher: () => undefined, now: () => now });
    asked.length = 0;
    const visits = () => Promise.all(Array.from({ length: 20 }, () => reachable(archive(portOf(web)))));
    await visits();
    await visits();
    expect(asked).toEqual(['HEAD undefined']);
    now = 61_000;
    await visits();
    expect(asked).toHaveLength(2);
  });
});
