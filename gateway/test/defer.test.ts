/** FG-22: parts of an answer that come later. The record does not wait for a slow archive. */
import { ApolloClient, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { Defer20220824Handler, GraphQL17Alpha9Handler } from '@apollo/client/incremental';
import { Client, fetchExchange } from '@urql/core';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { writePatients } from '../bench/data/large-patient.ts';
import { freePort } from './setup/free-port.ts';
import { startOrthanc, type Orthanc } from './setup/orthanc.ts';
import { startTcpProxy, type TcpProxy } from './setup/tcp-proxy.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';

/** Milliseconds that the archive takes for each answer. */
const SLOW = 5_000;
const RECORD = 'id birthDate ConditionList { id code { text } } AllergyIntoleranceList { id criticality }';
const IMAGES = 'ImagingStudyList { id started series { uid } }';
const WHOLE = `{ Patient(id: "p1") { ${RECORD} ${IMAGES} } }`;
const DEFERRED = `{ Patient(id: "p1") { ${RECORD} ... @defer(label: "images") { ${IMAGES} } } }`;

const directory = mkdtempSync(join(tmpdir(), 'defer-'));
let orthanc: Orthanc;
let proxy: TcpProxy;
let gateway: TestGateway;

beforeAll(async () => {
  const data = await writePatients(directory, { resources: 5 });
  const files = readdirSync(data.images, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
  orthanc = await startOrthanc({ files });
  proxy = await startTcpProxy(Number(new URL(orthanc.url).port));
  const { username, password } = orthanc;
  gateway = await buildTestGateway(
    ({ patients }) => ({
      t: {
        authorization: { type: 'mock', disableAuthzChecks: true },
        clinical: { type: 'store', path: patients },
        images: {
          type: 'dicom-web',
          endpoint: `http://127.0.0.1:${proxy.port}/dicom-web`,
          authentication: { type: 'http-basic', username, password },
          lookup: 'studies-by-mrn',
        },
      },
    }),
    data,
    undefined,
    { port: await freePort() },
  );
  expect(await whole()).toMatchObject({ data: { Patient: { ImagingStudyList: { length: 10 } } } });
}, 90_000);
beforeEach(() => {
  proxy.heldBack = () => 0;
  gateway.forget();
});
afterAll(async () => {
  await gateway?.close();
  await proxy?.stop();
  await orthanc?.stop();
  rmSync(directory, { recursive: true });
});

const post = (query: string, accept: string, variables = {}) =>
  request(`${gateway.baseUrl}/t/graphql`, {
    method: 'POST',
    headers: { accept, 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  });

async function whole(query = WHOLE): Promise<unknown> {
  const { body } = await post(query, 'application/json');
  return body.json();
}

interface Part {
  data?: Record<string, unknown>;
  hasNext: boolean;
  incremental?: { data: object | null; path: unknown[]; label?: string; errors?: { extensions: object }[] }[];
  pending?: { id: string; path: unknown[]; label?: string }[];
  completed?: { id: string }[];
}

/** Returns the parts of a multipart answer, each with the time after the request. */
async function parts(
  query: string,
  { accept = 'multipart/mixed;deferSpec=20220824, application/json', most = Infinity } = {},
) {
  const begun = performance.now();
  const { headers, body } = await post(query, accept);
  const found: (Part & { at: number })[] = [];
  let text = '';
  for await (const chunk of body) {
    text += (chunk as Buffer).toString();
    for (let end; (end = text.search(/\r\n---(--)?\r\n/)) >= 0; text = text.slice(end + 5)) {
      const json = text.slice(0, end).split('\r\n\r\n')[1];
      if (json) found.push({ ...(JSON.parse(json) as Part), at: performance.now() - begun });
    }
    if (found.length >= most) break;
  }
  return { type: headers['content-type'], parts: found };
}

describe('while the archive takes five seconds', () => {
  beforeEach(() => {
    proxy.heldBack = () => SLOW;
  });

  test('the first part comes within 1.3 × the time of the record alone', async () => {
    expect((await parts(DEFERRED)).parts.at(-1)!.at).toBeGreaterThan(SLOW - 100);
    gateway.forget();
    const alone: number[] = [];
    const first: number[] = [];
    // Alternated, and the fastest of many: other tests use the processors at the same time.
    for (let round = 0; round < 15; round++) {
      const begun = performance.now();
      await whole(`{ Patient(id: "p1") { ${RECORD} } }`);
      alone.push(performance.now() - begun);
      gateway.forget();
      first.push((await parts(DEFERRED, { most: 1 })).parts[0]!.at);
      gateway.forget();
    }
    // A few milliseconds are the timers'.
    expect(Math.min(...first)).toBeLessThan(1.3 * Math.min(...alone) + 5);
  }, 60_000);

  test('a client that leaves does no harm', async () => {
    const { body } = await post(DEFERRED, 'multipart/mixed;deferSpec=20220824');
    for await (const _ of body) break;
    expect(await whole('{ Patient(id: "p1") { id } }')).toEqual({ data: { Patient: { id: 'p1' } } });
  });
});

test.each([
  ['multipart/mixed;deferSpec=20220824, application/json', 'deferSpec=20220824'],
  ['multipart/mixed, application/json', 'deferSpec=20220824'],
  ['multipart/mixed;incrementalSpec=v0.2, application/json', 'incrementalSpec=v0.2'],
])('%s: the parts together are the whole answer', async (accept, form) => {
  const { data } = (await whole()) as { data: { Patient: object } };
  gateway.forget();
  const { type, parts: found } = await parts(DEFERRED, { accept });
  expect(type).toBe(`multipart/mixed; boundary="-"; ${form}`);
  const [first, later, ...others] = found;
  expect(others).toEqual([]);
  const isLatest = form === 'incrementalSpec=v0.2';
  expect(first).toMatchObject({ hasNext: true, data: { Patient: { id: 'p1' } } });
  expect(first!.data!['Patient']).not.toHaveProperty('ImagingStudyList');
  const announced = { path: ['Patient'], label: 'images' };
  expect(first!.pending).toEqual(isLatest ? [{ id: '0', ...announced }] : undefined);
  const [part] = later!.incremental!;
  expect(part).toMatchObject(isLatest ? { id: '0' } : announced);
  expect(later).toMatchObject({ hasNext: false, ...(isLatest && { completed: [{ id: '0' }] }) });
  expect({ ...(first!.data!['Patient'] as object), ...part!.data }).toEqual(data.Patient);
});

test.each([['application/json'], ['*/*'], ['application/graphql-response+json']])(
  'Accept %s gets an ordinary answer',
  async (accept) => {
    const { headers, body } = await post(DEFERRED, accept);
    expect(headers['content-type']).toMatch(/^application\/(graphql-response\+)?json/);
    expect(await body.json()).toEqual(await whole());
  },
);

test('@defer(if: false) comes at once', async () => {
  const { type, parts: found } = await parts(DEFERRED.replace('@defer(', '@defer(if: false, '));
  expect(type).toMatch(/^application\/json/);
  expect(found).toEqual([]);
});

test('a part within a part comes after it', async () => {
  const inner = `ImagingStudyList(_count: 1) { id ... @defer(label: "series") { series { uid } } }`;
  const { parts: found } = await parts(
    `{ Patient(id: "p1") { id ... @defer(label: "images") { ${inner} } } }`,
  );
  const labels = found.flatMap(({ incremental = [] }) => incremental.map(({ label, path }) => [label, path]));
  expect(labels).toEqual([
    ['images', ['Patient']],
    ['series', ['Patient', 'ImagingStudyList', 0]],
  ]);
});

test('the error of a part is with the part', async () => {
  proxy.cutAfter = 0;
  const { parts: found } = await parts(DEFERRED);
  proxy.cutAfter = Infinity;
  expect(found[0]).not.toHaveProperty('errors');
  expect(found[1]!.incremental).toMatchObject([
    { data: { ImagingStudyList: null }, errors: [{ extensions: { service: 'imaging', status: 503 } }] },
  ]);
});

test('more than 100 parts are refused', async () => {
  const aliases = Array.from({ length: 25 }, (_, at) => `... @defer(label: "${at}") { a${at}: status }`).join(
    ' ',
  );
  const { body } = await post(
    `{ Patient(id: "p1") { ObservationList(_count: 5) { id ${aliases} } } }`,
    'multipart/mixed;deferSpec=20220824',
  );
  expect(await body.text()).toContain('"code":"too_large"');
});

describe('clients that we did not write', () => {
  test('urql', async () => {
    const client = new Client({
      url: `${gateway.baseUrl}/t/graphql`,
      exchanges: [fetchExchange],
      preferGetMethod: false,
    });
    const seen: unknown[] = [];
    await new Promise<void>((resolve) => {
      client.query(DEFERRED, {}).subscribe(({ data, hasNext }) => {
        seen.push(JSON.parse(JSON.stringify(data)));
        if (!hasNext) resolve();
      });
    });
    expect(seen[0]).not.toHaveProperty('Patient.ImagingStudyList');
    expect({ data: seen.at(-1) }).toEqual(await whole());
  });

  test.each([
    ['20220824', () => new Defer20220824Handler()],
    ['alpha 9', () => new GraphQL17Alpha9Handler()],
  ])('Apollo Client, %s', async (_form, handler) => {
    const client = new ApolloClient({
      link: new HttpLink({ uri: `${gateway.baseUrl}/t/graphql` }),
      cache: new InMemoryCache({ addTypename: false } as never),
      incrementalHandler: handler(),
    });
    const seen: unknown[] = [];
    await new Promise<void>((resolve, reject) => {
      client.watchQuery({ query: gql(DEFERRED), fetchPolicy: 'no-cache' }).subscribe({
        next({ data, dataState }) {
          if (data) seen.push(data);
          if (dataState === 'complete') resolve();
        },
        error: reject,
      });
    });
    const plain = JSON.parse(
      JSON.stringify(seen.at(-1), (key, value: unknown) => (key === '__typename' ? undefined : value)),
    ) as unknown;
    expect(seen[0]).not.toHaveProperty('Patient.ImagingStudyList');
    expect({ data: plain }).toEqual(await whole());
    client.stop();
  });
});
