/** The files of an export, byte for byte: the same as parsed resources that searches by the same token find (FG-4). */
import type { Resource } from 'fhir/r4.js';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeFhirJson } from '../../../schema/fhir/decimal.ts';
import { parseReference } from '../../../schema/fhir/fhir.ts';
import type { Parameters } from '../../../schema/fhir/search/search-request.ts';
import { clinicalResources } from '../../../schema/fhir/tables.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { ClinicalSubgraph } from '../app.ts';
import { mayBeIn, sectionsOf } from '../record/patient-data.ts';
import { referencesIn, SharedResources } from '../record/shared-resources.ts';
import { madeResources } from '../test/judge/made-resources.ts';
import { accessOf, openClinical, tenantOf } from '../test/servers.ts';
import { readExport } from './export-request.ts';
import { NdjsonFiles } from './ndjson-files.ts';
import { runExport } from './run-export.ts';

/** Lines as other systems write them: spaces, escapes, digits, labels, several patients, an earlier version. */
const ODD = [
  '{"resourceType":"Patient","id":"a","name":[{"family":"Earlier"}]}',
  '{ "id" : "a", "resourceType": "Patient", "name": [ { "family": "N\\u00fa\\u00f1ez\\/\\ud83d" } ] }',
  '{"resourceType":"Patient","id":"b","link":[{"other":{"reference":"Patient/a"},"type":"seealso"},{"other":{"reference":"Patient/c"},"type":"seealso"}]}',
  '{"resourceType":"Patient","id":"c","meta":{"lastUpdated":"2026-03-01T00:00:00Z"}}',
  '{"resourceType":"Observation","id":"digits","meta":{"security":[{"code":"R"}],"lastUpdated":"2025-01-01T00:00:00Z"},"subject":{"reference":"Patient/a"},"category":[{"coding":[{"code":"laboratory"}]}],"valueQuantity":{"value":1.10},"component":[{"valueQuantity":{"value":1e-7}},{"valueQuantity":{"value":0.12345678901234567890}}],"performer":[{"reference":"Practitioner/two"},{"reference":"Practitioner/one","identifier":{"assigner":{"reference":"Organization/o"}}}]}',
  '{"resourceType":"Observation","id":"inside","subject":{"display":"somebody"},"contained":[{"resourceType":"Observation","id":"x","subject":{"reference":"Patient/a"}}]}',
  '{"resourceType":"Observation","id":"vital","subject":{"reference":"Patient/b"},"category":[{"coding":[{"code":"vital-signs"}]}],"note":[{"text":"{\\"reference\\":\\"Patient/c\\"}"}]}',
  '{"resourceType":"Appointment","id":"both","participant":[{"actor":{"reference":"Patient/a"}},{"actor":{"reference":"Patient/b"}},{"actor":{"reference":"Practitioner/one"}}]}',
  '{"resourceType":"Schedule","id":"s","actor":[{"reference":"Patient/a"},{"reference":"Practitioner/three"}]}',
  '{"resourceType":"Device","id":"d","patient":{"reference":"Patient/b"},"owner":{"reference":"Organization/o"}}',
  ...['one', 'two', 'three'].map((id) => `{"resourceType":"Practitioner","id":"${id}"}`),
  '{"resourceType":"Organization","id":"o","partOf":{"reference":"Organization/p"}}',
  '{"resourceType":"Organization","id":"p"}',
];

let folder: string;
let subgraph: ClinicalSubgraph;
let tenant: Tenant;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'exported-'));
  const made = [1, 2].flatMap((seed) =>
    madeResources(clinicalResources, seed).map((one) => ({ ...one, id: `${one.id}-${seed}` })),
  );
  const lines = [...ODD, ...made.map((one) => JSON.stringify(one))];
  await writeFile(join(folder, 'records.ndjson'), lines.join('\n'));
  tenant = tenantOf({ type: 'store', path: join(folder, 'records.ndjson') });
  subgraph = openClinical({ dataDir: join(folder, 'data'), loadWait: 60_000 });
  await subgraph.prepare(tenant);
}, 60_000);
afterAll(async () => {
  await subgraph.close();
  await rm(folder, { recursive: true, force: true });
});

type Asked = ReturnType<typeof readExport>;

/** Returns the lines of each file. */
async function exported(asked: Asked): Promise<Record<string, string>> {
  const out = await mkdtemp(join(folder, 'out-'));
  const output = new NdjsonFiles({ folder: out, takeRoom: () => {} });
  const { signal } = new AbortController();
  await mkdir(out, { recursive: true });
  await runExport(asked, {
    open: (access) => subgraph.open(tenant, access, { signal }),
    images: async () => ({ studies: [], failed: [] }),
    output,
    signal,
    onProgress: () => {},
  });
  await output.finish();
  const files = (await readdir(out)).map(async (name) => [name, await readFile(join(out, name), 'utf8')]);
  return Object.fromEntries(await Promise.all(files)) as Record<string, string>;
}

/** The same, of parsed resources: each that a search finds, then those of shared types to which they refer. */
async function searched({ access, types, filter }: Asked): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  const add = (one: Resource) => {
    const name = `${one.resourceType}.ndjson`;
    files[name] = `${files[name] ?? ''}${writeFhirJson(one)}\n`;
  };
  const shared = new SharedResources(types.shared);
  const ofSeveral = new Set<string>();
  const record = subgraph.open(tenant, access);
  for (const { type, params } of sectionsOf(await record.backend(), types.searched, filter)) {
    for (const one of await record.list(type, { params, strict: true })) {
      const patients = [...referencesIn(one)].map(parseReference).filter((of) => of?.type === 'Patient');
      const name = `${type}/${one.id}`;
      if (new Set(patients.map((of) => of!.id)).size > 1 && ofSeveral.has(name)) continue;
      ofSeveral.add(name);
      shared.given(one);
      await shared.note(record, one);
      add(one);
    }
  }
  for await (const part of shared.read(100, () => subgraph.open(tenant, access))) {
    for (const one of part) {
      if (mayBeIn(one.meta?.lastUpdated, filter.since, filter.until)) add(one);
    }
  }
  return files;
}

const MADE = ['made-1-1', 'made-2-1', 'made-3-2'];
const PATIENTS: [string, readonly string[] | 'all'][] = [
  ['all patients', 'all'],
  ['one patient', ['a']],
  ['some patients', ['a', 'b', 'nobody', ...MADE]],
];
const SCOPES = [
  'system/*.rs',
  'system/Patient.rs system/Observation.rs system/Appointment.rs',
  'system/Patient.rs system/Observation.rs?category=laboratory',
  'system/Patient.rs system/Observation.rs?category=laboratory system/Observation.rs?category=vital-signs',
  'system/Patient.rs system/Observation.rs?category=laboratory system/Observation.rs?status=final system/*.r',
];
const PARAMETERS: Parameters[] = [
  [],
  [['_type', 'Observation,Practitioner,Device,Patient']],
  [['_since', '2026-01-01']],
  [['_until', '2026-01-01']],
  [['patient', 'Patient/a']],
];

describe.each(PATIENTS)('%s', (_, patients) => {
  it.each(SCOPES.flatMap((scope) => PARAMETERS.map((parameters) => [scope, parameters] as const)))(
    '%s %j',
    async (scope, parameters) => {
      const access = { ...accessOf(scope, patients), client: 'test' };
      const asked = readExport({ tenant, access }, parameters, true);
      const files = await exported(asked);
      expect(files).toEqual(await searched(asked));
    },
  );
});

it('FG-4 a line with spaces and escapes is exported as it is answered, with its digits', async () => {
  const access = { ...accessOf('system/*.rs', ['a']), client: 'test' };
  const files = await exported(readExport({ tenant, access }, [], false));
  expect(files['Patient.ndjson']).toBe(
    '{"id":"a","resourceType":"Patient","name":[{"family":"Núñez/\\ud83d"}]}\n',
  );
  expect(files['Observation.ndjson']).toContain('"value":1.10}');
  expect(files['Observation.ndjson']).not.toContain('"id":"inside"');
});

it('FG-4, FG-38 a part of a resource keeps the digits of its elements', async () => {
  const access = { ...accessOf('system/*.rs', ['a']), client: 'test' };
  const asked = readExport({ tenant, access }, [['_elements', 'valueQuantity,component']], false);
  const { 'Observation.ndjson': lines } = await exported(asked);
  expect(lines).toContain('"valueQuantity":{"value":1.10}');
  expect(lines).toContain('{"value":0.12345678901234567890}');
  expect(lines).not.toContain('performer');
});
