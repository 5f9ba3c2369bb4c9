import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { request } from 'undici';
import { wholeLog } from './setup/child.ts';
import { expectUnharmed, harmOf, startWatchedGateway, type WatchedGateway } from './setup/unharmed.ts';

/**
 * Requests that are small enough to be accepted and would block all other callers if they were carried out (FG-12).
 */

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let gateway: WatchedGateway;
let instance: string;
let wadoUri: string;
beforeAll(async () => {
  gateway = await startWatchedGateway();
  const { text } = await get('/open/dicomweb/instances?limit=1');
  const [row] = JSON.parse(text) as Record<string, { Value: string[] }>[];
  const [study, series, object] = ['0020000D', '0020000E', '00080018'].map((tag) => row![tag]!.Value[0]!);
  instance = `/open/dicomweb/studies/${study}/series/${series}/instances/${object}`;
  // Code that the first requests load and compile is no harm of an attack.
  for (let i = 0; i < 30; i++) await graphql(ofPatient(`a${i}: id ConditionList { code { text } }`));
  wadoUri = `/open/wado-uri?requestType=WADO&studyUID=${study}&seriesUID=${series}&objectUID=${object}`;
});
afterAll(() => gateway?.stop());

interface Sent {
  method?: 'POST';
  headers?: Record<string, string>;
  body?: string;
}
interface Reply {
  status: number;
  text: string;
}

async function get(path: string, { method, headers, body }: Sent = {}): Promise<Reply> {
  const answer = await request(gateway.url + path, {
    method: method ?? 'GET',
    headers: { ...headers },
    body: body ?? null,
  });
  return { status: answer.statusCode, text: await answer.body.text() };
}

const graphql = (query: string, variables?: object, path = '/open/graphql'): Promise<Reply> =>
  posted(path, 'application/json', JSON.stringify({ query, variables }));
const posted = (path: string, type: string, body: string): Promise<Reply> =>
  get(path, { method: 'POST', headers: { 'content-type': type }, body });
const form = (path: string, body: string): Promise<Reply> =>
  posted(`/open/fhir/${path}/_search`, 'application/x-www-form-urlencoded', body);

const many = (count: number, part: (i: number) => string, separator = ' ') =>
  Array.from({ length: count }, (_, i) => part(i)).join(separator);
const nested = (count: number, open: string, core: string, close: string) =>
  open.repeat(count) + core + close.repeat(count);
const ids = (count: number) => many(count, (i) => `p${i}`, ',');
const ofPatient = (selection: string) =>
  `{ Patient(id: "87a339d0-8cae-418e-89c7-8651e6aab3c6") { ${selection} } }`;

type Attack = [what: string, send: () => Promise<Reply>, says: RegExp];

/** Sends attacks in sequence; expects a 400 with the reason for each, and no harm from all together. */
async function expectRefused(attacks: readonly Attack[]): Promise<void> {
  const answers: [string, number, string][] = [];
  const harm = await harmOf(gateway, async () => {
    for (const [what, send] of attacks) {
      const { status, text } = await send();
      answers.push([what, status, text.slice(0, 2000)]);
    }
  });
  for (const [index, [, , says]] of attacks.entries()) {
    expect(answers[index]).toEqual([attacks[index]![0], 400, expect.stringMatching(says)]);
  }
  const log = await wholeLog(gateway);
  expect(log.split('\n').filter((line) => /"stack"|RangeError|Maximum call stack/.test(line))).toEqual([]);
  expectUnharmed(harm);
}

test('FG-12 counts the parts of a document before it is validated', async () => {
  await graphql(ofPatient('id name { family } nosuch'));
  await graphql(ofPatient('id ConditionList { code { text } }'));
  const chain = (count: number) =>
    many(count, (i) => `fragment F${i} on Patient { ...F${i + 1} }`) + `fragment F${count} on Patient { id }`;
  const members = [
    'Patient',
    'Group',
    'Device',
    'Condition',
    'Observation',
    'Encounter',
    'Procedure',
    'List',
  ];
  const union = members.map((type) => `... on ${type} { id language }`).join(' ');
  const deep = /more than 150 brackets within one another/;
  await expectRefused([
    [
      '4 KB of 28 __schema',
      () => graphql(`{ ${many(28, (i) => `a${i}: __schema { ${SCHEMA} }`)} }`),
      /more than 1 __schema/,
    ],
    ['25 KB of one field', () => graphql(ofPatient('id '.repeat(7900))), /more than 500 fields/],
    ['25 KB of one object', () => graphql(ofPatient('name{family} '.repeat(1550))), /more than 500 fields/],
    [
      '80 times the same field',
      () => graphql(ofPatient('name{family} '.repeat(80))),
      /more than 2000 pairs of fields with the same name/,
    ],
    ['250 chained fragments', () => graphql(ofPatient('...F0') + chain(250)), /fragments within one another/],
    ['1,500 nested fragments', () => graphql(ofPatient('...F0') + chain(1500)), /more that 8000 tokens/],
    ['900 nested fragments', () => graphql(ofPatient('...F0') + chain(900)), /fragments within one another/],
    ['1,500 nested inline fragments', () => graphql(ofPatient(nested(1500, '...{', 'id', '}'))), deep],
    [
      '28 aliases of a union',
      () =>
        graphql(
          ofPatient(`ObservationList { subject { ${many(28, (i) => `a${i}: resource { ${union} }`)} } }`),
        ),
      /more than 200 uses of fragments|more than 60 selections of resources/,
    ],
    [
      '60 aliases of lists over both subgraphs',
      () => graphql(ofPatient(many(60, (i) => `a${i}: ImagingStudyList { DiagnosticReportList { id } }`))),
      /more than 60 selections of resources/,
    ],
    ['3,900 levels', () => graphql(nested(3900, '{a', '', '}')), deep],
    ['3,900 lists', () => graphql(`{ Patient(id: ${nested(3900, '[', '1', ']')}) { id } }`), deep],
    ['2,600 objects', () => graphql(`{ Patient(id: ${nested(2600, '{a:', '1', '}')}) { id } }`), deep],
    ['3,900 list types', () => graphql(`query($a: ${nested(3900, '[', 'Int', ']')}) { __typename }`), deep],
    [
      '1,000 variables',
      () => graphql(`query(${many(1000, (i) => `$a${i}: Int`)}) { __typename }`),
      /100 variables/,
    ],
    ['500 operations', () => graphql(many(500, (i) => `query Q${i} { __typename }`)), /50 operations/],
    [
      '1,000 values of an argument',
      () => graphql(`{ PatientList(family: [${'"a" '.repeat(1000)}]) { id } }`),
      /more than 500 values/,
    ],
    ['1,000 unknown fields', () => graphql(ofPatient(many(400, (i) => `nosuch${i}`))), /nosuch0/],
    [
      'a deep document of one resource',
      () => posted('/open/fhir/Patient/1/$graphql', 'application/graphql', nested(1500, '{a', '', '}')),
      deep,
    ],
    [
      'an unknown operation name',
      () => posted('/open/graphql', 'application/json', OTHER_NAME),
      /operationName/,
    ],
  ]);
});

const SCHEMA =
  'types { name kind fields { name args { name type { name } } type { name ofType { name kind } } } }';
const OTHER_NAME = JSON.stringify({ query: 'query A { __typename }', operationName: 'B' });

test('FG-12 counts values of variables before they are compared with their types', async () => {
  const query = (type: string) => `query($p: [String!]) { ${type}List(patient: $p) { id } }`;
  await graphql(query('ImagingStudy'), { p: ['a'] });
  await graphql(query('Observation'), { p: ['a'] });
  const raw = (value: string) =>
    posted(
      '/open/graphql',
      'application/json',
      `{"query":"${query('Observation')}","variables":{"p":${value}}}`,
    );
  await expectRefused([
    [
      '8,000 patients of images',
      () => graphql(query('ImagingStudy'), { p: ids(8000).split(',') }),
      /250 values/,
    ],
    [
      '8,000 patients of results',
      () => graphql(query('Observation'), { p: ids(8000).split(',') }),
      /250 values/,
    ],
    ['80,000 wrong values', () => raw(`[${'{},'.repeat(80_000)}{}]`), /more than 250 values/],
    ['120,000 levels', () => raw(nested(120_000, '[', '', ']')), /more than 250 values/],
  ]);
  // Too many values of one argument are an error of its field.
  for (const type of ['ImagingStudy', 'Observation']) {
    for (const p of [ids(101).split(','), [ids(101)]]) {
      const { status, text } = await graphql(query(type), { p });
      expect([status, text]).toEqual([200, expect.stringContaining('patient takes at most 100 values')]);
      expect(text).toContain('"code":"invalid_request"');
    }
  }
});

test('counts parameters of FHIR searches', async () => {
  await Promise.all([
    get('/open/fhir/ImagingStudy'),
    get('/open/fhir/Observation'),
    form('Observation', 'code=a'),
  ]);
  const values = (name: string) => new RegExp(`${name} takes at most 100 values`);
  const both = (query: string, says: RegExp): Attack[] =>
    ['ImagingStudy', 'Observation'].flatMap((type): Attack[] => [
      [`GET ${type}?${query.slice(0, 30)}`, () => get(`/open/fhir/${type}?${query}`), says],
      [`POST ${type}/_search ${query.slice(0, 30)}`, () => form(type, query), says],
    ]);
  await expectRefused([
    ...both(`patient=${ids(8000)}`, values('patient')),
    ...both(
      many(150, () => 'patient=a', '&'),
      values('patient'),
    ),
    ...both(`_elements=${'a,'.repeat(20_000)}`, values('_elements')),
    ...both(
      many(7000, (i) => `x${i}=1`, '&'),
      /at most 200 parameters/,
    ),
    ['_include', () => form('ImagingStudy', '_include=*&'.repeat(199)), values('_include')],
    ['_include often', () => form('ImagingStudy', '_include=*&'.repeat(20_000)), /at most 200 parameters/],
    [
      'identifiers of patients',
      () => form('ImagingStudy', `patient.identifier=${'a|b,'.repeat(50_000)}`),
      values('patient.identifier'),
    ],
    ['_id', () => form('ImagingStudy', `_id=${'1.2,'.repeat(12_000)}`), values('_id')],
    ['_lastUpdated', () => form('ImagingStudy', '_lastUpdated=ge2020&'.repeat(150)), values('_lastUpdated')],
    ['conditions', () => form('ImagingStudy', 'started=ge2020&'.repeat(31)), /at most 30 search parameters/],
    ['chains', () => form('Observation', 'patient.name=a&'.repeat(31)), /at most 30 search parameters/],
    [
      'sort keys',
      () => get(`/open/fhir/Observation?_sort=${'-date,'.repeat(99)}`),
      /_sort takes at most 10 keys/,
    ],
    [
      'sort keys of images',
      () => get(`/open/fhir/ImagingStudy?_sort=${'started,'.repeat(99)}`),
      /_sort takes at most 10 keys/,
    ],
    [
      'Accept',
      () => get('/open/fhir/Observation', { headers: { accept: 'a/b,'.repeat(15_000) } }),
      /header accept/,
    ],
    [
      'Prefer',
      () => get('/open/fhir/ImagingStudy', { headers: { prefer: 'a,'.repeat(15_000) } }),
      /header prefer/,
    ],
    [
      'a token with spaces in it',
      () => get('/demo/fhir/Patient/1', { headers: { authorization: `Bearer a${' '.repeat(60_000)}b` } }),
      /one token/,
    ],
  ]);
});

test('counts parameters and headers of requests for images', async () => {
  await Promise.all([
    get('/open/dicomweb/studies'),
    get(instance),
    get(`${instance}/metadata`),
    get(wadoUri),
  ]);
  const accept = (path: string, value: string) => get(path, { headers: { accept: value } });
  const patients = many(190, () => 'PatientID=*a*', '&');
  await expectRefused([
    [
      'UIDs',
      () => get(`/open/dicomweb/studies?StudyInstanceUID=${many(2500, (i) => `1.2.${i}`, ',')}`),
      /at most 500 values/,
    ],
    [
      'UIDs of objects',
      () => get(`/open/dicomweb/instances?${many(300, (i) => `SOPInstanceUID=1.2.${i}`, '&')}`),
      /at most 200 parameters/,
    ],
    ['patients', () => get(`/open/dicomweb/studies?${patients}`), /PatientID takes at most 100 values/],
    [
      'modalities',
      () => get(`/open/dicomweb/studies?ModalitiesInStudy=${'C*,'.repeat(400)}`),
      /at most 100 values/,
    ],
    [
      'fields',
      () => get(`/open/dicomweb/studies?includefield=${'00100010,'.repeat(7000)}`),
      /includefield takes at most 500 values/,
    ],
    ['parameters', () => get(`/open/dicomweb/studies?${'a&'.repeat(30_000)}`), /at most 200 parameters/],
    [
      'media types',
      () => accept('/open/dicomweb/studies', 'a/*,'.repeat(15_000)),
      /header accept takes at most 100/,
    ],
    [
      'media types of objects',
      () => accept(instance, 'multipart/related;type="application/dicom";transfer-syntax=1.2,'.repeat(900)),
      /header accept/,
    ],
    [
      'entity tags',
      () => get(`${instance}/metadata`, { headers: { 'if-none-match': '"a",'.repeat(15_000) } }),
      /header if-none-match/,
    ],
    [
      'ranges',
      () => get(`${instance}/bulkdata/7FE00010`, { headers: { range: `bytes=${'0-1,'.repeat(15_000)}` } }),
      /header range/,
    ],
    ['WADO-URI', () => get(`${wadoUri}&${'annotation=patient&'.repeat(3000)}`), /at most 200 parameters/],
    [
      'WADO-URI, media types',
      () => get(`${wadoUri}&contentType=${'image/*,'.repeat(7000)}`),
      /contentType takes at most 500 values/,
    ],
  ]);
});

test('FG-12 answers requests within the limits without harm to others', async () => {
  const observations = 'id status code { text coding { code system display } } valueQuantity { value unit }';
  // Other names make another document, which is in no cache.
  const queries = (a: string) => [
    ofPatient(many(29, (i) => `${a}${i}: ImagingStudyList(_count: 9) { DiagnosticReportList { id } }`)),
    ofPatient(many(59, (i) => `${a}${i}: ImagingStudyList { id }`)),
    ofPatient(
      `ObservationList(_count: 20) { ${many(29, (i) => `${a}${i}: subject { resource { ... on Patient { ImagingStudyList(_count: 3) { id } } } }`)} }`,
    ),
    ofPatient(many(80, (i) => `${a}${i}: name { given family text use suffix }`)),
    ofPatient(`${a}: id ${many(60, () => 'birthDate')}`),
    `{ ${a}: ObservationList(_count: 1000) { ${observations} } }`,
    `{ ${a}: __type(name: "Patient") { fields { name args { name } type { name kind ofType { name } } } } }`,
  ];
  const send = async (name: string) => {
    for (const query of queries(name)) {
      const { status, text } = await graphql(query);
      expect([query, status, text.slice(0, 7)]).toEqual([query, 200, '{"data"']);
    }
    for (const type of ['ImagingStudy', 'Observation']) {
      const { status } = await get(`/open/fhir/${type}?patient=${ids(100)}`);
      expect([type, status]).toEqual([type, 200]);
    }
    const uids = many(500, (i) => `1.2.${i}`, ',');
    expect(await get(`/open/dicomweb/studies?StudyInstanceUID=${uids}`)).toEqual({ status: 200, text: '[]' });
  };
  await send('a');
  expectUnharmed(await harmOf(gateway, () => send('b')));
});

test('documents that all differ take no more memory than the limits of the caches', async () => {
  const one = (i: number) =>
    graphql(ofPatient(many(70, (j) => `a${i}b${j}: name { given family text use suffix }`)));
  await one(0);
  const harm = await harmOf(gateway, async () => {
    for (let i = 1; i <= 120; i++) expect((await one(i)).status).toBe(200);
  });
  expect(harm.growth).toBeLessThan(200);
});
