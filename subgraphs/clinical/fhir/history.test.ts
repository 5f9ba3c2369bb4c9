/** vread and history (R4 §3.1.0.3, §3.1.0.4): each version is in reach, or not, by its own content. */
import Fastify from 'fastify';
import type { Bundle, OperationOutcome } from 'fhir/r4.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { restSources, SOURCES } from '../test/rest-sources.ts';
import { accessOf, fhirApp, startClinical, tenantOf } from '../test/servers.ts';
import { errorsIn } from '../test/validator.ts';

const { ask } = restSources();

describe.each(SOURCES)('%s that keeps one version', (source) => {
  const reads: [path: string, status: number, patients?: 'all'][] = [
    ['/Patient/ana/_history/3', 200],
    ['/Patient/ana/_history/2', 404],
    ['/Patient/ana/_history/a%2fb', 404],
    ['/Patient/bob/_history/1', 403],
    ['/Patient/nobody/_history/1', 403],
    ['/Condition/asthma/_history/1', 404],
    ['/Condition/bobs/_history/1', 404],
    ['/Patient/ana/_history', 200],
    ['/Patient/bob/_history', 403],
    ['/Condition/asthma/_history', 200],
    ['/Condition/bobs/_history', 404],
    ['/Condition/bobs/_history', 200, 'all'],
    ['/Condition/none/_history', 404],
    ['/Group/group/_history', 404],
    ['/Spaceship/1/_history', 404],
    ['/ImagingStudy/ehr-study/_history', 404],
    ['/ImagingStudy/ehr-study/_history/1', 404],
    ['/Patient/ana/_history?_since=2026-02-01T10:00:00Z', 200],
    ['/Patient/ana/_history?_since=yesterday', 400],
    ['/Patient/ana/_history?_since=2026-02-01', 400],
    ['/Patient/ana/_history?_at=2026', 400],
    ['/Patient/ana/_history?_sort=_id', 400],
    ['/Patient/ana/_history?_count=x', 400],
    ['/Patient/ana/_history?_cursor=x', 400],
  ];
  it.each(reads)('%s: %i', async (path, status, patients) => {
    const answer = await ask(source, path, patients && { patients });
    expect(answer.statusCode).toBe(status);
    if (status !== 200) expect(answer.json<OperationOutcome>().resourceType).toBe('OperationOutcome');
  });

  it('the current version is that version, with its ETag', async () => {
    const [current, version] = await Promise.all(
      ['', '/_history/3'].map((end) => ask(source, `/Patient/ana${end}`)),
    );
    expect(version!.json()).toEqual(current!.json());
    expect(version!.headers.etag).toBe('W/"3"');
    expect(
      (await ask(source, '/Patient/ana/_history/3', { headers: { 'if-none-match': 'W/"3"' } })).statusCode,
    ).toBe(304);
    expect((await ask(source, '/Patient/ana/_history/3?_elements=active')).json()).not.toHaveProperty('name');
  });

  it('a resource without a version of its own has one of its content', async () => {
    const current = await ask(source, '/Condition/asthma');
    const [, id = ''] = /^W\/"([A-Za-z0-9.-]{1,64})"$/.exec(String(current.headers.etag)) ?? [];
    const version = await ask(source, `/Condition/asthma/_history/${id}`);
    expect(version.json()).toEqual(current.json());
    expect(version.headers.etag).toBe(current.headers.etag);
    const headers = { 'if-none-match': String(current.headers.etag) };
    expect((await ask(source, '/Condition/asthma', { headers })).statusCode).toBe(304);
    const history = (await ask(source, '/Condition/asthma/_history')).json<Bundle>();
    expect(history.entry![0]!.response!.etag).toBe(current.headers.etag);
    const other = (await ask(source, '/Observation/glucose')).headers.etag;
    expect((await ask(source, `/Condition/asthma/_history/${String(other).slice(3, -1)}`)).statusCode).toBe(
      404,
    );
  });

  it.each(['_count=0', '_summary=count'])('a history with %s is counted', async (query) => {
    const history = (await ask(source, `/Patient/ana/_history?${query}`)).json<Bundle>();
    expect(history).toEqual({
      resourceType: 'Bundle',
      type: 'history',
      total: 1,
      link: [{ relation: 'self', url: 'http://localhost:4000/test/fhir/Patient/ana/_history?_count=0' }],
    });
  });

  it('the history is a valid Bundle with the one version', async () => {
    const history = (await ask(source, '/Patient/ana/_history')).json<Bundle>();
    expect(history).toMatchObject({
      type: 'history',
      total: 1,
      entry: [
        {
          fullUrl: 'http://localhost:4000/test/fhir/Patient/ana',
          resource: { id: 'ana', meta: { versionId: '3' } },
          request: { method: 'PUT', url: 'Patient/ana' },
          response: { status: '200', etag: 'W/"3"', lastModified: '2026-02-01T10:00:00Z' },
        },
      ],
    });
    expect(errorsIn(history)).toEqual([]);
    const later = await ask(source, '/Patient/ana/_history?_since=2026-02-02T00:00:00Z');
    expect(later.json()).toMatchObject({ type: 'history', total: 0 });
  });
});

describe('a FHIR server that keeps versions', () => {
  const version = (versionId: string, patient: string) => ({
    resourceType: 'Condition',
    id: 'moved',
    meta: { versionId },
    subject: { reference: `Patient/${patient}` },
    code: { text: patient },
  });
  const versions = [version('4', 'ana'), version('3', 'bob'), version('1', 'ana')];
  const asked: string[] = [];
  const ehr = Fastify();
  ehr.addHook('onRequest', async ({ url }) => void asked.push(url));
  ehr.get('/metadata', async () => {
    const interaction = ['read', 'vread', 'history-instance'].map((code) => ({ code }));
    const rest = [{ mode: 'server', resource: [{ type: 'Condition', interaction }] }];
    return { resourceType: 'CapabilityStatement', rest };
  });
  ehr.get('/Condition/moved/_history/:version', async ({ params }, reply) => {
    const { version } = params as { version: string };
    // A server that answers with the current version, whichever was asked for.
    if (version === '9') return versions[0];
    return versions.find(({ meta }) => meta.versionId === version) ?? reply.code(404).send({});
  });
  ehr.get('/Condition/moved/_history', async ({ query, hostname, port }) => {
    const { page = '1', _since: since } = query as { page?: string; _since?: string };
    const request = { method: 'PUT', url: 'Condition/moved' };
    const next = `http://${hostname}:${port}/Condition/moved/_history?page=2`;
    const elsewhere = { ...version('8', 'ana'), id: 'another' };
    if (since)
      return {
        resourceType: 'Bundle',
        type: 'history',
        link: [{ relation: 'next', url: 'https://user@other.example/x' }],
      };
    return page === '1'
      ? {
          resourceType: 'Bundle',
          type: 'history',
          total: 4,
          link: [{ relation: 'next', url: next }],
          entry: [
            { resource: versions[0], request },
            { resource: versions[1], request },
            { resource: elsewhere, request },
          ],
        }
      : {
          resourceType: 'Bundle',
          type: 'history',
          entry: [
            { request: { method: 'DELETE', url: 'Condition/moved' } },
            { resource: versions[2], request: { method: 'POST', url: 'Condition' } },
          ],
        };
  });
  ehr.get('/Condition/hidden/_history', async () => ({
    resourceType: 'Bundle',
    type: 'history',
    entry: [
      { resource: { ...versions[1], id: 'hidden' }, request: { method: 'PUT', url: 'Condition/hidden' } },
    ],
  }));

  let clinical: Awaited<ReturnType<typeof startClinical>>;
  let tenant: Tenant;
  beforeAll(async () => {
    clinical = await startClinical();
    tenant = tenantOf({ type: 'fhir', baseUrl: await ehr.listen({ host: '127.0.0.1', port: 0 }) });
  });
  afterAll(async () => {
    await ehr.close();
    await clinical.end();
  });

  const get = async (path: string, patients: readonly string[] | 'all', scope = 'patient/*.rs') => {
    const app = fhirApp(clinical.subgraph, tenant, () => accessOf(scope, patients));
    const answer = await app.inject(`/test/fhir${path}`);
    await app.close();
    return answer;
  };
  const idsOf = ({ entry = [] }: Bundle) =>
    entry.map(({ resource, request }) => resource?.meta?.versionId ?? request?.method);
  const nextOf = ({ link }: Bundle) =>
    link?.find(({ relation }) => relation === 'next')?.url.replace(/^.*\/test\/fhir/, '');

  it.each<[version: string, patients: string[] | 'all', status: number]>([
    ['4', ['ana'], 200],
    ['3', ['ana'], 404],
    ['3', ['bob'], 200],
    ['1', ['ana'], 200],
    ['2', ['ana'], 404],
    ['9', ['ana'], 404],
    ['3', 'all', 200],
  ])('SM-16 version %s for %j: %i', async (id, patients, status) => {
    expect((await get(`/Condition/moved/_history/${id}`, patients)).statusCode).toBe(status);
  });

  it.each<[patients: string[] | 'all', scope: string, pages: (string | undefined)[][]]>([
    [['ana'], 'patient/*.rs', [['4'], ['1']]],
    [['bob'], 'patient/*.rs', [['3'], []]],
    // A deletion has no content that could be judged.
    [
      'all',
      'system/*.rs',
      [
        ['4', '3'],
        ['DELETE', '1'],
      ],
    ],
    ['all', 'system/Condition.rs?code:text=ana', [['4'], ['1']]],
  ])('SM-16 pages through the history for %j with %s', async (patients, scope, pages) => {
    const first = (await get('/Condition/moved/_history', patients, scope)).json<Bundle>();
    const second = (await get(nextOf(first)!, patients, scope)).json<Bundle>();
    expect([idsOf(first), idsOf(second)]).toEqual(pages);
    expect([first.total, second.total, nextOf(second)]).toEqual([undefined, undefined, undefined]);
  });

  it('IA-7 a history of which nothing is in reach is one that does not exist', async () => {
    const [hidden, none] = await Promise.all(
      ['hidden', 'none'].map((id) => get(`/Condition/${id}/_history`, ['ana'])),
    );
    expect([hidden!.statusCode, hidden!.body]).toEqual([404, none!.body]);
  });

  it('a cursor leads nowhere else', async () => {
    asked.length = 0;
    const cursor = Buffer.from('/Patient/bob').toString('base64url');
    expect((await get(`/Condition/moved/_history?_cursor=${cursor}`, ['ana'])).statusCode).toBe(400);
    expect(asked).toEqual([]);
  });

  it('a next page at another server is an error, not the end', async () => {
    expect((await get('/Condition/moved/_history?_since=2026-01-01T00:00:00Z', ['ana'])).statusCode).toBe(
      502,
    );
  });
});
