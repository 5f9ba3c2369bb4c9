/** Values of all studies that the index of a folder counts are those of their resources (FG-30). */
import { graphql } from 'graphql';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { smallObjects, type SmallStudy } from '../../../gateway/test/setup/small-objects.ts';
import type { Access } from '../../../schema/access/access.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { STUDY_FACETS } from '../../../schema/fhir/facets.ts';
import { IndexSearch } from '../sources/folder/search.ts';
import { patient, testAccess, testSubgraph, testTenant, type TestSubgraph } from '../test/subgraph.ts';

const STUDIES: readonly (readonly Omit<SmallStudy, 'studyUid' | 'patientId'>[])[] = [
  [{ bodyPart: 'CHEST' }, { modality: 'MR', bodyPart: 'Chest' }],
  // The same code in another case, and more than its one value.
  [{ modality: 'ct' }, { modality: 'CT', bodyPart: 'WRIST BONE' }, { modality: 'CT\\PT' }],
  [{ modality: '', bodyPart: '' }],
  [{ modality: 'XX', date: '2023' }],
  [{ modality: 'MR', date: '20240230' }],
  [{ modality: 'MR', date: '2022.07.09', time: '233000', zone: '-0500' }],
  [{ date: '' }],
];

const folder = mkdtempSync(join(tmpdir(), 'study-facets-'));
const images = { type: 'folder', path: folder, lookup: 'studies-by-mrn' };
const tenant = testTenant(images);
const withhold: Tenant['authorization']['withhold'] = [
  { modality: ['MR'], for: 'everyone', unlabelled: 'show' },
];
const withheld = { ...tenant, authorization: { ...tenant.authorization, withhold } } as Tenant;
let served: TestSubgraph;

beforeAll(async () => {
  for (const [study, series] of STUDIES.entries())
    for (const [number, one] of series.entries()) {
      const named = { studyUid: `1.2.${study}`, patientId: `MRN-${study % 2}`, series: number + 1 };
      writeFileSync(join(folder, `${study}-${number}.dcm`), smallObjects({ ...one, ...named })[0]!);
    }
  served = await testSubgraph([tenant], {});
});
afterAll(async () => {
  await served?.close();
  rmSync(folder, { recursive: true });
});

/** Asks for all facets. @param size of the page: if it has all studies, their resources are counted */
async function facets(size: number, access: Access, of = tenant) {
  const index = vi.spyOn(IndexSearch.prototype, 'counts');
  const each = STUDY_FACETS.map((by) => `${by}: facets(by: ${by}) { value system display count }`);
  const source = `{ ImagingStudyConnection(_count: ${size}) { count ${each.join(' ')} } }`;
  const contextValue = { imaging: served.subgraph.open(of, access) };
  const { data, errors } = await graphql({ schema: served.subgraph.schema, source, contextValue });
  expect(errors).toBeUndefined();
  const { count, ...lists } = data!['ImagingStudyConnection'] as { count: number };
  const values = Object.values(lists).map((list) =>
    (list as object[]).map((one) => JSON.stringify(one)).sort(),
  );
  const isIndexed = index.mock.calls.length > 0;
  index.mockRestore();
  return { count, isIndexed, values };
}

test('of all studies, also odd ones', async () => {
  const all = testAccess('all', 'system/*.rs');
  const counted = await facets(1, all);
  expect(counted).toMatchObject({ count: STUDIES.length, isIndexed: true });
  const { values } = await facets(STUDIES.length, all);
  expect(counted.values).toEqual(values);
  expect(values.every((list) => list.length > 0)).toBe(true);
});

test.each([
  ['a patient', testAccess([patient('p1', 'MRN-1')]), tenant, 3],
  ['a modality', testAccess('all', 'system/ImagingStudy.rs?modality=MR'), tenant, 3],
  ['what is not withheld', testAccess('all', 'system/*.rs'), withheld, 4],
] as const)('of %s only', async (_, access, of, count) => {
  const counted = await facets(1, access, of);
  expect(counted).toMatchObject({ count, isIndexed: false });
  expect(counted.values).toEqual((await facets(STUDIES.length, access, of)).values);
});
