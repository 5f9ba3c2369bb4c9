import { parquetReadObjects } from 'hyparquet';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Fault } from '../../schema/fault/fault.ts';
import { buildDataset, type BuiltTable, type ImageFeed, type RecordFeed } from './build.ts';
import { Datasets } from './datasets.ts';
import { loadEngine } from './engine.ts';
import { RESOURCES } from './test/resources.ts';
import { objectsOf } from './test/view-objects.ts';
import { ownTables, tablesOf } from './views/tables.ts';

const record: RecordFeed = {
  texts: (type) => RESOURCES.filter((one) => one.resourceType === type).map((one) => JSON.stringify(one)),
  text: () => undefined,
  patientsOf: (resource) => ('id' in resource && resource.id === 'without-code' ? [] : ['p']),
  close: () => {},
};
const images: ImageFeed = {
  async *studies() {
    yield RESOURCES.at(-1)!;
  },
  async *instances() {
    yield { id: '2.25.111', patient_id: 'p', study_id: '2.25.1', series_id: '2.25.11', number: 1, frames: 1 };
  },
  links: () => ({
    steps: [
      {
        type: 'DiagnosticReport',
        id: 'report',
        to_type: 'ServiceRequest',
        to_id: 'order',
        own: false,
        read: true,
      },
    ],
    ends: [
      {
        type: 'ServiceRequest',
        id: 'order',
        patient_id: 'p',
        study_id: '2.25.1',
        rule: 'accession',
        own: false,
      },
    ],
  }),
};

let root: string;
let tables: BuiltTable[];

async function build(
  folder: string,
  sources = { record, images },
  views = ownTables(),
): Promise<BuiltTable[]> {
  const duckdb = await loadEngine();
  const instance = await duckdb.DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  return buildDataset({ duckdb, connection, folder, tables: views }, sources).finally(() => {
    connection.closeSync();
    instance.closeSync();
  });
}

async function rowsOf(name: string, of = tables, folder = root): Promise<Record<string, unknown>[]> {
  const { files } = of.find((table) => table.name === name)!;
  const { buffer, byteOffset, byteLength } = await readFile(join(folder, files[0]!.path));
  return parquetReadObjects({ file: buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer });
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'dataset-'));
  tables = await build(root);
});
afterAll(() => rm(root, { recursive: true }));

describe('the tables of a dataset', () => {
  it.each(ownTables().map(({ name }) => name))(
    '%s has the rows of its view, with their types',
    async (name) => {
      const { view } = ownTables().find((table) => table.name === name)!;
      const plain = (value: unknown) => {
        if (value instanceof Date) return value.getTime();
        return typeof value === 'bigint' ? Number(value) : value;
      };
      const read = (await rowsOf(name)).map((row) => Object.values(row).map(plain));
      const own = objectsOf(view, RESOURCES).map((row) =>
        Object.values(row).map((value, at) => {
          const isDate = /DATE|TIMESTAMP/.test(view.columns[at]!.sqlType);
          return isDate && value !== null ? Date.parse(value as string) : value;
        }),
      );
      expect(read).toEqual(own);
    },
  );

  it('have the patients of each resource, the instances and the links', async () => {
    const all = await rowsOf('compartment');
    expect(all).toContainEqual({ type: 'ImagingStudy', id: '2.25.1', patient_id: 'p' });
    expect(all.map(({ id }) => id)).not.toContain('without-code');
    expect(await rowsOf('imaging_instance')).toMatchObject([{ id: '2.25.111', number: 1, rows: null }]);
    expect(await rowsOf('link_step')).toMatchObject([{ id: 'report', to_id: 'order', own: false }]);
    expect(await rowsOf('link_end')).toMatchObject([{ id: 'order', rule: 'accession' }]);
  });

  it('are counted', async () => {
    const observation = tables.find(({ name }) => name === 'observation')!;
    expect(observation).toMatchObject({ rows: 4, files: [{ path: 'observation/part-0.parquet', rows: 4 }] });
    expect(observation.columns).toContainEqual({
      name: 'effective',
      type: 'TIMESTAMP',
      description: undefined,
    });
  });
});

describe('damaged resources', () => {
  const observation = { resourceType: 'Observation', status: 'final', code: { text: 'x' } };
  const two = [{ reference: 'Encounter/1' }, { reference: 'Encounter/2' }];
  const damaged = [
    { ...observation, id: 'o1', valueQuantity: { value: 1, unit: 'mg' } },
    { ...observation, id: 'o2', valueQuantity: { value: '5', unit: 'mg' } },
    { ...observation, id: 'o3', encounter: two },
    { ...observation, id: 'o4', subject: [[null]], code: { text: { en: 'x' } } },
    { resourceType: 'Patient', id: 'p1', gender: ['male', 'female'], name: [{ family: 'Sol' }] },
    { resourceType: 'Condition', id: 'c1', clinicalStatus: two, code: { coding: [5, { code: 'J10' }] } },
  ];
  const view = (name: string, more: object) => ({
    resourceType: 'ViewDefinition',
    name,
    resource: 'Observation',
    select: [{ column: [{ name: 'id', path: 'getResourceKey()' }] }],
    ...more,
  });
  const own = [
    view('without_encounter', { where: [{ path: 'encounter.single().empty()' }] }),
    view('by_encounter', {
      select: [
        { column: [{ name: 'id', path: 'getResourceKey()' }] },
        { forEachOrNull: 'encounter.single()', column: [{ name: 'text', path: 'reference' }] },
      ],
    }),
  ];
  let folder: string;
  let made: BuiltTable[];

  beforeAll(async () => {
    folder = join(root, 'damaged');
    const texts = (type: string) =>
      damaged.filter((one) => one.resourceType === type).map((one) => JSON.stringify(one));
    made = await build(folder, { record: { ...record, texts }, images }, tablesOf(own));
  });

  const refusedIn = (name: string) => made.find((table) => table.name === name)!.refused;

  it('are in the tables, without the values that these cannot have', async () => {
    const rows = await rowsOf('observation', made, folder);
    expect(rows).toMatchObject([
      { id: 'o1', value: 1, unit: 'mg' },
      { id: 'o2', value: null, unit: 'mg' },
      { id: 'o3', encounter_id: null, code_text: 'x' },
      { id: 'o4', patient_id: null, code_text: null },
    ]);
    expect(await rowsOf('patient', made, folder)).toMatchObject([{ id: 'p1', gender: null, family: 'Sol' }]);
    expect(await rowsOf('condition', made, folder)).toMatchObject([{ code: null }, { code: 'J10' }]);
  });

  it('are left out where a condition fails, and have no rows of a list that cannot be read', async () => {
    const idsOf = async (name: string) => (await rowsOf(name, made, folder)).map(({ id }) => id);
    expect(await idsOf('without_encounter')).toEqual(['o1', 'o2', 'o4']);
    expect(await idsOf('by_encounter')).toEqual(['o1', 'o2', 'o3', 'o4']);
    for (const name of ['without_encounter', 'by_encounter'])
      expect(refusedIn(name)).toMatchObject({ values: 1, first: 'Observation/o3' });
  });

  it('are counted for each table, with the first one', () => {
    const at = expect.stringMatching(/^select\[0\]\.column\[\d+\]\.path$/);
    expect(refusedIn('observation')).toEqual({ values: 3, first: 'Observation/o2', at });
    expect(refusedIn('patient')).toEqual({ values: 1, first: 'Patient/p1', at });
    expect(refusedIn('encounter')).toBeUndefined();
  });
});

describe('datasets of a tenant', () => {
  let folder: string;
  let now = Date.parse('2026-01-01T00:00:00Z');
  const open = () => new Datasets(folder, () => (now += 1000));
  const write = async () => [];

  beforeAll(async () => {
    folder = join(root, 'tenant');
  });

  it('are replaced when they are complete, and not built again of the same', async () => {
    const datasets = open();
    expect(await datasets.current()).toBeUndefined();
    const first = await datasets.build('a', write);
    expect(await datasets.build('a', () => Promise.reject(new Error('not needed')))).toBe(first);
    expect(await open().current()).toEqual(first);
  });

  it('stay when a build fails', async () => {
    const datasets = open();
    const last = await datasets.current();
    const failing = datasets.build('b', () => Promise.reject(new Error('broken')));
    await expect(failing).rejects.toThrow('broken');
    expect(await datasets.current()).toEqual(last);
    expect(await readdir(folder)).toEqual([last!.version]);
  });

  it('stay while they are used', async () => {
    const datasets = open();
    const lease = (await datasets.use())!;
    const next = await datasets.build('c', write);
    expect(await readdir(folder)).toEqual([lease.dataset.version, next.version]);
    await lease.release();
    expect(await readdir(folder)).toEqual([next.version]);
  });

  it('go with their tenant', async () => {
    const datasets = open();
    await datasets.remove();
    expect(await datasets.current()).toBeUndefined();
    await expect(readdir(folder)).rejects.toThrow('ENOENT');
  });
});

it('a disk without room has its sentence', async () => {
  const full = Object.assign(new Error('write'), { code: 'ENOSPC' });
  const texts = () => {
    throw full;
  };
  const failing = build(join(root, 'full'), { record: { ...record, texts }, images });
  await expect(failing).rejects.toMatchObject({ code: 'unavailable', message: /no room on the disk/ });
});

it('without DuckDB it says how to get it', async () => {
  const missing = loadEngine(() => Promise.reject(new Error('no such module')));
  await expect(missing).rejects.toBeInstanceOf(Fault);
  await expect(missing).rejects.toMatchObject({ code: 'not_implemented', message: /npm ci without/ });
});
