import { EXPLICIT_LITTLE_ENDIAN, writeDicomFile, type Element } from './dicom-file.ts';
import { NODULE, SIZE, SPACING } from './chest-anatomy.ts';
import { CT_IMAGE_STORAGE, pixelsOfPhantom, type PhantomReconstruction, slicePosition } from './phantom.ts';
import { codeSequence, type Code, type ImageReference } from './structured-report.ts';

/** HU. What is below is air, what is above within the nodule's reach is the nodule. */
export const AIR_BELOW = -500;
export const NODULE_ABOVE = -400;
/** mm around the centre of the nodule, where the threshold is looked at. */
const REACH = 8;
/** Pixels further down are of the table. */
const LAST_ROW = Math.floor(130 / SPACING + SIZE / 2);

const SEGMENTATION_STORAGE = '1.2.840.10008.5.1.4.1.1.66.4';

interface Segment {
  label: string;
  category: Code;
  type: Code;
  /** CIELab, as DICOM writes it (PS3.3 §C.10.7.1.1). */
  colour: readonly [number, number, number];
  /** Returns the pixels of a slice, by rows. */
  mask: (pixels: Int16Array, z: number) => Uint8Array;
}

const SEGMENTS: readonly Segment[] = [
  {
    label: `Air in the chest, below ${AIR_BELOW} HU`,
    category: ['91720002', 'SCT', 'Body substance'],
    type: ['15158005', 'SCT', 'Air'],
    colour: [45400, 28579, 23760],
    mask: airWithin,
  },
  {
    label: `Nodule, above ${NODULE_ABOVE} HU`,
    category: ['49755003', 'SCT', 'Morphologically Abnormal Structure'],
    type: ['27925004', 'SCT', 'Nodule'],
    colour: [46013, 43122, 52448],
    mask: noduleOn,
  },
];

/** Air that has no way to the edge of the image. */
function airWithin(pixels: Int16Array): Uint8Array {
  const mask = new Uint8Array(pixels.length);
  for (let at = 0; at < LAST_ROW * SIZE; at++) mask[at] = pixels[at]! < AIR_BELOW ? 1 : 0;
  const stack: number[] = [];
  const leave = (at: number) => {
    if (mask[at] !== 1) return;
    mask[at] = 0;
    stack.push(at);
  };
  for (let at = 0; at < SIZE; at++)
    for (const edge of [at, at * SIZE, at * SIZE + SIZE - 1, (LAST_ROW - 1) * SIZE + at]) leave(edge);
  for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
    if (at % SIZE > 0) leave(at - 1);
    if (at % SIZE < SIZE - 1) leave(at + 1);
    if (at >= SIZE) leave(at - SIZE);
    leave(at + SIZE);
  }
  return mask;
}

function noduleOn(pixels: Int16Array, z: number): Uint8Array {
  const mask = new Uint8Array(pixels.length);
  const height = z - NODULE.z;
  for (const row of pixelsNear(NODULE.y))
    for (const column of pixelsNear(NODULE.x)) {
      const at = row * SIZE + column;
      const isNear = Math.hypot(placeOf(column) - NODULE.x, placeOf(row) - NODULE.y, height) <= REACH;
      if (isNear && pixels[at]! > NODULE_ABOVE) mask[at] = 1;
    }
  return mask;
}

/** Returns the place of a row or column in mm from the middle. */
const placeOf = (index: number) => (index - SIZE / 2 + 0.5) * SPACING;

/** Returns the rows or columns within the reach of a place: to look at all takes most of the demonstration's start. */
function pixelsNear(place: number): number[] {
  const all = Array.from({ length: SIZE }, (_, index) => index);
  return all.filter((index) => Math.abs(placeOf(index) - place) <= REACH);
}

interface SegmentFrame {
  /** Number of its segment, from 1. */
  segment: number;
  /** Of the slice, from 0. */
  slice: number;
  mask: Uint8Array;
}

/** Thresholds the slices. Frames without a pixel are left out. @param files of the series, in the order of its slices */
function framesOf(reconstruction: PhantomReconstruction, files: Iterable<Buffer>): SegmentFrame[] {
  const frames: SegmentFrame[] = [];
  let slice = 0;
  for (const file of files) {
    const pixels = pixelsOfPhantom(file);
    for (const [index, { mask: maskOf }] of SEGMENTS.entries()) {
      const mask = maskOf(pixels, slicePosition(reconstruction, slice));
      if (mask.includes(1)) frames.push({ segment: index + 1, slice, mask });
    }
    slice += 1;
  }
  return frames.sort((a, b) => a.segment - b.segment || a.slice - b.slice);
}

const element = (tag: number, vr: string, value: Element['value']): Element => ({ tag, vr, value });
const uint32 = (...values: number[]) => new Uint8Array(Uint32Array.from(values).buffer);

/**
 * Writes a segmentation of a series by thresholds (PS3.3 §A.51), the same on every machine.
 * @param files of the series, in the order of its slices
 * @param imageOf returns the reference to a slice, from 1
 * @param identity patient, study, series and instance, as `identityElements` gives them
 */
export function segmentationFile(
  reconstruction: PhantomReconstruction,
  files: Iterable<Buffer>,
  imageOf: (instanceNumber: number) => ImageReference,
  identity: readonly Element[],
): Buffer {
  const frames = framesOf(reconstruction, files);
  const dimensions = '2.25.229184013711403168276370930466905462112';
  const image = (slice: number) => {
    const { sopInstance } = imageOf(slice + 1);
    return [element(0x00081150, 'UI', CT_IMAGE_STORAGE), element(0x00081155, 'UI', sopInstance)];
  };
  const slices = [...new Set(frames.map((frame) => frame.slice))].sort((a, b) => a - b);
  const dimension = (tag: [number, number], group: [number, number]) => [
    element(0x00209164, 'UI', dimensions),
    element(0x00209165, 'AT', tag),
    element(0x00209167, 'AT', group),
  ];
  return writeDicomFile(
    EXPLICIT_LITTLE_ENDIAN,
    [
      ...identity,
      ...fixedElements(frames.length),
      element(0x00081115, 'SQ', [
        [element(0x0008114a, 'SQ', slices.map(image)), element(0x0020000e, 'UI', imageOf(1).seriesUid)],
      ]),
      element(0x00209221, 'SQ', [[element(0x00209164, 'UI', dimensions)]]),
      element(0x00209222, 'SQ', [
        dimension([0x0062, 0x000b], [0x0062, 0x000a]),
        dimension([0x0020, 0x0032], [0x0020, 0x9113]),
      ]),
      element(0x00620002, 'SQ', SEGMENTS.map(segmentItem)),
      element(0x52009229, 'SQ', [sharedGroups(reconstruction)]),
      element(
        0x52009230,
        'SQ',
        frames.map(({ segment, slice }) => [
          element(0x00089124, 'SQ', [derivation(image(slice))]),
          element(0x00209111, 'SQ', [
            [element(0x00209157, 'UL', uint32(segment, slices.indexOf(slice) + 1))],
          ]),
          element(0x00209113, 'SQ', [[element(0x00200032, 'DS', position(reconstruction, slice))]]),
          element(0x0062000a, 'SQ', [[element(0x0062000b, 'US', [segment])]]),
        ]),
      ),
    ],
    { vr: 'OB', bytes: packed(frames), encapsulated: false },
  );
}

function fixedElements(frames: number): Element[] {
  const elements: [number, string, string | number[]][] = [
    [0x00080008, 'CS', 'DERIVED\\PRIMARY'],
    [0x00080016, 'UI', SEGMENTATION_STORAGE],
    [0x00080060, 'CS', 'SEG'],
    [0x00080070, 'LO', 'SMART Imaging Gateway'],
    [0x00081090, 'LO', 'Threshold, for demonstration'],
    [0x00181000, 'LO', 'DEMO-1'],
    [0x00181020, 'LO', '1'],
    [0x00280002, 'US', [1]],
    [0x00280004, 'CS', 'MONOCHROME2'],
    [0x00280008, 'IS', String(frames)],
    [0x00280010, 'US', [SIZE]],
    [0x00280011, 'US', [SIZE]],
    [0x00280100, 'US', [1]],
    [0x00280101, 'US', [1]],
    [0x00280102, 'US', [0]],
    [0x00280103, 'US', [0]],
    [0x00282110, 'CS', '00'],
    [0x00620001, 'CS', 'BINARY'],
    [0x00700080, 'CS', 'THRESHOLD'],
    [0x00700081, 'LO', 'Air and nodule by threshold, for demonstration'],
    [0x00700084, 'PN', ''],
  ];
  return elements.map(([tag, vr, value]) => ({ tag, vr, value }));
}

function segmentItem({ label, category, type, colour }: Segment, index: number): Element[] {
  return [
    codeSequence(0x00620003, category),
    element(0x00620004, 'US', [index + 1]),
    element(0x00620005, 'LO', label),
    element(0x00620008, 'CS', 'AUTOMATIC'),
    element(0x00620009, 'LO', 'Threshold'),
    element(0x0062000d, 'US', [...colour]),
    codeSequence(0x0062000f, type),
  ];
}

function sharedGroups({ spacing }: PhantomReconstruction): Element[] {
  const measures = [
    element(0x00180050, 'DS', String(spacing)),
    element(0x00180088, 'DS', String(spacing)),
    element(0x00280030, 'DS', `${SPACING}\\${SPACING}`),
  ];
  return [
    element(0x00209116, 'SQ', [[element(0x00200037, 'DS', '1\\0\\0\\0\\1\\0')]]),
    element(0x00289110, 'SQ', [measures]),
  ];
}

function position(reconstruction: PhantomReconstruction, slice: number): string {
  const edge = (-SIZE / 2 + 0.5) * SPACING;
  return `${edge}\\${edge}\\${slicePosition(reconstruction, slice)}`;
}

function derivation(image: Element[]): Element[] {
  return [
    element(0x00082112, 'SQ', [
      [
        ...image,
        element(0x0028135a, 'CS', 'YES'),
        codeSequence(0x0040a170, ['121322', 'DCM', 'Source image for image processing operation']),
      ],
    ]),
    codeSequence(0x00089215, ['113076', 'DCM', 'Segmentation']),
  ];
}

/** One bit a pixel, the low bit first; frames fill whole bytes (PS3.5 §8.1.1). */
function packed(frames: readonly SegmentFrame[]): Uint8Array {
  const length = (SIZE * SIZE) / 8;
  const bytes = new Uint8Array(frames.length * length);
  for (const [index, { mask }] of frames.entries())
    for (let at = 0; at < mask.length; at++) bytes[index * length + (at >> 3)]! |= mask[at]! << (at & 7);
  return bytes;
}
