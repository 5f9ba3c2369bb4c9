import { EXPLICIT_LITTLE_ENDIAN, writeDicomFile, type Element } from './dicom-file.ts';
import { anatomyOf, drawSlice, SIZE, SPACING, TOP } from './chest-anatomy.ts';

/** One series of the synthetic chest. `spacing`, which is also the slice thickness, and `noduleRadius` are in mm. */
export interface PhantomReconstruction {
  kind: 'soft' | 'lung' | 'localizer';
  slices: number;
  spacing: number;
  noduleRadius: number;
  seed: number;
}

export const CT_IMAGE_STORAGE = '1.2.840.10008.5.1.4.1.1.2';
const INTERCEPT = -1024;
const NOISE_LENGTH = 1 << 18;

/** Standard deviation of the noise in HU, before the soft-tissue kernel smooths it. */
const NOISE_HU = { soft: 38, lung: 24, localizer: 0 } as const;
const WINDOW = {
  soft: ['40\\-600', '400\\1500'],
  lung: ['-600\\40', '1500\\400'],
  localizer: ['500', '1000'],
} as const;
const KERNEL = { soft: 'SYNTHETIC_SOFT', lung: 'SYNTHETIC_SHARP', localizer: 'SYNTHETIC' } as const;

/** Returns numbers of unit variance: each is the sum of four uniform ones from a linear congruential generator. */
function noiseTable(seed: number): Float32Array {
  const table = new Float32Array(NOISE_LENGTH);
  let state = (seed * 2654435761) >>> 0;
  const next = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 0x100000000;
  for (let index = 0; index < NOISE_LENGTH; index++) {
    table[index] = (next() + next() + next() + next() - 2) * Math.sqrt(3);
  }
  return table;
}

/** Smooths an image in place by the mean of 3 × 3 pixels, the kernel of the soft-tissue reconstruction. Edges stay. */
function smooth(image: Int16Array, rows: Float32Array): void {
  for (let y = 0; y < SIZE; y++) {
    const row = y * SIZE;
    for (let x = 1; x < SIZE - 1; x++)
      rows[row + x] = image[row + x - 1]! + image[row + x]! + image[row + x + 1]!;
  }
  for (let y = 1; y < SIZE - 1; y++) {
    const row = y * SIZE;
    for (let x = 1; x < SIZE - 1; x++) {
      image[row + x] = Math.round((rows[row + x - SIZE]! + rows[row + x]! + rows[row + x + SIZE]!) / 9);
    }
  }
}

/** Returns the position in mm of a slice along the patient's axis (LPS z); slice 0 is the uppermost. */
export function slicePosition({ spacing }: PhantomReconstruction, index: number): number {
  return TOP - spacing * (index + 0.5);
}

/** Yields axial slices in HU, the uppermost first. Every slice uses the same array. */
function* axialSlices(reconstruction: PhantomReconstruction): Generator<Int16Array> {
  const anatomy = anatomyOf(reconstruction.noduleRadius);
  const noise = noiseTable(reconstruction.seed);
  const sigma = NOISE_HU[reconstruction.kind];
  const image = new Int16Array(SIZE * SIZE);
  const rows = new Float32Array(SIZE * SIZE);
  for (let index = 0; index < reconstruction.slices; index++) {
    drawSlice(anatomy, slicePosition(reconstruction, index), image);
    if (sigma > 0) {
      // A coprime stride into the table gives neighbouring slices different patterns.
      let cursor = (index * 104_729 + 7_919) % NOISE_LENGTH;
      for (let pixel = 0; pixel < image.length; pixel++) {
        image[pixel]! += sigma * noise[cursor]!;
        cursor = (cursor + 1) & (NOISE_LENGTH - 1);
        if (cursor === 0) cursor = index & 0xff;
      }
    }
    if (reconstruction.kind === 'soft') smooth(image, rows);
    yield image;
  }
}

/** Computes a frontal projection: for each slice, the sum of attenuation from front to back, scaled to 0–1000. */
function project(reconstruction: PhantomReconstruction): Int16Array {
  const sums = new Float64Array(SIZE * reconstruction.slices);
  let row = 0;
  for (const slice of axialSlices(reconstruction)) {
    for (let pixel = 0; pixel < slice.length; pixel++) {
      sums[row * SIZE + (pixel & (SIZE - 1))]! += Math.max(0, slice[pixel]! + 1000);
    }
    row += 1;
  }
  const greatest = sums.reduce((a, b) => Math.max(a, b), 1);
  return Int16Array.from(sums, (sum) => Math.round((1000 * sum) / greatest));
}

function imageElements(
  { kind, spacing }: PhantomReconstruction,
  geometry: { rows: number; position: string; orientation: string; pixelSpacing: string; intercept: number },
): Element[] {
  const [center, width] = WINDOW[kind];
  const elements: [number, string, string | number[]][] = [
    [0x00080008, 'CS', kind === 'localizer' ? 'DERIVED\\SECONDARY\\LOCALIZER' : 'DERIVED\\SECONDARY\\AXIAL'],
    [0x00080016, 'UI', CT_IMAGE_STORAGE],
    [0x00080060, 'CS', 'CT'],
    [0x00080070, 'LO', 'SMART Imaging Gateway'],
    [0x00081090, 'LO', 'Synthetic chest phantom'],
    [0x00082111, 'ST', 'Computed from a geometric model; not an acquisition of any person'],
    [0x00180015, 'CS', 'CHEST'],
    [0x00180050, 'DS', String(spacing)],
    [0x00180060, 'DS', ''],
    [0x00181210, 'SH', KERNEL[kind]],
    [0x00185100, 'CS', 'HFS'],
    [0x00200012, 'IS', '1'],
    [0x00200032, 'DS', geometry.position],
    [0x00200037, 'DS', geometry.orientation],
    [0x00280002, 'US', [1]],
    [0x00280004, 'CS', 'MONOCHROME2'],
    [0x00280010, 'US', [geometry.rows]],
    [0x00280011, 'US', [SIZE]],
    [0x00280030, 'DS', geometry.pixelSpacing],
    [0x00280100, 'US', [16]],
    [0x00280101, 'US', [16]],
    [0x00280102, 'US', [15]],
    [0x00280103, 'US', [1]],
    [0x00281050, 'DS', center],
    [0x00281051, 'DS', width],
    [0x00281052, 'DS', String(geometry.intercept)],
    [0x00281053, 'DS', '1'],
    [0x00281054, 'LO', kind === 'localizer' ? 'US' : 'HU'],
  ];
  return elements.map(([tag, vr, value]) => ({ tag, vr, value }));
}

function file(image: Int16Array, elements: Element[]): Buffer {
  const bytes = new Uint8Array(image.buffer, image.byteOffset, image.byteLength);
  return writeDicomFile(EXPLICIT_LITTLE_ENDIAN, elements, { vr: 'OW', bytes, encapsulated: false });
}

/** Returns the pixels of one of these files, in HU. */
export function pixelsOfPhantom(file: Buffer): Int16Array {
  // Pixel Data come last.
  const stored = new Int16Array(new Uint8Array(file.subarray(-2 * SIZE * SIZE)).buffer);
  return stored.map((value) => value + INTERCEPT);
}

/** Returns the number of instances of a reconstruction: a localizer is one image. */
export function instancesOf({ kind, slices }: PhantomReconstruction): number {
  return kind === 'localizer' ? 1 : slices;
}

/**
 * Yields the series as CT Image Storage files (Explicit VR Little Endian, 16 bits signed, HU), the same on every
 * machine.
 * @param story returns the identity of an instance
 */
export function* phantomFiles(
  reconstruction: PhantomReconstruction,
  story: (instanceNumber: number) => Element[],
): Generator<Buffer> {
  const edge = (-SIZE / 2 + 0.5) * SPACING;
  if (reconstruction.kind === 'localizer') {
    const geometry = {
      rows: reconstruction.slices,
      position: `${edge}\\0\\${slicePosition(reconstruction, 0)}`,
      orientation: '1\\0\\0\\0\\0\\-1',
      pixelSpacing: `${reconstruction.spacing}\\${SPACING}`,
      intercept: 0,
    };
    yield file(project(reconstruction), [...imageElements(reconstruction, geometry), ...story(1)]);
    return;
  }
  const stored = new Int16Array(SIZE * SIZE);
  let index = 0;
  for (const slice of axialSlices(reconstruction)) {
    for (let pixel = 0; pixel < slice.length; pixel++) stored[pixel] = Math.max(0, slice[pixel]! - INTERCEPT);
    const position = slicePosition(reconstruction, index);
    const geometry = {
      rows: SIZE,
      position: `${edge}\\${edge}\\${position}`,
      orientation: '1\\0\\0\\0\\1\\0',
      pixelSpacing: `${SPACING}\\${SPACING}`,
      intercept: INTERCEPT,
    };
    const slicing: Element = { tag: 0x00201041, vr: 'DS', value: String(position) };
    index += 1;
    yield file(stored, [...imageElements(reconstruction, geometry), slicing, ...story(index)]);
  }
}
