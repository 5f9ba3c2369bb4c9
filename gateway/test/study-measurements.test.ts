/** Priors, measurements and dose (FG-18) over the whole gateway and real sources. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Bundle, Observation, OperationOutcome } from 'fhir/r4.js';
import { complaints } from '../../subgraphs/imaging/test/fhir-judges.ts';
import { startEverySource, type EverySource } from './every-source.ts';
import { DISPUTED, FOREIGN, objects, RECORDED, resources, STUDY, subject } from './measured-studies.ts';
import { testEach } from './setup/usual-run.ts';

const SOURCES = ['folder', 'dicom-web', 'c-get'] as const;
let every: EverySource;
let record: string;

beforeAll(async () => {
  record = await mkdtemp(join(tmpdir(), 'measurements-'));
  const entry = resources.map((resource) => ({ resource }));
  await writeFile(
    join(record, 'all.json'),
    JSON.stringify({ resourceType: 'Bundle', type: 'collection', entry }),
  );
  every = await startEverySource(objects, {
    files: (images, smart) => {
      const tenant = (of: object, more: object = {}) => ({
        authorization: { ...smart, ...more },
        clinical: { type: 'store', path: record },
        images: of,
      });
      return {
        ...Object.fromEntries(SOURCES.map((source) => [source, tenant(images[source])])),
        withheld: tenant(images.folder, { withhold: [{ studyUid: ['1.2.3.7', RECORDED] }] }),
        delayed: tenant({ ...images.folder, delay: { retrieveUntil: 4_000_000_000 } }),
      };
    },
  });
  every.give('own', 'p1');
  every.give('images', 'p1', { scope: 'patient/ImagingStudy.rs' });
  every.give('record', 'p1', { scope: 'patient/Observation.rs' });
  every.give('laboratory', 'p1', {
    scope: 'patient/ImagingStudy.rs patient/Observation.rs?category=laboratory',
  });
}, 60_000);
afterAll(async () => {
  await every?.close();
  await rm(record, { recursive: true, force: true });
});

interface GraphqlAnswer {
  data: Record<string, unknown>;
  errors?: { extensions: { code: string } }[];
}
async function graphql(tenant: string, query: string, token = 'own') {
  const { body } = await every.ask(`/${tenant}/graphql`, { json: { query }, token });
  return JSON.parse(body.toString()) as GraphqlAnswer;
}
async function search(tenant: string, query: string, { token = 'own', strict = false } = {}) {
  const headers: Record<string, string> = strict ? { prefer: 'handling=strict' } : {};
  const { status, body } = await every.ask(`/${tenant}/fhir/Observation?${query}`, { token, headers });
  const bundle = JSON.parse(body.toString()) as Bundle;
  const of = (mode: string) =>
    (bundle.entry ?? []).filter((one) => one.search?.mode === mode).map(({ resource }) => resource);
  return {
    status,
    bundle,
    found: of('match') as Observation[],
    outcomes: (of('outcome') as OperationOutcome[]).flatMap(({ issue }) => issue),
  };
}
const shown = ({ code, valueQuantity: of, valueString }: Observation) =>
  `${code.text}: ${of ? `${of.value} ${of.code}` : (valueString ?? '')}`;

const usual = (source: string) => source !== 'c-get';

testEach(SOURCES, usual)(
  'FG-18 %s: a study has its measurements, its dose and its priors',
  async (source) => {
    const { data, errors } = await graphql(
      source,
      `{ ImagingStudy(id: "${STUDY}") {
      measurements { id status code { text } valueQuantity { value code } valueString bodySite { text }
        identifier { value } subject { reference } meta { source } derivedFrom { reference resource { __typename } } }
      dose { report events { uid ctdiVol { value code } notes } }
      priors { id }
      mr: priors(modality: ["MR"]) { id }
      abdomen: priors(bodySite: ["ABDOMEN"]) { id }
      newest: priors(_count: 1) { id }
    } }`,
    );
    expect(errors).toBeUndefined();
    const meta = { source: `urn:oid:${STUDY}.9.1` };
    const common = { status: 'final', meta, subject, bodySite: { text: 'Lung' } };
    expect(data['ImagingStudy']).toMatchObject({
      measurements: [
        {
          ...common,
          identifier: [{ value: 'Nodule 1' }],
          valueQuantity: { value: 12.5, code: 'mm' },
          derivedFrom: [
            { reference: `ImagingStudy/${STUDY}`, resource: { __typename: 'ImagingStudy' } },
            { resource: null },
          ],
        },
        { ...common, valueQuantity: null, valueString: '900' },
      ],
      dose: [
        {
          report: `${STUDY}.9.2`,
          events: [{ uid: '1.2.3.1.55', ctdiVol: { value: 10.25, code: 'mGy' }, notes: [] }],
        },
      ],
      priors: ['1.2.3.7', RECORDED, '1.2.3.2', '1.2.3.3', 'ehr-prior', DISPUTED].map((id) => ({ id })),
      mr: [{ id: '1.2.3.5' }],
      abdomen: [{ id: '1.2.3.4' }],
      newest: [{ id: '1.2.3.7' }],
    });
  },
);

testEach(SOURCES, usual)('FG-18 %s: Observation?derived-from= gives record and reports', async (source) => {
  const { status, found, bundle, outcomes } = await search(
    source,
    `derived-from=ImagingStudy/${STUDY}&_total=accurate`,
  );
  expect([status, bundle.total]).toEqual([200, 3]);
  expect(found.map(shown)).toEqual(['Size: ', 'Diameter: 12.5 mm', 'Volume: 900']);
  expect(outcomes).toEqual([]);
  expect(complaints(bundle)).toEqual([]);
  expect(bundle.entry!.map(({ fullUrl }) => fullUrl)).toEqual([
    expect.stringMatching(/\/fhir\/Observation\/own$/),
    ...Array.from({ length: 2 }, () => expect.stringMatching(/^urn:uuid:[0-9a-f-]{36}$/) as string),
  ]);
});

describe('FG-18 Observation?derived-from=', () => {
  test.each<[query: string, found: string[]]>([
    [`derived-from:ImagingStudy=${STUDY}`, ['Size: ', 'Diameter: 12.5 mm', 'Volume: 900']],
    [`derived-from=ImagingStudy/${STUDY}&code=81827009`, ['Diameter: 12.5 mm']],
    [`derived-from=ImagingStudy/${STUDY}&category=imaging`, ['Diameter: 12.5 mm', 'Volume: 900']],
    [`derived-from=ImagingStudy/${STUDY}&patient=p1&value-quantity=gt10`, ['Diameter: 12.5 mm']],
    [`derived-from=ImagingStudy/1.2.3.2`, []],
    [`patient=p1`, ['Size: ', 'Glucose: ']],
  ])('%s', async (query, expected) => {
    const { found, outcomes } = await search('folder', query);
    expect(found.map(shown).sort()).toEqual([...expected].sort());
    expect(outcomes).toEqual([]);
  });

  test('an absolute reference to this server is the same', async () => {
    const base = encodeURIComponent(`${every.gateway.baseUrl}/folder/fhir`);
    const { found } = await search('folder', `derived-from=${base}/ImagingStudy/${STUDY}&code=81827009`);
    expect(found).toHaveLength(1);
  });

  test('pages have no more than what was asked for, and each resource once', async () => {
    const all: string[] = [];
    let { bundle, found } = await search('folder', `derived-from=ImagingStudy/${STUDY}&_count=1`);
    for (;;) {
      expect(found).toHaveLength(1);
      all.push(...found.map(shown));
      const next = bundle.link!.find(({ relation }) => relation === 'next')?.url;
      if (!next) break;
      ({ bundle, found } = await search('folder', new URL(next).search.slice(1)));
    }
    expect(all).toEqual(['Size: ', 'Diameter: 12.5 mm', 'Volume: 900']);
    const skipped = await search('folder', `derived-from=ImagingStudy/${STUDY}&_offset=2&_count=5`);
    expect(skipped.found.map(shown)).toEqual(['Volume: 900']);
  });

  test('IA-7 a study of another patient is answered as one that does not exist', async () => {
    const [foreign, absent] = await Promise.all(
      [FOREIGN, '1.2.4.9'].map((uid) =>
        every.ask(`/dicom-web/fhir/Observation?derived-from=ImagingStudy/${uid}`),
      ),
    );
    expect(foreign!.status).toBe(200);
    expect(foreign!.body.toString().replaceAll(FOREIGN, '1.2.4.9')).toBe(absent!.body.toString());
    const { data } = await graphql(
      'dicom-web',
      `{ ImagingStudy(id: "${FOREIGN}") { measurements { id } priors { id } } }`,
    );
    expect(data['ImagingStudy']).toBeNull();
  });

  test.each<[token: string, found: string[], outcome: string[]]>([
    ['record', ['Size: '], ['forbidden']],
    ['laboratory', [], []],
  ])('SM-6 the token %s gives %j', async (token, expected, codes) => {
    const { found, outcomes } = await search('folder', `derived-from=ImagingStudy/${STUDY}`, { token });
    expect(found.map(shown)).toEqual(expected);
    expect(outcomes.map(({ code }) => code)).toEqual(codes);
  });

  test('FG-20 what does not apply to measurements is said, and refused under strict handling', async () => {
    const query = `derived-from=ImagingStudy/${STUDY}&_sort=-date`;
    const { found, outcomes } = await search('folder', query);
    expect(found).toHaveLength(3);
    expect(outcomes).toMatchObject([{ code: 'not-supported', diagnostics: expect.stringMatching(/sorted/) }]);
    expect((await search('folder', query, { strict: true })).status).toBe(400);
    const many = Array.from({ length: 11 }, (_, index) => `ImagingStudy/1.2.${index}`).join();
    expect((await search('folder', `derived-from=${many}`)).status).toBe(400);
  });

  test('IA-19 a source that delays its images is an outcome beside the record', async () => {
    const { found, outcomes } = await search('delayed', `derived-from=ImagingStudy/${STUDY}`);
    expect(found.map(shown)).toEqual(['Size: ']);
    expect(outcomes).toMatchObject([{ code: 'transient' }]);
    const { data, errors } = await graphql(
      'delayed',
      `{ ImagingStudy(id: "${STUDY}") { id measurements { id } dose { report } } }`,
    );
    expect(data['ImagingStudy']).toEqual({ id: STUDY, measurements: null, dose: null });
    expect(errors!.map(({ extensions }) => extensions.code)).toEqual(['unavailable', 'unavailable']);
  });
});

test('SM-6 measurements need the scope of Observations, dose that of the study', async () => {
  const query = `{ ImagingStudy(id: "${STUDY}") { measurements { id } dose { report } } }`;
  const { data, errors } = await graphql('folder', query, 'images');
  expect(data['ImagingStudy']).toEqual({ measurements: null, dose: [{ report: `${STUDY}.9.2` }] });
  expect(errors).toMatchObject([{ extensions: { code: 'insufficient_scope' } }]);
});

test('FG-18 a report has the reports of earlier studies, newest first', async () => {
  const { data, errors } = await graphql(
    'folder',
    `
      {
        DiagnosticReport(id: "now") {
          priors {
            id
          }
          one: priors(_count: 1) {
            id
          }
          abdomen: priors(bodySite: ["ABDOMEN"]) {
            id
          }
        }
        old: DiagnosticReport(id: "r2024") {
          priors {
            id
          }
        }
        ehr: DiagnosticReport(id: "ehr") {
          priors {
            id
          }
        }
      }
    `,
  );
  expect(errors).toBeUndefined();
  expect(data).toEqual({
    DiagnosticReport: {
      priors: [{ id: 'ehr' }, { id: 'r2025' }, { id: 'r2024' }],
      one: [{ id: 'ehr' }],
      abdomen: [{ id: 'abdomen' }],
    },
    old: { priors: [] },
    ehr: { priors: [{ id: 'r2025' }, { id: 'r2024' }] },
  });
});

testEach(SOURCES, usual)(
  'FG-18 IA-34 %s: a study that only the record has has its priors',
  async (source) => {
    const priors = '{ priors { id } later: priors(_count: 1) { id } }';
    const { data, errors } = await graphql(
      source,
      `{ uid: ImagingStudy(id: "${RECORDED}") ${priors} plain: ImagingStudy(id: "ehr-prior") ${priors}
       disputed: ImagingStudy(id: "${DISPUTED}") ${priors} }`,
    );
    expect(errors).toBeUndefined();
    const of = (...ids: string[]) => ids.map((id) => ({ id }));
    expect(data).toEqual({
      uid: { priors: of('1.2.3.2', '1.2.3.3', 'ehr-prior', DISPUTED), later: of('1.2.3.2') },
      plain: { priors: of(DISPUTED), later: of(DISPUTED) },
      disputed: { priors: [], later: [] },
    });
  },
);

test('FG-4 FG-18 decimals of reports keep their zeros, by GraphQL and REST', async () => {
  for (const source of SOURCES) {
    const query = `{ ImagingStudy(id: "${STUDY}") { measurements { valueQuantity { value } } dose { events { ctdiVol { value } } } } }`;
    const { body } = await every.ask(`/${source}/graphql`, { json: { query }, token: 'own' });
    expect(body.toString()).toContain('"value":12.50}');
    expect(body.toString()).toContain('"value":10.250}');
    const bundle = await every.ask(
      `/${source}/fhir/Observation?derived-from=ImagingStudy/${STUDY}&value-quantity=12.50`,
      { token: 'own' },
    );
    expect(bundle.body.toString()).toContain('"value":12.50,');
    const metadata = await every.ask(`/${source}/dicomweb/studies/${STUDY}/metadata`, { token: 'own' });
    expect(metadata.body.toString()).toContain('"0040A30A":{"vr":"DS","Value":[12.50]}');
    JSON.parse(metadata.body.toString());
  }
});

test('IA-31 a withheld study is no prior', async () => {
  const { data } = await graphql('withheld', `{ ImagingStudy(id: "${STUDY}") { priors { id } } }`);
  const priors = ['1.2.3.2', '1.2.3.3', 'ehr-prior', DISPUTED].map((id) => ({ id }));
  expect(data['ImagingStudy']).toEqual({ priors });
});

test('FG-20 a body site that is not in the table is refused', async () => {
  const { errors } = await graphql(
    'folder',
    `{ ImagingStudy(id: "${STUDY}") { priors(bodySite: ["CHESTT"]) { id } } }`,
  );
  expect(errors).toMatchObject([{ extensions: { code: 'invalid_request' } }]);
});

test('IA-30 reading measurements is recorded as a retrieval of the reports', async () => {
  const before = every.audit.length;
  await search('folder', `derived-from=ImagingStudy/${STUDY}`);
  const records = JSON.stringify(every.audit.slice(before));
  expect(records).toContain(STUDY);
  expect(records).toContain(`series/${STUDY}.9/metadata`);
});
