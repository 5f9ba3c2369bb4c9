import { graphql } from 'graphql';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import {
  describeWithSharedData,
  sharedDataPath,
  sharedDicomFiles,
} from '../../../gateway/test/setup/shared-data.ts';
import type { Access } from '../../../schema/access/access.ts';
import { ParsingThreads } from '../threads/parsing-threads.ts';
import {
  BASE_URL,
  patient,
  testAccess,
  testSubgraph,
  testTenant,
  type TestSubgraph,
} from '../test/subgraph.ts';

describeWithSharedData('the GraphQL API over a real folder', () => {
  const files = sharedDicomFiles().filter(({ studyUid }) => studyUid);
  const studiesOf = (mrn: string) =>
    new Set(files.filter(({ patientId }) => patientId === mrn).map(({ studyUid }) => studyUid!));
  /** The patient of the CT head, and a study of another patient. */
  const ct = files.find(({ file }) => file.startsWith('ct-head-ge/'))!;
  const mrn = ct.patientId!;
  const uid = ct.studyUid!;
  const foreign = files.find(({ patientId }) => patientId && patientId !== mrn)!.studyUid!;
  const instances = files.filter(({ studyUid }) => studyUid === uid);

  const open = testTenant(
    { type: 'folder', path: sharedDataPath('dicom'), lookup: 'all-studies-on-server' },
    'open',
  );
  const mine = testTenant(
    { type: 'folder', path: sharedDataPath('dicom'), lookup: 'studies-by-mrn' },
    'mine',
  );
  const token = testAccess([patient('p1', mrn)]);
  let served: TestSubgraph;
  beforeAll(async () => {
    served = await testSubgraph([open, mine], {});
    const isIndexed = async () => expect((await query('{ ImagingStudyList { id } }')).errors).toEqual([]);
    await vi.waitFor(isIndexed, { timeout: 60_000, interval: 100 });
  }, 60_000);
  afterAll(() => served.close());

  async function query(source: string, access: Access = token, tenant = mine) {
    const contextValue = { imaging: served.subgraph.open(tenant, access) };
    const { data, errors } = await graphql({ schema: served.subgraph.schema, source, contextValue });
    return { data: JSON.parse(JSON.stringify(data ?? null)), errors: errors ?? [] };
  }
  const entities = (representations: string, selection: string) =>
    `{ _entities(representations: [${representations}]) { ${selection} } }`;
  const codes = (errors: readonly { extensions: Record<string, unknown> }[]) =>
    errors.map(({ extensions }) => extensions['code']);

  test('FG-8 gives a study with all levels, and the attributes and URLs that an app needs before it downloads', async () => {
    const { data, errors } = await query(`{
      ImagingStudy(id: "${uid}") {
        id resourceType status started numberOfInstances modality { code display } subject { reference resource { ... on Patient { id } } }
        identifier(system: "urn:dicom:uid") { value }
        endpoint { resource { ... on Endpoint { address connectionType { code } } } }
        _patientId
        series(_count: 1) {
          uid numberOfInstances rows columns numberOfFrames wadoUrl thumbnailUrl renderedUrl(window: "40,400", viewport: "128,128")
          metadata(keywords: ["Modality", "SliceThickness"])
          instance(_count: 2) {
            uid number sopClass { code } rows columns numberOfFrames wadoUrl thumbnailUrl
            metadata(keywords: ["Rows", "ImagePositionPatient"])
          }
        }
      }
    }`);
    expect(errors).toEqual([]);
    const study = data.ImagingStudy;
    const series = study.series[0];
    expect(study).toMatchObject({
      id: uid,
      resourceType: 'ImagingStudy',
      status: 'available',
      numberOfInstances: instances.length,
      subject: { reference: 'Patient/p1', resource: { id: 'p1' } },
      identifier: [{ value: `urn:oid:${uid}` }],
      endpoint: [
        { resource: { address: `${BASE_URL}/mine/dicomweb`, connectionType: { code: 'dicom-wado-rs' } } },
      ],
      _patientId: 'p1',
    });
    const wado = `${BASE_URL}/mine/dicomweb/studies/${uid}/series/${series.uid}`;
    expect(series).toMatchObject({
      rows: ct.rows,
      columns: ct.columns,
      wadoUrl: wado,
      thumbnailUrl: `${wado}/thumbnail`,
      renderedUrl: `${wado}/rendered?window=40,400&viewport=128,128`,
      metadata: { Modality: { vr: 'CS', Value: ['CT'] }, SliceThickness: { vr: 'DS' } },
    });
    expect(series.instance).toHaveLength(2);
    for (const instance of series.instance) {
      expect(instance).toMatchObject({
        rows: ct.rows,
        numberOfFrames: 1,
        sopClass: { code: 'urn:oid:1.2.840.10008.5.1.4.1.1.2' },
        wadoUrl: `${wado}/instances/${instance.uid}`,
      });
      expect(Object.keys(instance.metadata)).toEqual(['Rows', 'ImagePositionPatient']);
      expect(instance.metadata.ImagePositionPatient.Value).toHaveLength(3);
    }
  });

  test('FG-12 reads the metadata of a series once, however many selections there are', async () => {
    const run = vi.spyOn(ParsingThreads.prototype, 'run');
    const keywords = [
      'SliceThickness',
      'ImageType',
      'PatientPosition',
      'WindowCenter',
      'KVP',
      'Manufacturer',
    ];
    const fields = keywords.map((keyword, i) => `a${i}: metadata(keywords: ["${keyword}"])`).join(' ');
    const { data, errors } = await query(
      `{ ImagingStudy(id: "${uid}") { series { instance { ${fields} } } } }`,
    );
    expect(errors).toEqual([]);
    const { series } = data.ImagingStudy;
    expect(run.mock.calls.filter(([name]) => name === 'selectAttributes')).toHaveLength(series.length);
    expect(series[0].instance).toHaveLength(instances.length);
    for (const { a0, a5 } of series[0].instance)
      expect([a0, a5].map((values) => Object.keys(values))).toEqual([['SliceThickness'], ['Manufacturer']]);
  });

  test('FG-8 metadata without keywords gives all attributes by keyword, with bulk data at our base', async () => {
    const { data, errors } = await query(
      `{ ImagingStudy(id: "${uid}") { series(_count: 1) { instance(_count: 1) { metadata } } } }`,
    );
    expect(errors).toEqual([]);
    const { metadata } = data.ImagingStudy.series[0].instance[0];
    expect(Object.keys(metadata)).toEqual(
      expect.arrayContaining(['StudyInstanceUID', 'PixelData', 'PatientID']),
    );
    expect(metadata.PixelData.BulkDataURI).toMatch(
      /^https:\/\/images\.example\.org\/prefix\/mine\/dicomweb\/studies\//,
    );
  });

  test('FG-8 the root list is limited to the caller, newest first', async () => {
    const { data, errors } = await query('{ ImagingStudyList { id started } }');
    expect(errors).toEqual([]);
    expect(new Set(data.ImagingStudyList.map(({ id }: { id: string }) => id))).toEqual(studiesOf(mrn));
  });

  test.each<[args: string, ids: string[]]>([
    [`identifier: ["urn:oid:${uid}"]`, [uid]],
    [`_id: ["${uid}", "${foreign}"]`, [uid]],
    [`_id: ["${foreign}"]`, []],
    [`modality: ["US", "CT"], _id: ["${uid}"]`, [uid]],
    [`modality: ["US"], _id: ["${uid}"]`, []],
    [`patient: ["p1"], _id: ["${uid}"]`, [uid]],
    [`_lastUpdated: ["ge2020"], _id: ["${uid}"]`, [uid]],
    [`instance: ["${ct.sopInstanceUid}"]`, [uid]],
    [`_count: 0`, []],
  ])('FG-8 ImagingStudyList(%s)', async (args, ids) => {
    const { data, errors } = await query(`{ ImagingStudyList(${args}) { id } }`);
    expect(errors).toEqual([]);
    expect(data.ImagingStudyList.map(({ id }: { id: string }) => id)).toEqual(ids);
  });

  test.each<[source: string, code: string]>([
    ['{ ImagingStudyList(patient: ["p2"]) { id } }', 'forbidden'],
    ['{ ImagingStudyList(started: ["May"]) { id } }', 'invalid_request'],
    ['{ ImagingStudyList(_sort: ["size"]) { id } }', 'unsupported_parameter'],
    ['{ ImagingStudyList(_count: 1001) { id } }', 'invalid_request'],
    ['{ ImagingStudyList(_count: 1001, fhirpath: "true") { id } }', 'invalid_request'],
    ['{ ImagingStudyConnection(_count: 10000) { count } }', 'invalid_request'],
    ['{ ImagingStudyConnection(_cursor: "!") { count } }', 'invalid_request'],
    [`{ ImagingStudy(id: "${foreign}") { id } }`, 'not_found'],
    ['{ ImagingStudy(id: "1.2.3") { id } }', 'not_found'],
    ['{ Endpoint(id: "other") { id } }', 'not_found'],
  ])('FG-10 %s → null and an error %s', async (source, code) => {
    const { data, errors } = await query(source);
    expect(Object.values(data)).toEqual([null]);
    expect(codes(errors)).toEqual([code]);
  });

  test('SM-6 refuses every field of imaging without a scope', async () => {
    const access = testAccess([patient('p1', mrn)], 'patient/Patient.rs');
    const { data, errors } = await query(
      `{ ImagingStudyList { id } ImagingStudy(id: "${uid}") { id } Endpoint(id: "dicomweb") { id } }`,
      access,
    );
    expect(data).toEqual({ ImagingStudyList: null, ImagingStudy: null, Endpoint: null });
    expect(codes(errors)).toEqual(Array(3).fill('insufficient_scope'));
  });

  test('SM-6 the right to search does not allow reading, nor the right to read searching', async () => {
    const source = `{ ImagingStudyList { id } ImagingStudy(id: "${uid}") { id series { instance { uid } } } }`;
    const search = await query(source, testAccess([patient('p1', mrn)], 'patient/ImagingStudy.s'));
    expect([search.data.ImagingStudyList === null, search.data.ImagingStudy === null]).toEqual([false, true]);
    const read = await query(source, testAccess([patient('p1', mrn)], 'patient/ImagingStudy.r'));
    expect([read.data.ImagingStudyList === null, read.data.ImagingStudy === null]).toEqual([true, false]);
  });

  test('FG-8 a connection pages by cursor, to the end', async () => {
    const total = new Set(files.map(({ studyUid }) => studyUid)).size;
    const seen = new Set<string>();
    let cursor: string | null = null;
    do {
      const args: string = cursor ? `, _cursor: "${cursor}"` : '';
      const { data, errors } = await query(
        `{ ImagingStudyConnection(_count: 20${args}) { count offset pagesize next edges { mode resource { id } } } }`,
        testAccess('all'),
        open,
      );
      expect(errors).toEqual([]);
      const page = data.ImagingStudyConnection;
      expect(page).toMatchObject({ count: total, offset: seen.size, pagesize: 20 });
      for (const { mode, resource } of page.edges) {
        expect(mode).toBe('match');
        seen.add(resource.id);
      }
      cursor = page.next ?? null;
    } while (cursor);
    expect(seen.size).toBe(total);
    const beyond = `{ ImagingStudyConnection(_count: 20, _offset: ${total + 500}) { previous next } }`;
    const last = await query(beyond, testAccess('all'), open);
    const previous = Buffer.from(String(total - 20)).toString('base64url');
    expect(last.data.ImagingStudyConnection).toEqual({ previous, next: null });
  });

  test('FG-9 gives the studies of a patient in reach; refuses those of another patient', async () => {
    const { data, errors } = await query(
      entities(
        '{ __typename: "Patient", id: "p1" }, { __typename: "Patient", id: "p2" }',
        '... on Patient { id ImagingStudyList { id } ImagingStudyConnection { count } }',
      ),
    );
    expect(data._entities[0].ImagingStudyList.length).toBe(studiesOf(mrn).size);
    expect(data._entities[0].ImagingStudyConnection.count).toBe(studiesOf(mrn).size);
    expect(data._entities[1]).toEqual({ id: 'p2', ImagingStudyList: null, ImagingStudyConnection: null });
    expect(codes(errors)).toEqual(['forbidden', 'forbidden']);
  });

  test.each<[links: string, found: boolean]>([
    [`_patientId: "p1", _studyUids: ["${uid}"], _accessionNumbers: []`, true],
    [`_patientId: "p1", _studyUids: ["${foreign}"], _accessionNumbers: []`, false],
    ['_patientId: "p1", _studyUids: [], _accessionNumbers: ["no such number"]', false],
    ['_patientId: "p1", _studyUids: [], _accessionNumbers: []', false],
    ['_patientId: "p1", _studyUids: null, _accessionNumbers: null', false],
    [`_patientId: null, _studyUids: ["${uid}"], _accessionNumbers: []`, false],
  ])('FG-9 a report or order with %s → study %s', async (links, found) => {
    for (const type of ['DiagnosticReport', 'ServiceRequest']) {
      const { data, errors } = await query(
        entities(
          `{ __typename: "${type}", id: "r1", ${links} }`,
          `... on ${type} { ImagingStudyList { id } }`,
        ),
      );
      expect(errors).toEqual([]);
      expect(data._entities[0].ImagingStudyList).toEqual(found ? [{ id: uid }] : []);
    }
  });

  test('FG-9 finds the studies of an order by accession number', async () => {
    const all = await query('{ ImagingStudyList { id _accessionNumbers } }', testAccess('all'), open);
    const withNumber = all.data.ImagingStudyList.find(
      ({ _accessionNumbers }: { _accessionNumbers: string[] }) => _accessionNumbers.length > 0,
    );
    const number = JSON.stringify(withNumber._accessionNumbers[0]);
    const { data, errors } = await query(
      entities(
        `{ __typename: "ServiceRequest", id: "r1", _patientId: "p1", _studyUids: [], _accessionNumbers: [${number}] }`,
        '... on ServiceRequest { ImagingStudyList { id } }',
      ),
      testAccess('all'),
      open,
    );
    expect(errors).toEqual([]);
    expect(data._entities[0].ImagingStudyList).toContainEqual({ id: withNumber.id });
  });

  test('FG-9 resolves references to studies; one out of reach does not affect the others', async () => {
    const { data, errors } = await query(
      entities(
        [uid, foreign, uid].map((id) => `{ __typename: "ImagingStudy", id: "${id}" }`).join(', '),
        '... on ImagingStudy { id numberOfSeries _patientId }',
      ),
    );
    expect(data._entities.map((one: { id: string } | null) => one?.id ?? null)).toEqual([uid, null, uid]);
    expect(codes(errors)).toEqual(['not_found']);
  });
});
