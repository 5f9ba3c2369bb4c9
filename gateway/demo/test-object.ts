import { EXPLICIT_LITTLE_ENDIAN, writeDicomFile, type Element } from './dicom-file.ts';
import { CT_IMAGE_STORAGE } from './phantom.ts';

/**
 * A test object for measurements: a disc of water in air, with four rods at the corners of a square and a bar between
 * them. All distances are known, and all centres are centres of pixels.
 */
export const TEST_OBJECT = {
  /** Rows and columns. */
  size: 256,
  /** mm between the centres of pixels. */
  spacing: 0.5,
  /** mm between slices. */
  thickness: 5,
  /** Columns and rows of the rods, from 0; they are 120 pixels apart. */
  rods: { first: 68, second: 188 },
  /** mm between two rods along a row or a column. */
  side: 60,
  /** The bar: first and last column and row. It is 40 mm long and 5 mm high. */
  bar: { columns: [88, 167], rows: [123, 132] },
} as const;

const AIR = -1000;
const WATER = 0;
const BAR = 400;
/** HU of the rods, row by row. */
const RODS = [1000, 800, 600, 700];
const DISC_RADIUS = 58;
const ROD_RADIUS = 2;
const INTERCEPT = -1024;

/** Returns HU at a pixel. */
function at(column: number, row: number): number {
  const { size, spacing, rods, bar } = TEST_OBJECT;
  const ends = [rods.first, rods.second];
  for (const [n, hu] of RODS.entries()) {
    const [x, y] = [ends[n % 2]!, ends[n >> 1]!];
    if (Math.hypot(column - x, row - y) * spacing <= ROD_RADIUS) return hu;
  }
  const within = (value: number, [first, last]: readonly [number, number]) => value >= first && value <= last;
  if (within(column, bar.columns) && within(row, bar.rows)) return BAR;
  const centre = (size - 1) / 2;
  return Math.hypot(column - centre, row - centre) * spacing <= DISC_RADIUS ? WATER : AIR;
}

/**
 * Yields the slices as CT Image Storage files (Explicit VR Little Endian, 16 bits signed), the same on every machine.
 * @param story returns the identity of an instance
 */
export function* testObjectFiles(
  slices: number,
  story: (instanceNumber: number) => Element[],
): Generator<Buffer> {
  const { size, spacing, thickness } = TEST_OBJECT;
  const pixels = Int16Array.from(
    { length: size * size },
    (_, i) => at(i % size, Math.floor(i / size)) - INTERCEPT,
  );
  const edge = ((1 - size) / 2) * spacing;
  for (let index = 0; index < slices; index++) {
    const position = -thickness * index;
    const elements: [number, string, string | number[]][] = [
      [0x00080008, 'CS', 'DERIVED\\SECONDARY\\AXIAL'],
      [0x00080016, 'UI', CT_IMAGE_STORAGE],
      [0x00080060, 'CS', 'CT'],
      [0x00080070, 'LO', 'SMART Imaging Gateway'],
      [0x00081090, 'LO', 'Test object'],
      [0x00082111, 'ST', 'Computed test object with known distances; not an acquisition of any person'],
      [0x00180015, 'CS', 'CHEST'],
      [0x00180050, 'DS', String(thickness)],
      [0x00180060, 'DS', ''],
      [0x00185100, 'CS', 'HFS'],
      [0x00200012, 'IS', '1'],
      [0x00200032, 'DS', `${edge}\\${edge}\\${position}`],
      [0x00200037, 'DS', '1\\0\\0\\0\\1\\0'],
      [0x00201041, 'DS', String(position)],
      [0x00280002, 'US', [1]],
      [0x00280004, 'CS', 'MONOCHROME2'],
      [0x00280010, 'US', [size]],
      [0x00280011, 'US', [size]],
      [0x00280030, 'DS', `${spacing}\\${spacing}`],
      [0x00280100, 'US', [16]],
      [0x00280101, 'US', [16]],
      [0x00280102, 'US', [15]],
      [0x00280103, 'US', [1]],
      [0x00281050, 'DS', '100'],
      [0x00281051, 'DS', '2200'],
      [0x00281052, 'DS', String(INTERCEPT)],
      [0x00281053, 'DS', '1'],
      [0x00281054, 'LO', 'HU'],
    ];
    yield writeDicomFile(
      EXPLICIT_LITTLE_ENDIAN,
      [...elements.map(([tag, vr, value]) => ({ tag, vr, value })), ...story(index + 1)],
      { vr: 'OW', bytes: new Uint8Array(pixels.buffer), encapsulated: false },
    );
  }
}
