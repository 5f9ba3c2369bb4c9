/** A CT and a PET of one patient, computed: spheres at known places, in volumes of different spacings and origins. */
import type { ImageSource } from '../../src/data/source.ts';
import { Trouble } from '../../src/data/trouble.ts';
import type { Instance } from '../../src/domain/instance.ts';

/** Millimetres in the patient. Both have a sphere here. */
export const CENTRE = [14, -22, 31] as const;
export const RADIUS = 18;
/** The PET has a second one, with half the activity. */
export const SECOND = [-20, 10, 40] as const;
const SECOND_RADIUS = 12;

interface Volume {
  modality: string;
  origin: readonly [number, number, number];
  spacing: readonly [number, number, number];
  size: readonly [number, number, number];
  /** Stored value at a place. */
  value: (x: number, y: number, z: number) => number;
  more: Record<string, readonly unknown[]>;
}

const isIn = (at: readonly number[], [x, y, z]: readonly [number, number, number], radius: number) =>
  Math.hypot(at[0]! - x, at[1]! - y, at[2]! - z) <= radius;

/** By Series Instance UID. */
const VOLUMES: Record<string, Volume> = {
  '2': {
    modality: 'CT',
    origin: [-60, -60, 0],
    spacing: [1, 1, 2],
    size: [120, 120, 36],
    value: (...at) => (isIn(at, CENTRE, RADIUS) ? 1064 : 1024),
    more: { '00281050': [40], '00281051': [400], '00281052': [-1024], '00281053': [1] },
  },
  pet: {
    modality: 'PT',
    origin: [-70, -66, -6],
    spacing: [4, 4, 3],
    size: [36, 34, 28],
    // Two Bq/ml for each.
    value: (...at) => (isIn(at, CENTRE, RADIUS) ? 10_000 : isIn(at, SECOND, SECOND_RADIUS) ? 5_000 : 0),
    more: {
      '00281050': [10_000],
      '00281051': [20_000],
      '00281052': [0],
      '00281053': [2],
      '00541001': ['BQML'],
    },
  },
};

export function spheresSource(): ImageSource {
  const none = () => Promise.reject(new Trouble('not-found', ''));
  return {
    series: (_at, { series }) => {
      const volume = VOLUMES[series]!;
      return Promise.resolve(Array.from({ length: volume.size[2] }, (_, at) => metadataOf(series, at)));
    },
    frame(_at, { series, instance }) {
      const bytes = new Uint8Array(valuesOf(VOLUMES[series]!, Number(instance.split('.').at(-1))).buffer);
      return Promise.resolve({ bytes, transferSyntax: '1.2.840.10008.1.2.1' });
    },
    rendered: none,
    thumbnail: none,
    instances: () => ({ [Symbol.asyncIterator]: () => ({ next: none }) }),
    bulk: none,
  };
}

function valuesOf({ origin, spacing, size, value }: Volume, slice: number): Int16Array {
  return Int16Array.from({ length: size[0] * size[1] }, (_, at) =>
    value(
      origin[0] + spacing[0] * (at % size[0]),
      origin[1] + spacing[1] * Math.floor(at / size[0]),
      origin[2] + spacing[2] * slice,
    ),
  );
}

function metadataOf(series: string, at: number): Instance {
  const { modality, origin, spacing, size, more } = VOLUMES[series]!;
  const values: Record<string, readonly unknown[]> = {
    '00080018': [`1.${series}.${at}`],
    '00080060': [modality],
    '00200013': [at + 1],
    '00200032': [origin[0], origin[1], origin[2] + spacing[2] * at],
    '00200037': [1, 0, 0, 0, 1, 0],
    '00200052': ['1.2.3'],
    '00280002': [1],
    '00280004': ['MONOCHROME2'],
    '00280010': [size[1]],
    '00280011': [size[0]],
    '00280030': [spacing[1], spacing[0]],
    '00280100': [16],
    '00280101': [16],
    '00280102': [15],
    '00280103': [1],
    ...more,
  };
  return Object.fromEntries(Object.entries(values).map(([tag, Value]) => [tag, { vr: 'DS', Value }]));
}
