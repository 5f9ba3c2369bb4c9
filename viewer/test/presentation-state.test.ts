/** Presentation states of DCMTK: what the viewer makes of them has the grey values of DCMTK's own picture. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { EXPLICIT_LITTLE_ENDIAN, writeDicomFile } from '../../gateway/demo/dicom-file.ts';
import { number, text, type Instance } from '../src/domain/instance.ts';
import type { Look } from '../src/domain/overlays/overlay.ts';
import { presentationState } from '../src/domain/overlays/presentation-state.ts';

const [COLUMNS, ROWS] = [30, 20];
const folder = mkdtempSync(join(tmpdir(), 'presentation-'));
afterAll(() => rmSync(folder, { recursive: true }));

const run = (program: string, ...args: string[]) =>
  execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });

/** Writes an image of 16 bits whose values rise from pixel to pixel. */
function writeImage(file: string, { photometric, signed, slope, intercept }: Image): void {
  const values = Int16Array.from({ length: COLUMNS * ROWS }, (_, at) => at * 5 - (signed ? 1500 : 0));
  const elements: [number, string, string | number[]][] = [
    [0x00080016, 'UI', '1.2.840.10008.5.1.4.1.1.2'],
    [0x00080018, 'UI', '2.25.1'],
    [0x00080060, 'CS', 'CT'],
    [0x00100010, 'PN', 'Test'],
    [0x00100020, 'LO', '1'],
    [0x0020000d, 'UI', '2.25.2'],
    [0x0020000e, 'UI', '2.25.3'],
    [0x00200013, 'IS', '1'],
    [0x00280002, 'US', [1]],
    [0x00280004, 'CS', photometric],
    [0x00280010, 'US', [ROWS]],
    [0x00280011, 'US', [COLUMNS]],
    [0x00280100, 'US', [16]],
    [0x00280101, 'US', [12]],
    [0x00280102, 'US', [11]],
    [0x00280103, 'US', [signed ? 1 : 0]],
    [0x00281050, 'DS', '300'],
    [0x00281051, 'DS', '900'],
    [0x00281052, 'DS', String(intercept)],
    [0x00281053, 'DS', String(slope)],
    [0x00281054, 'LO', 'HU'],
  ];
  const dataset = elements.map(([tag, vr, value]) => ({ tag, vr, value }));
  const pixels = { vr: 'OW', bytes: new Uint8Array(values.buffer), encapsulated: false } as const;
  writeFileSync(file, writeDicomFile(EXPLICIT_LITTLE_ENDIAN, dataset, pixels));
}

interface Image {
  photometric: string;
  signed: boolean;
  slope: number;
  intercept: number;
}

const CT: Image = { photometric: 'MONOCHROME2', signed: true, slope: 1, intercept: -24 };
const CR: Image = { photometric: 'MONOCHROME1', signed: false, slope: 1, intercept: 0 };
const VOI = '(0028,3110)[0].';
const TURN = (rotation: number, flip: string) => [`(0070,0042)=${rotation}`, `(0070,0041)=${flip}`];

describe.runIf(existsSync('/usr/bin/dcmpsmk'))('a presentation state of DCMTK', () => {
  test.each<[string, Image, readonly string[]]>([
    ['as it is made', CT, []],
    ['another window', CT, [`${VOI}(0028,1050)=-400`, `${VOI}(0028,1051)=1200.5`]],
    ['a narrow window', CT, [`${VOI}(0028,1050)=100`, `${VOI}(0028,1051)=1`]],
    ['no window', CT, ['-(0028,3110)']],
    ['INVERSE', CT, ['(2050,0020)=INVERSE']],
    ['another modality LUT', CT, ['(0028,1053)=2', '(0028,1052)=100']],
    ['no modality LUT', CT, ['-(0028,1053)', '-(0028,1052)', '-(0028,1054)']],
    ['slope', { ...CT, slope: 0.5, intercept: 10 }, []],
    ['MONOCHROME1', CR, []],
    ['MONOCHROME1 as IDENTITY', CR, ['(2050,0020)=IDENTITY']],
    ['MONOCHROME1 as INVERSE', CR, ['(2050,0020)=INVERSE']],
    ...[0, 90, 180, 270].flatMap((rotation): [string, Image, string[]][] =>
      ['N', 'Y'].map((flip) => [`turned by ${rotation}, flipped ${flip}`, CT, TURN(rotation, flip)]),
    ),
  ])('%s', (_what, image, changes) => {
    const [file, state, picture] = ['image.dcm', 'state.dcm', 'picture.pgm'].map((name) =>
      join(folder, name),
    );
    writeImage(file!, image);
    run('dcmpsmk', '-q', file!, state!);
    const options = changes.flatMap((one) => (one.startsWith('-') ? ['-ea', one.slice(1)] : ['-i', one]));
    if (options.length > 0) run('dcmodify', '-nb', '-imt', ...options, state!);
    run('dcmp2pgm', '-p', state!, file!, picture!);
    const [of, shown] = [state!, file!].map((one) => JSON.parse(run('dcm2json', one)) as Instance);
    expect(
      greatestDifference(drawn(shown!, lookOf(of!, shown!), image), readFileSync(picture!)),
    ).toBeLessThanOrEqual(1);
  });
});

function lookOf(state: Instance, metadata: Instance): Look {
  const reading = presentationState.read(state, () => Promise.reject(new Error('no pixels')));
  if (reading instanceof Promise || 'refused' in reading) throw new Error('not read');
  const instance = text(metadata, '00080018')!;
  const target = { id: 's/s/i/1', instance, frame: 1, metadata, rectangle: undefined, halfSlice: 1 };
  return reading.content.lookOn!(target)!;
}

/** Draws the image as the engine does: its own rescale, a window, black and white, mirrored and then turned clockwise. */
function drawn(metadata: Instance, look: Look, { signed, slope, intercept, photometric }: Image) {
  const { centre, width } = look.window!;
  const isInverted = look.inverted !== (photometric === 'MONOCHROME1');
  const greyAt = (column: number, row: number) => {
    const value = ((row * COLUMNS + column) * 5 - (signed ? 1500 : 0)) * slope + intercept;
    const part = width > 1 ? (value - (centre - 0.5)) / (width - 1) + 0.5 : value > centre - 0.5 ? 1 : 0;
    const grey = Math.round(Math.min(Math.max(part, 0), 1) * 255);
    return isInverted ? 255 - grey : grey;
  };
  expect([number(metadata, '00280011'), number(metadata, '00280010')]).toEqual([COLUMNS, ROWS]);
  const quarters = look.rotation / 90;
  const [columns, rows] = quarters % 2 === 1 ? [ROWS, COLUMNS] : [COLUMNS, ROWS];
  return {
    columns,
    rows,
    greyAt(x: number, y: number) {
      let [column, row] = [x, y];
      for (let turn = quarters, height = columns; turn > 0; turn--) {
        // A quarter back: what is at the right was at the top.
        [column, row] = [row, height - 1 - column];
        height = height === columns ? rows : columns;
      }
      return greyAt(look.flipped ? COLUMNS - 1 - column : column, row);
    },
  };
}

/** @param pgm of 8 bits: `P5`, a comment at times, width, height, greatest value, bytes */
function greatestDifference({ columns, rows, greyAt }: ReturnType<typeof drawn>, pgm: Buffer): number {
  const head = /^P5\s+(?:#.*\n)*(\d+)\s+(\d+)\s+255\s/.exec(pgm.subarray(0, 300).toString('latin1'))!;
  expect([Number(head[1]), Number(head[2])]).toEqual([columns, rows]);
  const grey = pgm.subarray(head[0].length);
  let greatest = 0;
  for (let at = 0; at < columns * rows; at++)
    greatest = Math.max(greatest, Math.abs(greyAt(at % columns, Math.floor(at / columns)) - grey[at]!));
  return greatest;
}
