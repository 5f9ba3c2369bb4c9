/**
 * Record and images joined both ways (FG-9): each way in which a resource names its studies, by GraphQL, by REST and by
 * `_revinclude`, over a folder and over Orthanc by DICOMweb and by DIMSE.
 */
import type { OperationOutcome, Resource } from 'fhir/r4.js';
import { describe, expect, test } from 'vitest';
import { joinedTypes, type JoinedType } from '../../../schema/fhir/joined-types.ts';
import { LONG } from '../setup/long.ts';
import { testEach } from '../setup/usual-run.ts';
import { CASES, STUDY } from './cases.ts';
import { belonging, ids, joinedGateway, nameOf, studiesIn, studyNames, uidsOf } from './joined-gateway.ts';

const gateway = joinedGateway({ withOrthanc: true });

const alias = (one: Resource) => nameOf(one).replaceAll(/\W/g, '_');
/** Asks for the studies of resources of one type. */
async function studiesOf(tenant: string, resources: readonly Resource[]): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  for (let start = 0; start < resources.length; start += 20) {
    const part = resources.slice(start, start + 20);
    const fields = part.map(
      (one) => `${alias(one)}: ${one.resourceType}(id: "${one.id}") { ImagingStudyList { id } }`,
    );
    const { data, errors } = await gateway.graph(tenant, `{ ${fields.join(' ')} }`);
    expect(errors).toBeUndefined();
    for (const one of part) {
      const { ImagingStudyList } = data[alias(one)] as unknown as { ImagingStudyList: { id: string }[] };
      found.set(nameOf(one), ids(ImagingStudyList));
    }
  }
  return found;
}

const SOURCES = ['folder', 'orthanc', 'dimse'] as const;
const ARCHIVED = [STUDY.issued, STUDY.shared, STUDY.alsoShared, STUDY.plain];
const isUsual = (tenant: string) => tenant !== 'dimse';
/** In the usual run, archives get a part of the table. */
const inRun = <Row>(tenant: string, rows: readonly Row[], of: number): readonly Row[] =>
  LONG || tenant === 'folder' ? rows : rows.filter((_, index) => index % of === 0);

describe('FG-9 by GraphQL', () => {
  test.each(SOURCES)(
    '%s: each resource has its studies',
    async (tenant) => {
      const cases = tenant === 'dimse' ? inRun(tenant, CASES, 7) : CASES;
      const found = await studiesOf(
        tenant,
        cases.map(({ resource }) => resource),
      );
      const table = (of: (one: (typeof CASES)[number]) => readonly string[]) =>
        Object.fromEntries(cases.map((one) => [one.what, of(one)]));
      expect(table(({ resource }) => found.get(nameOf(resource))!)).toEqual(
        table((one) => uidsOf(studiesIn(tenant, one))),
      );
    },
    30_000,
  );

  /** Asks for the studies of a patient with their lists: the names of resources by study. */
  async function resourcesOf(tenant: string, patient: string): Promise<Record<string, string[]>> {
    const lists = joinedTypes.map((type) => `${type}List { id }`).join(' ');
    const { data, errors } = await gateway.graph(
      tenant,
      `{ Patient(id: "${patient}") { ImagingStudyList { id ${lists} } } }`,
    );
    expect(errors).toBeUndefined();
    const { ImagingStudyList: studies } = data['Patient'] as unknown as {
      ImagingStudyList: ({ id: string } & Record<`${JoinedType}List`, { id: string }[]>)[];
    };
    const named = (study: (typeof studies)[number]) =>
      joinedTypes.flatMap((type) => ids(study[`${type}List`]).map((id) => `${type}/${id}`));
    return Object.fromEntries(studies.map((study) => [study.id, named(study)]));
  }

  testEach(SOURCES, isUsual)(
    '%s: each study has its resources, none of another patient',
    async (tenant) => {
      const expected = [...ARCHIVED, STUDY.byOrder].map((uid) => [
        uid,
        joinedTypes.flatMap((type) => belonging(type, uid, tenant).map((id) => `${type}/${id}`)),
      ]);
      expect(await resourcesOf(tenant, 'ana')).toEqual(Object.fromEntries(expected));
    },
    30_000,
  );

  test.each(SOURCES)(
    'IA-34 %s: where record and archive name different patients, each has its half',
    async (tenant) => {
      expect(await resourcesOf(tenant, 'bob')).toEqual({
        [STUDY.bobs]: ['DiagnosticReport/stray', 'ServiceRequest/order-of-bob'],
        // The UID is that of a study of ana.
        [STUDY.ofBob]: ['DiagnosticReport/stray', 'ServiceRequest/order-of-bob', 'Observation/stray'],
      });
    },
  );
});

describe('FG-9 by REST', () => {
  test.each(SOURCES)(
    '%s: the studies of orders and encounters are those of GraphQL',
    async (tenant) => {
      const parameters: Readonly<Record<string, string>> = {
        ServiceRequest: 'basedon',
        Encounter: 'encounter',
      };
      const cases = CASES.filter(({ resource: { resourceType } }) => resourceType in parameters);
      for (const one of inRun(tenant, cases, 4)) {
        const { resource, what } = one;
        const query = `${parameters[resource.resourceType]}=${nameOf(resource)}`;
        const { matches } = await gateway.search(tenant, query);
        expect([what, matches]).toEqual([what, studyNames(...studiesIn(tenant, one))]);
      }
    },
    30_000,
  );

  test.each(SOURCES)(
    '%s: _revinclude adds what leads to a study by that element',
    async (tenant) => {
      const elements = [
        ['Observation:derived-from', 'derivedFrom'],
        ['Observation:part-of', 'partOf'],
        ['DocumentReference:related', 'context'],
        ['Media:based-on', 'basedOn'],
        ['DiagnosticReport:imaging-study', 'imagingStudy'],
      ] as const;
      const rows = elements.flatMap(([parameter, element]) =>
        [...ARCHIVED, STUDY.byOrder].map((uid) => ({ parameter, element, uid })),
      );
      for (const { parameter, element, uid } of inRun(tenant, rows, 7)) {
        const [type = ''] = parameter.split(':');
        const own = CASES.filter(({ resource }) => element in resource).map(({ resource }) =>
          nameOf(resource),
        );
        const expected = belonging(type, uid, tenant).map((id) => `${type}/${id}`);
        const { included } = await gateway.search(tenant, `_id=${uid}&_revinclude=${parameter}`);
        expect([parameter, uid, included]).toEqual([
          parameter,
          uid,
          expected.filter((name) => own.includes(name)).sort(),
        ]);
      }
    },
    30_000,
  );
});

describe('FG-9 two studies with one accession number', () => {
  test('are both shown, and marked by GraphQL', async () => {
    const { data } = await gateway.graph(
      'folder',
      '{ Patient(id: "ana") { ImagingStudyList { id sameAccession { id } } } }',
    );
    const { ImagingStudyList } = data['Patient'] as unknown as {
      ImagingStudyList: { id: string; sameAccession: { id: string }[] }[];
    };
    const marked = ImagingStudyList.flatMap(({ id, sameAccession }) =>
      sameAccession.map((one) => [id, one.id]),
    );
    const [shared, alsoShared] = [STUDY.shared, STUDY.alsoShared];
    expect(marked.sort()).toEqual(
      [
        [shared, alsoShared],
        [alsoShared, shared],
      ].sort(),
    );
  });

  test('are marked by REST, but not those of two patients', async () => {
    const outcomes = ({ bundle }: Awaited<ReturnType<typeof gateway.search>>) =>
      bundle
        .entry!.filter((entry) => entry.search?.mode === 'outcome')
        .map(({ resource }) => resource as OperationOutcome);
    const [marked, ofBob, ...others] = outcomes(await gateway.search('folder', ''));
    expect(others).toEqual([]);
    expect(ofBob!.issue[0]!.diagnostics).toContain(`: ${STUDY.bobs}, ${STUDY.ofBob}.`);
    expect(marked!.issue[0]).toMatchObject({ severity: 'information', code: 'informational' });
    expect(marked!.issue[0]!.diagnostics).toMatch(
      new RegExp(`${STUDY.shared}, ${STUDY.alsoShared}|${STUDY.alsoShared}, ${STUDY.shared}`),
    );
    expect(outcomes(await gateway.search('folder', `_id=${STUDY.shared}`))).toEqual([]);
  });
});

test('FG-9 the tenant says which numbers join', async () => {
  const byNumber = CASES.filter(({ what }) =>
    /number of the (filler|placer)|requisition|without issuer/.test(what),
  );
  const found = await studiesOf(
    'acsn-only',
    byNumber.map(({ resource }) => resource),
  );
  for (const { what, resource, studies } of byNumber)
    expect([what, found.get(nameOf(resource))]).toEqual([
      what,
      /without issuer/.test(what) ? uidsOf(studies) : [],
    ]);
});

test('FG-10 while the archive is away, the record is given, with an error for each list of studies', async () => {
  const { data, errors } = await gateway.graph(
    'away',
    '{ Procedure(id: "named") { status ImagingStudyList { id } } Observation(id: "circle-1") { status ImagingStudyList { id } } }',
  );
  expect(data).toEqual({
    // What the record itself says of the study.
    Procedure: { status: 'completed', ImagingStudyList: [{ id: STUDY.plain }] },
    Observation: { status: 'final', ImagingStudyList: [{ id: STUDY.plain }] },
  });
  expect(new Set(errors!.map(({ extensions }) => extensions.code))).toEqual(new Set(['unavailable']));
});
