/** A CT, an ultrasound without a scale and a film, with measurements of every kind and key images on them. */
import type { Authorship } from '../../src/domain/files/document.ts';
import type { Keyed } from '../../src/domain/files/key-selection.ts';
import type { Measured } from '../../src/domain/files/measurement-report.ts';
import type { Instance } from '../../src/domain/instance.ts';
import type { Kind } from '../../src/domain/measure/kinds.ts';
import type { Measurement } from '../../src/domain/measure/measurement.ts';
import { sizeOf } from '../../src/domain/measure/sizes.ts';
import type { Values } from '../../src/domain/measure/values.ts';
import type { KeyImage } from '../../src/domain/series/key-image.ts';
import type { ImagePoint } from '../../src/domain/space/geometry.ts';
import { frameId, type FrameName } from '../../src/domain/study.ts';
import { HELEN, of } from './overlay-objects.ts';

const STUDY: Instance = {
  ...HELEN,
  '00080020': of('DA', '20260202'),
  '00080030': of('TM', '101500'),
  '00080050': of('SH', 'ACC-2002'),
  '00080090': of('PN'),
  '00081030': of('LO', 'CT chest'),
  '00100040': of('CS', 'F'),
  '00200010': of('SH', '1'),
  '0020000D': of('UI', '1.2.20'),
};

/** 512 × 512 pixels of 0.7 mm, without a place in the patient. */
export const CT: Instance = {
  ...STUDY,
  '00080016': of('UI', '1.2.840.10008.5.1.4.1.1.2'),
  '00080018': of('UI', '1.2.20.1.5'),
  '00080060': of('CS', 'CT'),
  '00200011': of('IS', 1),
  '00200013': of('IS', 5),
  '0020000E': of('UI', '1.2.20.1'),
  '00280002': of('US', 1),
  '00280004': of('CS', 'MONOCHROME2'),
  '00280010': of('US', 512),
  '00280011': of('US', 512),
  '00280030': of('DS', 0.7, 0.7),
  '00281050': of('DS', 40),
  '00281051': of('DS', 400),
  '00281052': of('DS', -1024),
  '00281053': of('DS', 1),
  '00281054': of('LO', 'HU'),
};
/** Grey, of 20 frames, without a scale. */
const { '00280030': _spacing, ...WITHOUT_SCALE } = CT;
export const FILM: Instance = {
  ...WITHOUT_SCALE,
  '00080016': of('UI', '1.2.840.10008.5.1.4.1.1.3.1'),
  '00080018': of('UI', '1.2.20.2.1'),
  '00080060': of('CS', 'US'),
  '00200011': of('IS', 2),
  '00200013': of('IS', 1),
  '0020000E': of('UI', '1.2.20.2'),
  '00280008': of('IS', 20),
};

export const ON_CT: FrameName = { study: '1.2.20', series: '1.2.20.1', instance: '1.2.20.1.5', frame: 1 };
export const ON_FILM: FrameName = { study: '1.2.20', series: '1.2.20.2', instance: '1.2.20.2.1', frame: 7 };

const STATISTICS: Values = {
  statistics: { count: 1234, mean: 35.25, deviation: 12.5, minimum: -20, maximum: 88 },
  unit: 'HU',
};

let count = 0;

/** Returns a measurement as the page takes it. */
export function measured(
  kind: Kind,
  points: readonly ImagePoint[],
  {
    image = ON_CT,
    metadata = CT,
    ...rest
  }: Partial<Measurement> & { image?: FrameName; metadata?: Instance } = {},
): Measured {
  count++;
  const measurement: Measurement = {
    id: `6b1f0c2a-0d5e-4c4b-8f3a-${String(count).padStart(12, '0')}`,
    kind,
    frame: frameId(image),
    points,
    patientPoints: undefined,
    size: sizeOf(kind, points, metadata),
    values: undefined,
    place: { series: '1', stack: 'all', image: 5 },
    ...rest,
  };
  return { measurement, image, metadata };
}

const onFilm = { image: ON_FILM, metadata: FILM };

/** One of each kind, and some that are without a scale, a unit or a note. */
export const MEASURED: readonly Measured[] = [
  // prettier-ignore
  measured('length', [[100, 100], [130, 140]]),
  // prettier-ignore
  measured('diameters', [[200, 200], [220, 200], [210, 170], [210, 230]]),
  // prettier-ignore
  measured('angle', [[100, 300], [200, 300], [200, 200]]),
  // prettier-ignore
  measured('rectangle', [[300.25, 300], [320, 340.5]], { values: STATISTICS }),
  // prettier-ignore
  measured('ellipse', [[50, 60], [90, 80]], { values: { ...STATISTICS, unit: undefined } }),
  // prettier-ignore
  measured('freehand', [[400, 400], [450, 400], [450, 430], [420, 460]], { values: STATISTICS }),
  measured('probe', [[256, 256]], {
    values: { statistics: { count: 1, mean: -812, deviation: 0, minimum: -812, maximum: -812 }, unit: 'HU' },
  }),
  // prettier-ignore
  measured('arrow', [[150, 150], [180, 130]], { note: 'Nódulo: ¿vaso? \\ 😀 ^ =' }),
  // prettier-ignore
  measured('arrow', [[10, 10], [40, 40]]),
  // prettier-ignore
  measured('length', [[10, 10], [13, 14]], onFilm),
  // prettier-ignore
  measured('rectangle', [[20, 20], [30, 40]], { ...onFilm, values: { none: 'colour' } }),
];

/** Have no number: a line that crosses itself, an angle without an arm, a value that is none. */
export const NUMBERLESS: readonly Measured[] = [
  // prettier-ignore
  measured('freehand', [[0, 0], [10, 10], [10, 0], [0, 10]]),
  // prettier-ignore
  measured('angle', [[5, 5], [5, 5], [9, 9]]),
  measured('probe', [[1, 1]], { values: { none: 'colour' } }),
];

export function keyed(
  image: FrameName,
  changes: Partial<KeyImage> = {},
  metadata: Instance = image === ON_FILM ? FILM : CT,
): Keyed {
  const key: KeyImage = {
    image,
    number: 5,
    window: { centre: -600, width: 1500 },
    inverted: false,
    camera: { zoom: 1, rotation: 0, flipped: false, centre: [255.5, 255.5] },
    overlays: true,
    title: '',
    comment: '',
    ...changes,
  };
  return { key, image, metadata };
}

export const KEYED: readonly Keyed[] = [
  keyed(ON_FILM, { title: 'Second in the series, first here' }),
  keyed(ON_CT, {
    title: 'The nodule ^\\ 😀',
    comment: '9 mm,\tright upper lobe\n2. is no number',
    camera: { zoom: 2, rotation: 90, flipped: true, centre: [300, 200] },
    inverted: true,
  }),
  keyed({ ...ON_FILM, frame: 12 }, {}, FILM),
];

/** Always the same time, and UUIDs that count. */
export function authorship(person?: string): Authorship {
  let made = 0;
  return {
    person,
    now: new Date(2026, 11, 2, 9, 5, 7),
    uuid: () => `1b4e28ba-2fa1-4d2e-883f-${String(++made).padStart(12, '0')}`,
  };
}
