/** One ImagingStudy of what the record and an archive have (IA-34): by either id, by REST and by GraphQL. */
import type { ImagingStudy } from 'fhir/r4.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { shown, startOneStudy } from './one-study.ts';
import { INSTANCES, SAID, SAID_OF_SERIES, uidOf } from './setup/one-study.ts';

let world: Awaited<ReturnType<typeof startOneStudy>>;
beforeAll(async () => void (world = await startOneStudy()), 60_000);
afterAll(() => world?.close());

test('IA-34 what the record says stands beside the series of the archive', async () => {
  const { body } = await world.rest('own', 'ImagingStudy/Rboth');
  const UID = uidOf('both');
  expect(body).toMatchObject({
    ...SAID,
    id: UID,
    status: 'available',
    description: 'DICOM both',
    numberOfInstances: INSTANCES,
    meta: { source: 'urn:ris', lastUpdated: '2098-12-31T23:00:00.000Z' },
    subject: { reference: 'Patient/p' },
    basedOn: [...SAID.basedOn, { identifier: { value: 'A1' } }],
    endpoint: [{ reference: '#e' }],
    contained: [{ resourceType: 'Endpoint', address: 'http://localhost/own/dicomweb' }],
    series: [{ uid: `${UID}.1`, instance: [{}, {}] }],
  });
  expect(body.identifier!.map(({ value }) => value)).toEqual([`urn:oid:${UID}`, 'A1', 'record Rboth']);
});

test.each<[id: string, shown: string | undefined, token?: string]>([
  [uidOf('both'), 'available with images'],
  ['Rboth', 'available with images'],
  ['Rboth', 'available with images', 'p-reading'],
  ['Rboth', undefined, 'q'],
  [uidOf('archived'), 'available with images'],
  [uidOf('error with images'), 'entered-in-error with images'],
  ['Rcancelled', 'cancelled with images'],
  ['Rregistered', 'available with images'],
  ...(['registered', 'available', 'cancelled', 'entered-in-error', 'unknown'] as const).flatMap(
    (status): [string, string][] => [
      [uidOf(status), status],
      [`only-${status}`, status],
    ],
  ),
  [uidOf('registered'), undefined, 'q'],
  ['Rbare', 'available'],
  ['Raccession', 'available with images'],
  [uidOf('accession'), 'available with images'],
  ['Rtwin', 'available'],
  [uidOf('twin 1'), 'available with images'],
  // Each half for its own patient, and not the other one.
  [uidOf('archive of q'), 'available'],
  ['Rarchive-of-q', 'available'],
  [uidOf('archive of q'), 'available with images', 'q'],
  ['Rarchive-of-q', undefined, 'q'],
  [uidOf('record of q'), 'available with images'],
  ['Rrecord-of-q', undefined],
  [uidOf('record of q'), 'available', 'q'],
  ['Rof-q', undefined],
  [uidOf('of q'), undefined],
  ['nothing', undefined],
  ['1.2.34.99', undefined],
])('IA-34 %s is read as %s (token %s)', async (id, expected, token = 'p') => {
  const found = await world.read('own', id, token);
  expect(found && shown(found)).toBe(expected);
});

test.each([
  ['Rboth', 'available with images'],
  ['Rbare', 'available'],
  ['only-registered', 'registered'],
  ['Rof-q', undefined],
  ['nothing', undefined],
])('IA-8 IA-34 a client of Backend Services reads %s as %s', async (id, expected) => {
  const found = await world.read('backend', id, 'backend');
  expect(found && shown(found)).toBe(expected);
});

describe('IA-34 lists', () => {
  const OF_P = {
    [uidOf('both')]: 'available with images',
    [uidOf('archived')]: 'available with images',
    [uidOf('archive of q')]: 'available',
    [uidOf('record of q')]: 'available with images',
    [uidOf('withheld')]: 'available with images',
    [uidOf('accession')]: 'available with images',
    [uidOf('twin 1')]: 'available with images',
    [uidOf('twin 2')]: 'available with images',
    Rtwin: 'available',
    [uidOf('error with images')]: 'entered-in-error with images',
    [uidOf('cancelled with images')]: 'cancelled with images',
    [uidOf('registered with images')]: 'available with images',
    [uidOf('registered')]: 'registered',
    [uidOf('available')]: 'available',
    [uidOf('cancelled')]: 'cancelled',
    [uidOf('entered-in-error')]: 'entered-in-error',
    [uidOf('unknown')]: 'unknown',
    [uidOf('labelled')]: 'available',
    [uidOf('mammography')]: 'available',
    Rbare: 'available',
    [uidOf('disputed')]: 'available with images',
    [uidOf('with series')]: 'available with images',
  };

  test('each study once, with what is there of it', async () => {
    expect(await world.list('own')).toEqual(OF_P);
  });

  test('the other patient has the other halves', async () => {
    expect(await world.list('own', 'q')).toEqual({
      [uidOf('archive of q')]: 'available with images',
      [uidOf('record of q')]: 'available',
      [uidOf('of q')]: 'available',
    });
  });

  test('who may see both patients sees two resources, and each contradiction is logged and counted', async () => {
    world.reported();
    const all = await world.rest('all', 'ImagingStudy?_count=100');
    const ids = all.body.entry!.map(({ resource }) => resource!.id!);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toEqual(expect.arrayContaining(['Rarchive-of-q', uidOf('archive of q'), 'Rrecord-of-q']));
    const notes = all.body.entry!.map(({ resource }) => [
      resource!.id,
      (resource as ImagingStudy).note?.[0]?.text,
    ]);
    expect(notes).toContainEqual([uidOf('archive of q'), undefined]);
    expect(notes).toContainEqual(['Rarchive-of-q', 'of p']);
    const { contradictions, logged } = world.reported();
    expect(contradictions).toBe(2);
    expect(logged.match(/name different patients/g)).toHaveLength(2);
    expect(logged).not.toMatch(/MRN-|Patient\//);
  });

  test('of one patient, for who may see all', async () => {
    const { [uidOf('archive of q')]: _, ...others } = OF_P;
    expect(await world.list('all', 'p')).toEqual({ ...others, 'Rarchive-of-q': 'available' });
  });

  test.each([
    ['_id=Rboth', [uidOf('both')]],
    ['_id=Rbare', ['Rbare']],
    [`identifier=urn:oid:${uidOf('registered')}`, [uidOf('registered')]],
    [`identifier=urn:oid:${uidOf('accession')}`, [uidOf('accession')]],
    ['identifier=urn:record|record Rboth', [uidOf('both')]],
    ['status=cancelled', [uidOf('cancelled with images'), uidOf('cancelled')]],
    ['basedon=ServiceRequest/order', [uidOf('both')]],
    ['modality=MG', [uidOf('mammography'), uidOf('disputed')]],
    ['series=1.2.34.0', [uidOf('mammography'), uidOf('disputed')]],
    [`series=${uidOf('with series')}.1`, [uidOf('with series')]],
    [`instance=${uidOf('with series')}.1.2`, [uidOf('with series')]],
    ['instance=1.2.34.21.9.1', [uidOf('with series')]],
    ['instance=1.2.34.21.9.2', []],
    ['bodysite=51185008', [uidOf('with series')]],
    ['_lastUpdated=ge2098-01-01&status=available&_id=Rboth,Raccession', [uidOf('both')]],
  ])('%s finds %j', async (query, expected) => {
    for (const tenant of ['own', 'all']) {
      const { body } = await world.rest(tenant, `ImagingStudy?${query}`);
      expect((body.entry ?? []).map(({ resource }) => resource!.id).sort()).toEqual([...expected].sort());
    }
  });
});

describe('IA-34 series', () => {
  const UID = uidOf('with series');
  const { alone, both } = SAID_OF_SERIES;

  test.each(['Rseries', UID])('of the record stand beside those of the archive (%s)', async (id) => {
    const { body } = await world.rest('own', `ImagingStudy/${id}`);
    expect(body).toMatchObject({ numberOfSeries: 1, numberOfInstances: INSTANCES });
    const [first, second, ...others] = body.series!;
    expect(others).toEqual([]);
    const { instance, ...series } = first!;
    expect(series).toMatchObject({ ...both, uid: `${UID}.1`, number: 1, modality: { code: 'CT' } });
    expect(instance!.map(({ uid }) => uid)).toEqual([`${UID}.1.1`, `${UID}.1.2`]);
    // No endpoint: it cannot be retrieved.
    expect(second).toEqual(alone);
  });

  test('are the same by GraphQL, where those of the record alone have no URL', async () => {
    const { data, errors } = await world.graphql(
      'own',
      `{ ImagingStudy(id: "Rseries") { numberOfSeries numberOfInstances series { uid number bodySite { code }
         performer { actor { reference } } wadoUrl thumbnailUrl rows numberOfFrames metadata instance { uid wadoUrl } } } }`,
    );
    expect(errors).toBeUndefined();
    expect(data!['ImagingStudy']).toMatchObject({
      numberOfSeries: 1,
      numberOfInstances: INSTANCES,
      series: [
        {
          uid: `${UID}.1`,
          bodySite: { code: '51185008' },
          rows: 4,
          numberOfFrames: 2,
          performer: [{ actor: { reference: 'Practitioner/doctor' } }],
          wadoUrl: expect.stringContaining(`${UID}/series/${UID}.1`) as string,
          instance: [{ uid: `${UID}.1.1` }, { uid: `${UID}.1.2` }],
        },
        {
          uid: alone.uid,
          number: 7,
          wadoUrl: null,
          thumbnailUrl: null,
          rows: null,
          metadata: null,
          numberOfFrames: null,
          instance: [{ uid: alone.instance[0]!.uid, wadoUrl: null }],
        },
      ],
    });
  });

  test('IA-31 that would be withheld of the record alone are not added', async () => {
    for (const [tenant, uids] of [
      ['own', ['1.2.34.0', `${uidOf('disputed')}.1`]],
      ['withholding', [`${uidOf('disputed')}.1`]],
    ] as const) {
      const { body } = await world.rest(tenant, 'ImagingStudy/Rdisputed');
      expect([tenant, body.series!.map(({ uid }) => uid).sort()]).toEqual([tenant, uids]);
      const found = await world.rest(tenant, 'ImagingStudy?patient=p&series=1.2.34.0');
      expect([tenant, found.body.entry?.length ?? 0]).toEqual([tenant, tenant === 'own' ? 2 : 0]);
    }
  });
});

test('FG-9 a report finds its study by its reference into the record', async () => {
  const query = (id: string) =>
    `{ DiagnosticReport(id: "${id}") { imagingStudy { resource { ... on ImagingStudy { id note { text } series { uid } } } } } }`;
  expect(await world.graphql('own', query('report'))).toEqual({
    data: {
      DiagnosticReport: {
        imagingStudy: [
          { resource: { id: uidOf('both'), note: SAID.note, series: [{ uid: `${uidOf('both')}.1` }] } },
        ],
      },
    },
  });
  expect(await world.graphql('own', query('bare'))).toEqual({
    data: {
      DiagnosticReport: {
        imagingStudy: [{ resource: { id: 'Rbare', note: [{ text: 'no UID' }], series: null } }],
      },
    },
  });
});

test('FG-3 the order and the referrer of the record are followed into the record', async () => {
  const query = `{ ImagingStudy(id: "Rboth") { basedOn { resource { ... on ServiceRequest { status } } } } }`;
  expect(await world.graphql('own', query)).toMatchObject({
    data: { ImagingStudy: { basedOn: [{ resource: { status: 'active' } }, { resource: null }] } },
  });
});

test.each([
  ['withheld', 'Rwithheld'],
  ['labelled', 'Rlabelled'],
  ['mammography', 'Rmammography'],
  // The record does not say its modality, which may be the one that is withheld.
  ['registered', 'only-registered'],
] as const)('IA-31 %s is withheld, and does not appear through its other half', async (name, recordId) => {
  for (const id of [uidOf(name), recordId]) expect(await world.read('withholding', id)).toBeUndefined();
  expect(Object.keys(await world.list('withholding'))).not.toContain(uidOf(name));
});

test('SM-5 a granular scope counts for each half', async () => {
  const { body } = await world.rest('own', 'ImagingStudy?patient=p', 'p-MG');
  expect(body.entry!.map(({ resource }) => resource!.id)).toEqual([uidOf('mammography')]);
  for (const id of [uidOf('disputed'), 'Rdisputed', uidOf('both'), 'Rboth'])
    expect(await world.read('own', id, 'p-MG')).toBeUndefined();
});

describe('IA-34 an archive that is away', () => {
  test('leaves the halves of the record, with an outcome that says so', async () => {
    const { status, body } = await world.rest('away', 'ImagingStudy?patient=p');
    expect(status).toBe(200);
    const [outcome] = body.entry!.filter(({ search }) => search?.mode === 'outcome');
    expect(outcome!.resource).toMatchObject({ issue: [{ code: 'transient' }] });
    const both = body.entry!.find(({ resource }) => resource!.id === uidOf('both'))!.resource as ImagingStudy;
    expect(both).toMatchObject(SAID);
    expect(both.endpoint).toBeUndefined();
    const { data, errors } = await world.graphql('away', '{ Patient(id: "p") { ImagingStudyList { id } } }');
    expect(data!['Patient']).toMatchObject({ ImagingStudyList: { length: body.entry!.length - 1 } });
    expect(errors).toMatchObject([{ extensions: { code: 'unavailable', service: 'imaging' } }]);
  });

  test.each([uidOf('both'), 'Rboth'])('%s is read with a warning', async (id) => {
    const { status, body, headers } = await world.rest('away', `ImagingStudy/${id}`);
    expect([status, body.id, body.endpoint]).toEqual([200, uidOf('both'), undefined]);
    expect(String(headers['warning'])).toMatch(/did not answer/);
    const { data, errors } = await world.graphql('away', `{ ImagingStudy(id: "${id}") { id } }`);
    expect([data, errors?.[0]?.extensions.code]).toEqual([
      { ImagingStudy: { id: uidOf('both') } },
      'unavailable',
    ]);
  });

  test.each(['away-and-withholding', 'delayed'])(
    '%s: nothing is shown that the archive might refuse',
    async (tenant) => {
      expect((await world.rest(tenant, 'ImagingStudy?patient=p')).status).toBe(503);
      for (const id of [uidOf('both'), 'Rboth'])
        expect((await world.rest(tenant, `ImagingStudy/${id}`)).status).toBe(503);
    },
  );
});
