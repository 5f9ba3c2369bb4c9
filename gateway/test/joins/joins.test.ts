/**
 * Record and images joined both ways (FG-9): each way in which a resource names its studies, by GraphQL and by REST, over
 * a folder and over Orthanc by DICOMweb.
 */
import type { OperationOutcome, Resource } from 'fhir/r4.js';
import { describe, expect, test } from 'vitest';
import { joinedTypes, type JoinedType } from '../../../schema/fhir/joined-types.ts';
import { CASES, STUDY } from './cases.ts';
import { belonging, ids, joinedGateway, nameOf, uidsOf } from './joined-gateway.ts';

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

describe.each(['folder', 'orthanc'])('FG-9 over %s', (tenant) => {
  test('each resource has its studies', async () => {
    const found = await studiesOf(
      tenant,
      CASES.map(({ resource }) => resource),
    );
    const table = (of: (one: (typeof CASES)[number]) => readonly string[]) =>
      Object.fromEntries(CASES.map((one) => [one.what, of(one)]));
    expect(table(({ resource }) => found.get(nameOf(resource))!)).toEqual(
      table(({ studies }) => uidsOf(studies)),
    );
  }, 30_000);

  test('each study has its resources, none of another patient', async () => {
    const lists = joinedTypes.map((type) => `${type}List { id }`).join(' ');
    const { data, errors } = await gateway.graph(
      tenant,
      `{ Patient(id: "ana") { ImagingStudyList { id ${lists} } } }`,
    );
    expect(errors).toBeUndefined();
    const { ImagingStudyList: studies } = data['Patient'] as unknown as {
      ImagingStudyList: ({ id: string } & Record<`${JoinedType}List`, { id: string }[]>)[];
    };
    expect(studies).toHaveLength(5);
    for (const study of studies)
      for (const type of joinedTypes)
        expect([study.id, type, ids(study[`${type}List`])]).toEqual([
          study.id,
          type,
          belonging(type, study.id),
        ]);
  }, 30_000);

  test('REST: the studies of orders and encounters are those of GraphQL', async () => {
    for (const { resource, studies, what } of CASES) {
      const code = { ServiceRequest: 'basedon', Encounter: 'encounter' }[resource.resourceType as string];
      if (!code || (tenant === 'orthanc' && studies.length === 0)) continue;
      const { matches } = await gateway.search(tenant, `${code}=${nameOf(resource)}`);
      expect([what, matches]).toEqual([what, uidsOf(studies).map((uid) => `ImagingStudy/${uid}`)]);
    }
  }, 30_000);
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
