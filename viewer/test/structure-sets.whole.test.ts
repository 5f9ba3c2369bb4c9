/** Structure sets as files, through a real gateway: read as DCMTK reads them, and those that are refused. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort } from '../../gateway/test/setup/free-port.ts';
import { buildTestGateway, type TestGateway } from '../../gateway/test/test-gateway.ts';
import { DicomwebSource } from '../src/data/dicomweb/dicomweb-source.ts';
import { Transport } from '../src/data/transport.ts';
import type { Instance } from '../src/domain/instance.ts';
import { structures } from '../src/domain/overlays/structures.ts';
import { dicomOf } from './setup/dicom-of.ts';
import {
  AXIAL,
  circle,
  imagesAt,
  of,
  structureSet,
  targetsOf,
  type Placed,
  type Point,
  type WrittenRegion,
} from './setup/overlay-objects.ts';

const STUDY = '1.2.20';
/** Elements and values of an object of the tenant: fewer than the contour of the large one has. */
const LIMIT = 1000;
const IMAGES: Placed = {
  origin: [-20, -30, -4],
  orientation: AXIAL,
  rows: 80,
  columns: 80,
  count: 5,
  spacing: [0.75, 0.5, 2],
};

/** Coordinates as a planning system writes them. */
const ring = (centre: Point, radius: number, points = 24) =>
  circle(centre, radius, points).map(
    (one) => one.map((value) => Number(value.toFixed(2))) as unknown as Point,
  );
const REGIONS: readonly WrittenRegion[] = [
  {
    number: 12,
    name: 'Corazón',
    colour: [255, 0, 10],
    contours: [-2, 0, 2].flatMap((z) => [{ points: ring([0, -10, z], 9) }, { points: ring([1, -9, z], 3) }]),
  },
  { number: 3, name: 'Nodule', colour: [0, 128, 255], contours: [{ points: ring([10.5, -20.25, 4], 1.5) }] },
];
const written = (series: string, regions: readonly WrittenRegion[]): Instance =>
  structureSet(regions, {
    '00080005': of('CS', 'ISO_IR 192'),
    '00080018': of('UI', `${series}.1`),
    '00080060': of('CS', 'RTSTRUCT'),
    '0020000D': of('UI', STUDY),
    '0020000E': of('UI', series),
  });

const directory = mkdtempSync(join(tmpdir(), 'structures-'));
const GOOD = join(directory, 'images', 'good.dcm');
const signal = new AbortController().signal;
let gateway: TestGateway;
let metadataOf: (series: string) => Promise<Instance[]>;

beforeAll(async () => {
  mkdirSync(join(directory, 'images'));
  writeFileSync(GOOD, dicomOf(written('1.2.20.2', REGIONS)));
  const large = { number: 1, contours: [{ points: ring([0, 0, 0], 9, LIMIT / 2) }] };
  writeFileSync(join(directory, 'images', 'large.dcm'), dicomOf(written('1.2.20.3', [large])));
  // No item where a sequence has its first one: whoever only indexes the file does not look there.
  const broken = dicomOf(written('1.2.20.4', REGIONS));
  broken.fill(0xff, broken.indexOf('feff00e0', 0, 'hex'), broken.indexOf('feff00e0', 0, 'hex') + 4);
  writeFileSync(join(directory, 'images', 'broken.dcm'), broken);
  const port = await freePort();
  gateway = await buildTestGateway(
    () => ({
      open: {
        authorization: { type: 'mock', disableAuthzChecks: true },
        images: { type: 'folder', path: join(directory, 'images'), lookup: 'all-studies-on-server' },
        limits: { objectElements: LIMIT },
      },
    }),
    { images: '', patients: '' },
    undefined,
    { port },
  );
  const at = { dicomweb: `http://127.0.0.1:${port}/open/dicomweb` };
  const images = new DicomwebSource(new Transport([at.dicomweb]));
  metadataOf = (series) => images.series(at, { study: STUDY, series }, signal);
}, 120_000);
afterAll(async () => {
  await gateway?.close();
  rmSync(directory, { recursive: true, force: true });
});

interface Read {
  number: string;
  name: string;
  colour: readonly number[];
  /** Sorted: their order says nothing. */
  contours: string[];
}

const textOf = (points: readonly (readonly number[])[]) =>
  points
    .map((point) => point.map((value) => (value + 0).toFixed(3).replace('-0.000', '0.000')).join())
    .join(' ');

/** Reads a structure set by the lines of `dcmdump`, which come in the order of the file. */
function byDcmtk(file: string): Read[] {
  const lines = execFileSync('dcmdump', ['-q', '-M', '+L', '+U8', file], { encoding: 'utf8' });
  const names = new Map<string, string>();
  const regions: Read[] = [];
  let [number, colour, contours]: [string, number[], string[]] = ['', [], []];
  for (const [, tag, value = ''] of lines.matchAll(/^ *\((\w{4},\w{4})\) \w\w \[(.*)\]/gm)) {
    if (tag === '3006,0022') number = value;
    if (tag === '3006,0026') names.set(number, value);
    const numbers = value.split('\\').map(Number);
    if (tag === '3006,002a') colour = numbers;
    if (tag === '3006,0050')
      contours.push(
        textOf(Array.from({ length: numbers.length / 3 }, (_, at) => numbers.slice(3 * at, 3 * at + 3))),
      );
    // It ends the item of a region.
    if (tag !== '3006,0084') continue;
    regions.push({ number: value, name: names.get(value)!, colour, contours: contours.sort() });
    [colour, contours] = [[], []];
  }
  return regions;
}

test('numbers, names, colours and contours are those that DCMTK reads', async () => {
  const [instance] = await metadataOf('1.2.20.2');
  const reading = await structures.read(instance!, () => Promise.reject(new Error('no pixels')));
  if ('refused' in reading) throw new Error(reading.refused);
  const { parts, shapesOn } = reading.content;
  const targets = targetsOf(imagesAt(IMAGES));
  const ours = parts.map((part): Read => {
    const rings = targets.flatMap((target, index) =>
      shapesOn(target, part)
        .flatMap((shape) => (shape.kind === 'area' ? shape.rings : []))
        .map((line) => line.map(([x, y]) => [-20 + 0.5 * x, -30 + 0.75 * y, -4 + 2 * index])),
    );
    return { number: part.id, name: part.name, colour: part.colour, contours: rings.map(textOf).sort() };
  });
  const theirs = byDcmtk(GOOD);
  expect(theirs.map(({ contours }) => contours.length)).toEqual([6, 1]);
  expect(ours).toEqual(theirs);
});

test.each([
  ['larger than the limit of its tenant', '1.2.20.3', 'too-large'],
  ['broken', '1.2.20.4', 'server'],
])('one that is %s is refused, and told apart', async (_what, series, kind) => {
  await expect(metadataOf(series)).rejects.toMatchObject({ kind, status: 502 });
});
