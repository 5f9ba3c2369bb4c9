import { NODULE, SIZE, SPACING } from './chest-anatomy.ts';
import { EXPLICIT_LITTLE_ENDIAN, writeDicomFile, type Element } from './dicom-file.ts';
import { identityOfDocument, type ImageReference } from './structured-report.ts';

const GRAYSCALE_SOFTCOPY_PRESENTATION_STATE = '1.2.840.10008.5.1.4.1.1.11.1';

/** A state for the image of the nodule: the window of the lung, the part of the image round the nodule, and a circle. */
export interface NodulePresentation {
  kind: 'nodule';
  /** Of the image. */
  series: number;
  instance: number;
  text: string;
}

/** Columns and rows that are shown: as many as the image has round the nodule. */
const SHOWN = 200;
/** Radius of the circle, in pixels. */
const CIRCLE = 14;
/** CIELab of a light blue: L* 75, a* −14, b* −32 (PS3.3 §C.10.7.1.1). */
const BLUE = [49151, 29298, 24672];

/** Content Date and Time: a state has those of its creation. */
const CONTENT_TIME = new Set([0x00080023, 0x00080033]);

const element = (tag: number, vr: string, value: Element['value']): Element => ({ tag, vr, value });
const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);
const integers = (...values: number[]) => new Uint8Array(Int32Array.from(values).buffer);

/**
 * Writes a Grayscale Softcopy Presentation State (PS3.3 §A.33.1), the same on every machine.
 * @param image whose values are stored as HU + 1024
 * @param identity patient, study, series and instance, as `identityElements` gives them
 */
export function presentationStateFile(
  { text }: NodulePresentation,
  image: ImageReference,
  study: { date: string; time: string },
  identity: readonly Element[],
): Buffer {
  const images = element(0x00081140, 'SQ', [
    [element(0x00081150, 'UI', image.sopClass), element(0x00081155, 'UI', image.sopInstance)],
  ]);
  // The outer corner of the first pixel is 0/0 (PS3.3 §C.10.5).
  const [column, row] = [NODULE.x / SPACING + SIZE / 2, NODULE.y / SPACING + SIZE / 2];
  const [left, top] = [column, row].map((middle) => Math.round(middle) - SHOWN / 2) as [number, number];
  return writeDicomFile(EXPLICIT_LITTLE_ENDIAN, [
    ...identityOfDocument(identity).filter(({ tag }) => !CONTENT_TIME.has(tag)),
    element(0x00080016, 'UI', GRAYSCALE_SOFTCOPY_PRESENTATION_STATE),
    element(0x00080060, 'CS', 'PR'),
    element(0x00080070, 'LO', 'SMART Imaging Gateway'),
    element(0x00081090, 'LO', 'Synthetic chest phantom'),
    element(0x00081115, 'SQ', [[images, element(0x0020000e, 'UI', image.seriesUid)]]),
    // A part of the body that has no side.
    element(0x00180015, 'CS', 'CHEST'),
    element(0x00181000, 'LO', 'DEMO-1'),
    element(0x00181020, 'LO', '1'),
    element(0x00281052, 'DS', '-1024'),
    element(0x00281053, 'DS', '1'),
    element(0x00281054, 'LO', 'HU'),
    element(0x00283110, 'SQ', [
      [
        element(0x00281050, 'DS', '-600'),
        element(0x00281051, 'DS', '1500'),
        element(0x00281055, 'LO', 'Lung'),
      ],
    ]),
    element(0x00700001, 'SQ', [
      [images, element(0x00700002, 'CS', 'FINDINGS'), ...annotation([column, row], text)],
    ]),
    element(0x0070005a, 'SQ', [
      [
        // Pixels are counted from 1.
        element(0x00700052, 'SL', integers(left + 1, top + 1)),
        element(0x00700053, 'SL', integers(left + SHOWN, top + SHOWN)),
        element(0x00700100, 'CS', 'SCALE TO FIT'),
        element(0x00700101, 'DS', `${SPACING}\\${SPACING}`),
      ],
    ]),
    element(0x00700060, 'SQ', [
      [
        element(0x00700002, 'CS', 'FINDINGS'),
        element(0x00700062, 'IS', '1'),
        element(0x00700068, 'LO', 'Findings'),
        element(0x00700401, 'US', BLUE),
      ],
    ]),
    element(0x00700080, 'CS', 'NODULE'),
    element(0x00700081, 'LO', 'Nodule of the right lung, lung window'),
    element(0x00700082, 'DA', study.date),
    element(0x00700083, 'TM', study.time),
    element(0x00700084, 'PN', 'Tanaka^Haruto'),
    element(0x20500020, 'CS', 'IDENTITY'),
  ]);
}

/** Returns a circle, and a text in a box above it to the right. */
function annotation([column, row]: readonly [number, number], text: string): Element[] {
  const box = [column + 24, row - 50, column + 94, row - 40] as const;
  return [
    element(0x00700008, 'SQ', [
      [
        element(0x00700003, 'CS', 'PIXEL'),
        element(0x00700004, 'CS', 'PIXEL'),
        element(0x00700006, 'ST', text),
        element(0x00700010, 'FL', floats(box[0], box[1])),
        element(0x00700011, 'FL', floats(box[2], box[3])),
        element(0x00700012, 'CS', 'LEFT'),
        element(0x00700014, 'FL', floats(column + CIRCLE * 0.7, row - CIRCLE * 0.7)),
        element(0x00700015, 'CS', 'Y'),
      ],
    ]),
    element(0x00700009, 'SQ', [
      [
        element(0x00700005, 'CS', 'PIXEL'),
        element(0x00700020, 'US', [2]),
        element(0x00700021, 'US', [2]),
        element(0x00700022, 'FL', floats(column, row, column + CIRCLE, row)),
        element(0x00700023, 'CS', 'CIRCLE'),
        element(0x00700024, 'CS', 'N'),
      ],
    ]),
  ];
}
