/**
 * Each request is authorized alone, whatever is shared behind it (IA-23, IA-25, IA-29): identical requests of several
 * callers at the same time, two tenants over one source, and two calls of one connection with the end of a token or
 * capability between them. From every kind of source, over HTTP.
 */
import { Agent, request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { authorizationServer, type AuthorizationServer } from './authorization-server.ts';
import {
  recordsByRequest,
  SOURCES,
  startEverySource,
  type Answer,
  type EverySource,
  type Source,
} from './every-source.ts';
import { smallObjects } from './setup/small-objects.ts';
import { isInTurn, testEach } from './setup/usual-run.ts';

/** The mark of a patient is in all of their objects. */
const MARK = { a: 'MRN-a', b: 'MRN-b' };
/** Ways to retrieve a study; each uses its own study, so that the first request finds nothing cached. */
const WAYS: [name: string, path: (uid: string) => string, accept: string][] = [
  [
    'study',
    (uid) => `/dicomweb/studies/${uid}`,
    'multipart/related; type="application/dicom"; transfer-syntax=*',
  ],
  ['zip', (uid) => `/dicomweb/studies/${uid}`, 'application/zip; transfer-syntax=*'],
  ['metadata', (uid) => `/dicomweb/studies/${uid}/metadata`, '*/*'],
  ['frames', (uid) => `/dicomweb/studies/${uid}/series/${uid}.1/instances/${uid}.1.1/frames/1`, '*/*'],
  ['picture', (uid) => `/dicomweb/studies/${uid}/series/${uid}.1/instances/${uid}.1.1/rendered`, 'image/png'],
  ['series', (uid) => `/dicomweb/studies/${uid}/series`, '*/*'],
  ['FHIR', (uid) => `/fhir/ImagingStudy/${uid}`, '*/*'],
];
const uidOf = (patient: 'a' | 'b', number: number) => `1.11.${patient === 'a' ? 1 : 2}.${10 + number}`;
const ABSENT = '1.11.9.10';

let every: EverySource;
/** The EHR of the second tenant of each source: there the patient `a` has the number MRN-b. */
let second: AuthorizationServer;
let late = 0;
const now = () => Date.now() + late;
let number = 0;

beforeAll(async () => {
  second = await authorizationServer();
  const objects = (['a', 'b'] as const).flatMap((patient) =>
    WAYS.flatMap((_, index) =>
      smallObjects({
        studyUid: uidOf(patient, index),
        patientId: MARK[patient],
        description: MARK[patient],
        instances: 2,
        pixels: MARK[patient],
      }),
    ),
  );
  every = await startEverySource(Object.fromEntries(objects.map((file, index) => [`${index}.dcm`, file])), {
    now,
    files: (images, smart) => {
      const other = { type: 'smart-on-fhir', fhirBaseUrl: second.fhirBaseUrl, client: second.client };
      const bound = (source: Source) =>
        [images[source]].flat().map((one) => ({ ...one, retrieve: 'capability' }));
      return Object.fromEntries(
        SOURCES.flatMap((source) => [
          [source, { authorization: smart, images: images[source] }],
          [`second-${source}`, { authorization: { ...other, capabilityTtl: 100 }, images: bound(source) }],
        ]),
      );
    },
  });
  every.ehr.now = now;
  second.now = now;
  every.give('own', 'a');
  every.give('partner', 'a', { client_id: 'another-app' });
  every.give('other', 'b');
  const identifier = [{ value: MARK.b, type: { coding: [{ code: 'MR' }] } }];
  second.patients.set('a', { resourceType: 'Patient', id: 'a', identifier });
  giveAtSecond('own', 3600);
}, 60_000);
afterAll(async () => {
  await every?.close();
  await second?.close();
});

function giveAtSecond(token: string, seconds: number): void {
  const exp = Math.floor(now() / 1000) + seconds;
  second.tokens.set(token, { client_id: 'app', sub: token, exp, patient: 'a', scope: 'patient/*.rs' });
}

/** The body of an answer, with the part replaced in which two equal answers may differ. */
const settled = ({ body, headers }: Answer) => {
  const boundary = /boundary=(\S+)/.exec(String(headers['content-type']))?.[1] ?? ' ';
  return body.toString('latin1').replaceAll(boundary, 'BOUNDARY');
};

describe.concurrent.each(SOURCES)('%s', (source) => {
  /** `npm test` has each way with every other source. */
  const waysInRun = [...WAYS.entries()].filter(([row]) => isInTurn([row, SOURCES.indexOf(source)], 2));

  test('IA-23 identical requests at the same time are each decided and recorded for their caller', async () => {
    for (const [index, [name, path, accept]] of waysInRun) {
      const uid = uidOf('a', index);
      const ask = async (token: string, uid: string) => {
        const id = `each-alone-${number++}`;
        const headers = { accept, 'x-request-id': id };
        return { id, token, ...(await every.ask(`/${source}${path(uid)}`, { token, headers })) };
      };
      const refusal = await ask('other', ABSENT);
      const answers = await Promise.all(
        ['other', 'own', 'partner', 'other', 'own'].map((token) => ask(token, uid)),
      );
      const given = answers.find(({ token }) => token === 'own')!;
      const records = await recordsByRequest(every);
      for (const answer of answers) {
        const may = answer.token !== 'other';
        expect([name, answer.token, answer.status]).toEqual([name, answer.token, may ? 200 : 404]);
        expect(settled(answer)).toBe(settled(may ? given : refusal));
        const record = {
          user: answer.token,
          client: answer.token === 'partner' ? 'another-app' : 'app',
          study: uid,
          outcome: may ? { kind: 'allowed' } : { kind: 'denied', code: 'not_found' },
        };
        expect([name, records.get(answer.id)]).toEqual([name, [expect.objectContaining(record)]]);
        expect(records.get(answer.id)![0]!.patient).toBe(may ? 'a' : undefined);
      }
    }
  });

  test('IA-7, IA-25 two tenants over one source each have their own patients and addresses', async () => {
    const tenants = [
      { key: source, patient: 'a', foreign: 'b' },
      { key: `second-${source}`, patient: 'b', foreign: 'a' },
    ] as const;
    for (const [index, [name, path, accept]] of waysInRun) {
      const answers = await Promise.all(
        tenants.flatMap(({ key, patient, foreign }) =>
          ([patient, foreign, patient, 'absent'] as const).map(async (whose) => {
            const uid = whose === 'absent' ? ABSENT : uidOf(whose, index);
            const id = `each-alone-${number++}`;
            const answer = await every.ask(`/${key}${path(uid)}`, {
              headers: { accept, 'x-request-id': id },
            });
            return { key, id, other: MARK[foreign], own: whose === patient, ...answer };
          }),
        ),
      );
      const records = await recordsByRequest(every);
      for (const { key, id, other, own, status, body } of answers) {
        expect([name, key, status]).toEqual([name, key, own ? 200 : 404]);
        const text = body.toString('latin1');
        expect([name, key, text.includes(other)]).toEqual([name, key, false]);
        const addresses = text.match(/http:\/\/127\.0\.0\.1:\d+\/[^/"]+\/(?:dicomweb|wado)/g) ?? [];
        const base = `${every.gateway.baseUrl}/${key}/`;
        expect([name, addresses.filter((one) => !one.startsWith(base))]).toEqual([name, []]);
        if (own && ['metadata', 'series'].includes(name)) expect(text).toContain(base);
        expect([name, records.get(id)?.map(({ tenant }) => tenant)]).toEqual([name, [key]]);
      }
    }
  });
});

/** Opens one connection that is kept alive. */
function connection() {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ports = new Set<number>();
  const ask = (path: string, accept: string, token: string, etag?: string) =>
    new Promise<{ status: number; etag: string | undefined; body: string }>((done, failed) => {
      const headers = { accept, authorization: `Bearer ${token}`, ...(etag && { 'if-none-match': etag }) };
      const { hostname, port } = new URL(every.gateway.baseUrl);
      request({ agent, hostname, port, path, headers }, (response) => {
        ports.add(response.socket.localPort!);
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', failed);
        response.on('end', () =>
          done({
            status: response.statusCode!,
            etag: response.headers.etag,
            body: Buffer.concat(chunks).toString(),
          }),
        );
      })
        .on('error', failed)
        .end();
    });
  return { ask, ports, close: () => agent.destroy() };
}

describe.each(SOURCES)('%s, between two calls of one connection', (source) => {
  const inTurn = (_end: unknown, row: number) => isInTurn([row, SOURCES.indexOf(source)], 2);
  const statuses = async (
    paths: readonly (readonly [path: string, accept: string])[],
    tokens: readonly string[],
    between: () => void,
  ) => {
    const { ask, ports, close } = connection();
    try {
      const before = [];
      for (const [path, accept] of paths) before.push(await ask(path, accept, tokens[0]!));
      between();
      const after = [];
      for (const [index, [path, accept]] of paths.entries()) {
        after.push(await ask(path, accept, tokens[0]!, before[index]!.etag));
        for (const token of tokens.slice(1)) after.push(await ask(path, accept, token));
      }
      expect(ports.size).toBe(1);
      return [before, after].map((answers) => [...new Set(answers.map(({ status }) => status))]);
    } finally {
      close();
    }
  };
  const paths = WAYS.map(
    ([, path, accept], index) => [`/${source}${path(uidOf('a', index))}`, accept] as const,
  );

  testEach<[what: string, between: () => void]>(
    [
      ['a token ends', () => (late += 66_000)],
      [
        'a token is revoked',
        () => {
          every.ehr.tokens.delete('brief');
          // The gateway introspects it again after 30 s.
          late += 31_000;
        },
      ],
    ],
    inTurn,
  )('IA-23 %s: 401, after a 200 before', async (_what, between) => {
    every.give('brief', 'a', { exp: Math.floor(now() / 1000) + 60 });
    expect(await statuses(paths, ['brief'], between)).toEqual([[200], [401]]);
  });

  testEach<[what: string, seconds: number, late: number]>(
    [
      ['it ends', 3600, 101],
      ['its token ends', 60, 61],
    ],
    inTurn,
  )('IA-25 a capability is 403 after %s', async (_what, seconds, passed) => {
    const token = `bound-${source}-${seconds}`;
    giveAtSecond(token, seconds);
    const bases = await Promise.all(
      WAYS.slice(0, 6).map(async ([, path, accept], index) => {
        const endpoint = await every.ask(`/second-${source}/fhir/Endpoint/${uidOf('b', index)}`, { token });
        const { address } = JSON.parse(endpoint.body.toString()) as { address: string };
        return [path(uidOf('b', index)).replace('/dicomweb', new URL(address).pathname), accept] as const;
      }),
    );
    expect(await statuses(bases, [token], () => (late += passed * 1000))).toEqual([[200], [403]]);
  });
});
