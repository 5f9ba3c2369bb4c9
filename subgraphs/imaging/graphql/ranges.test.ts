/** Arguments of every list of studies: ranges, alternatives, `_filter` and `_chain` (FG-20). */
import { graphql } from 'graphql';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { smallObjects } from '../../../gateway/test/setup/small-objects.ts';
import { patient, testAccess, testSubgraph, testTenant, type TestSubgraph } from '../test/subgraph.ts';

const MRN = 'MRN-1';
/** Studies of patient 1: one on each day from 10 to 19 January 2026, all CT. */
let directory: string;
let served: TestSubgraph;
let tenant: ReturnType<typeof testTenant>;
const access = testAccess([patient('p1', MRN)]);

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ranges-'));
  for (let study = 1; study <= 10; study++) {
    const [file] = smallObjects({ studyUid: `1.2.3.1.${study}`, patientId: MRN, date: `202601${study + 9}` });
    await writeFile(join(directory, `${study}.dcm`), file!);
  }
  tenant = testTenant({ type: 'folder', path: directory, lookup: 'studies-by-mrn' });
  served = await testSubgraph([tenant], {});
  await vi.waitFor(async () => expect((await ask('{ ImagingStudyList { id } }')).days).toHaveLength(10), {
    timeout: 30_000,
    interval: 50,
  });
}, 60_000);
afterAll(async () => {
  await served?.close();
  await rm(directory, { recursive: true, force: true });
});

/** Returns the days of the studies that were found, and the codes of the errors. */
async function ask(source: string) {
  const contextValue = { imaging: served.subgraph.open(tenant, access), partial: [] };
  const { data, errors = [] } = await graphql({ schema: served.subgraph.schema, source, contextValue });
  const uids = [...JSON.stringify(data).matchAll(/1\.2\.3\.1\.(\d+)/g)].map(
    ([, number]) => Number(number) + 9,
  );
  return { days: uids.toSorted((a, b) => a - b), codes: errors.map(({ extensions }) => extensions['code']) };
}

const list = (field: string, args: string) =>
  `${field}(${args}) { ${field.endsWith('List') ? 'id' : 'edges { resource { id } }'} }`;
const entity = (type: string, links: string, selection: string) =>
  `{ _entities(representations: [{ __typename: "${type}", id: "p1" ${links} }]) { ... on ${type} { ${selection} } } }`;
const uids = Array.from({ length: 10 }, (_, index) => `"1.2.3.1.${index + 1}"`).join(', ');
const linked = `, _patientId: "p1", _studyUids: [${uids}], _accessionNumbers: []`;

test.each<[kind: string, ask: (args: string) => string]>([
  ...['ImagingStudyList', 'ImagingStudyConnection'].flatMap((field): [string, (args: string) => string][] => [
    [field, (args) => `{ ${list(field, args)} }`],
    [`Patient.${field}`, (args) => entity('Patient', '', list(field, args))],
  ]),
  ...['DiagnosticReport', 'ServiceRequest'].map((type): [string, (args: string) => string] => [
    `${type}.ImagingStudyList`,
    (args) => entity(type, linked, list('ImagingStudyList', args)),
  ]),
])('FG-20 %s: bounds of one argument are a range, other values alternatives', async (_kind, query) => {
  const days = async (args: string) => {
    const found = await ask(query(args));
    expect(found.codes).toEqual([]);
    return found.days;
  };
  expect(await days('started: ["ge2026-01-12", "le2026-01-14"]')).toEqual([12, 13, 14]);
  expect(await days('started: ["gt2026-01-12", "lt2026-01-14", "ne2026-01-13"]')).toEqual([]);
  expect(await days('started: ["2026-01-12", "2026-01-15"]')).toEqual([12, 15]);
  expect(await days('started: ["ge2026-01-18"]')).toEqual([18, 19]);
  expect(await days('_filter: "started sa 2026-01-17 and modality eq CT"')).toEqual([18, 19]);
  expect(await days('_filter: "modality eq CT and modality eq MR"')).toEqual([]);
  for (const args of [
    'started: ["ge2026-01-12", "2026-01-10"]',
    'started: ["ge2026-01-12,le2026-01-14"]',
    'started: ["ge2026-02-30"]',
    'modality: []',
    'modality: [","]',
    '_filter: ""',
    '_filter: "modality eq \\"\\""',
  ])
    expect([args, (await ask(query(args))).codes]).toEqual([args, ['invalid_request']]);
});

test('FG-20 a chain names the patient by identifier; one that is not supported is refused', async () => {
  expect((await ask(`{ ImagingStudyList(_chain: ["patient.identifier=${MRN}"]) { id } }`)).days).toHaveLength(
    10,
  );
  for (const source of [
    '{ ImagingStudyList(_chain: ["patient.name=smith"]) { id } }',
    '{ ImagingStudyList(_sort: ["modality"]) { id } }',
  ])
    expect((await ask(source)).codes).toEqual(['unsupported_parameter']);
});
