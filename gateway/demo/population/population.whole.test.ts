/** The invented population: what it has, and how its files are made once. */
import dicomParser from 'dicom-parser';
import type { Condition, ImagingStudy, Observation } from 'fhir/r4.js';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Fault } from '../../../schema/fault/fault.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { buildPopulation, populationPaths } from './build.ts';
import { PopulationOnDemand } from './on-demand.ts';
import { inventPerson, POPULATION, type InventedPerson } from './person.ts';
import { recordOf } from './record.ts';

let parent: string;
let folder: string;
const seen: number[] = [];
beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), 'population-'));
  folder = join(parent, 'population');
  // Of processes that were killed: no process has the first id, and in a container the next one gets the same.
  for (const id of [4194304999, process.pid]) {
    const left = join(parent, `.population.building-${id}`);
    await mkdir(left);
    await writeFile(join(left, 'half'), '');
  }
  await buildPopulation(folder, (done) => seen.push(done));
}, 120_000);
afterAll(() => rm(parent, { recursive: true, force: true }));

const people = Array.from({ length: POPULATION }, (_, index) => inventPerson(index + 1));
const has = ({ diseases }: InventedPerson, key: string) =>
  diseases.some(({ disease }) => disease.key === key);

describe('what is invented', () => {
  test('is the same every time', () => {
    const twice = [1, 500, 1000].map((number) => [inventPerson(number), inventPerson(number)] as const);
    for (const [one, other] of twice) expect(recordOf(one)).toEqual(recordOf(other));
  });

  test('is plausible and uneven: age, weight and smoking have consequences', () => {
    const share = (some: readonly InventedPerson[], key: string) =>
      some.filter((person) => has(person, key)).length / some.length;
    const heavy = people.filter(({ bmi }) => bmi > 30);
    const light = people.filter(({ bmi }) => bmi < 24);
    expect(share(people, 'diabetes')).toBeGreaterThan(0.08);
    expect(share(people, 'diabetes')).toBeLessThan(0.25);
    expect(share(heavy, 'diabetes')).toBeGreaterThan(2 * share(light, 'diabetes'));
    const smokers = people.filter(({ smokes }) => smokes);
    expect(share(smokers, 'copd')).toBeGreaterThan(
      3 *
        share(
          people.filter(({ smokes }) => !smokes),
          'copd',
        ),
    );
    expect(people.some((person) => person.sex === 'male' && has(person, 'breast-cancer'))).toBe(false);
  });

  test('answers "CT of women with diabetes, with their last HbA1c"', () => {
    const found = people
      .filter((person) => person.sex === 'female' && has(person, 'diabetes'))
      .filter(({ studies }) => studies.some(({ kind }) => kind.modality === 'CT'));
    expect(found.length).toBeGreaterThan(5);
    for (const person of found) {
      const values = (recordOf(inventPerson(Number(person.id.slice(4)))) as Observation[])
        .filter(({ code }) => code?.coding?.[0]?.code === '4548-4')
        .map(({ valueQuantity }) => valueQuantity!.value!);
      expect(values.length).toBeGreaterThan(2);
      expect(Math.min(...values)).toBeGreaterThan(4);
      expect(Math.max(...values)).toBeLessThan(13);
    }
  });

  test('is in order: no disease before birth, no study before the disease that it is for, none after the end', () => {
    for (const { birthDate, diseases, studies } of people) {
      for (const { onset } of diseases) expect(onset > birthDate).toBe(true);
      for (const { date, disease } of studies) {
        const since = diseases.find((one) => one.disease === disease)?.onset ?? birthDate;
        expect(date >= since && date <= '2026-10-31', `${since} ${date}`).toBe(true);
      }
    }
  });

  test('modalities differ between years', () => {
    const count = (modality: string, year: string) =>
      people
        .flatMap(({ studies }) => studies)
        .filter(({ kind, date }) => kind.modality === modality && date.startsWith(year)).length;
    for (const modality of ['CT', 'MR', 'CR', 'US', 'MG']) {
      expect(count(modality, '2018')).toBeGreaterThan(3);
      expect(count(modality, '2026')).toBeGreaterThan(count(modality, '2018'));
    }
  });
});

describe('its files', () => {
  test('are there: two of each study, whose reports and orders agree with it', async () => {
    const { images, records } = populationPaths(folder);
    const files = (await readdir(images, { recursive: true })).filter((name) => name.endsWith('.dcm'));
    expect(files).toHaveLength(6 * POPULATION);
    const lines = (await readFile(join(records, 'population.ndjson'), 'utf8')).trimEnd().split('\n');
    const resources = lines.map((line) => JSON.parse(line) as ImagingStudy | Condition);
    expect(new Set(resources.map(({ resourceType, id }) => `${resourceType}/${id}`)).size).toBe(lines.length);
    const text = lines.join('\n');
    for (const name of files.slice(0, 30)) {
      const dataset = dicomParser.parseDicom(await readFile(join(images, name)));
      expect(text).toContain(`"ImagingStudy/${dataset.string('x0020000d')}"`);
      expect(text).toContain(`"${dataset.string('x00080050')}"`);
      expect(text).toContain(`"${dataset.string('x00100020')}"`);
      const [rows, columns] = [dataset.uint16('x00280010')!, dataset.uint16('x00280011')!];
      expect(dataset.elements['x7fe00010']!.length).toBe(2 * rows * columns);
    }
  });

  test('are made once, not again, and nothing of a killed process stays', async () => {
    expect(seen.at(-1)).toBe(6 * POPULATION);
    expect(await readdir(parent)).toEqual(['population']);
    const { mtimeMs } = await stat(folder);
    await buildPopulation(folder, () => expect.unreachable());
    expect((await stat(folder)).mtimeMs).toBe(mtimeMs);
  });

  test('are made at the first visit, which says how far they are', async () => {
    const prepared: string[] = [];
    const own = join(parent, 'visited');
    const log = { error: expect.unreachable };
    const prepare = async ({ key }: Tenant) => void prepared.push(key);
    const population = new PopulationOnDemand({ folder: own, prepare, log, isReady: false });
    const tenantAt = (path: string) => ({ key: 'p', clinical: { type: 'store', path } }) as Tenant;
    const tenant = tenantAt(populationPaths(own).records);
    expect(population.visited(tenantAt('/elsewhere'))).toBeUndefined();
    await population.prepare(tenant);
    expect(prepared).toEqual([]);
    const said: Fault[] = [];
    await expect
      .poll(
        () => {
          const fault = population.visited(tenant);
          if (fault) said.push(fault);
          return fault;
        },
        { timeout: 90_000, interval: 20 },
      )
      .toBeUndefined();
    expect(said[0]).toMatchObject({ code: 'unavailable', details: { retryAfter: 2 } });
    expect(said.some(({ message }) => /made, once, .*: [\d,]+ of 6,000 images/.test(message))).toBe(true);
    expect(prepared).toEqual(['p']);
    await rm(own, { recursive: true });
  }, 120_000);
});
