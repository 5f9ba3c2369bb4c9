/** Facts of a series whose objects differ (FG-8). */
import { graphql } from 'graphql';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { seriesObject } from '../../../gateway/test/setup/series-object.ts';
import { TransferSyntax } from '../../../schema/dicom/dicom.ts';
import { testAccess, testSubgraph, testTenant, type TestSubgraph } from '../test/subgraph.ts';

const STUDY = '1.2.9';
const folder = mkdtempSync(join(tmpdir(), 'facts-'));
const tenant = testTenant({ type: 'folder', path: folder, lookup: 'all-studies-on-server' });
let served: TestSubgraph;

beforeAll(async () => {
  const objects = [
    seriesObject(STUDY, 1),
    seriesObject(STUDY, 2, { rows: 8, columns: 6, frames: 5 }),
    seriesObject(STUDY, 3, { rows: 4, columns: 4 }),
  ];
  // By their names in another order than by their numbers.
  for (const [index, bytes] of objects.entries()) writeFileSync(join(folder, `${9 - index}.dcm`), bytes);
  served = await testSubgraph([tenant], {});
  await vi.waitFor(async () => expect((await seriesOf('uid')).uid).toBe(`${STUDY}.1`), { timeout: 20_000 });
});
afterAll(async () => {
  await served.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The fields of the only series. */
async function seriesOf(fields: string) {
  const source = `{ ImagingStudy(id: "${STUDY}") { series { ${fields} } } }`;
  const contextValue = { imaging: served.subgraph.open(tenant, testAccess('all')) };
  const { data } = await graphql({ schema: served.subgraph.schema, source, contextValue });
  return (data as { ImagingStudy: { series: Record<string, unknown>[] } }).ImagingStudy.series[0]!;
}

test('FG-8 a series gives the size and transfer syntax of its first image, and the frames of all', async () => {
  expect(await seriesOf('rows columns numberOfFrames transferSyntax bodyPartExamined')).toEqual({
    rows: 8,
    columns: 6,
    numberOfFrames: 6,
    transferSyntax: TransferSyntax.ExplicitVRLittleEndian,
    bodyPartExamined: 'KNEE',
  });
});

test('FG-8 an instance gives its own; an image without a number of frames has one, another object none', async () => {
  const { instance } = await seriesOf('instance { number rows numberOfFrames bodyPartExamined }');
  const bodyPartExamined = 'KNEE';
  expect(instance).toEqual([
    { number: 1, rows: null, numberOfFrames: null, bodyPartExamined },
    { number: 2, rows: 8, numberOfFrames: 5, bodyPartExamined },
    { number: 3, rows: 4, numberOfFrames: 1, bodyPartExamined },
  ]);
});
