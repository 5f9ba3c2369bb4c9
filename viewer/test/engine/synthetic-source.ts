/** Images that are computed: a volume whose values are known everywhere. */
import type { ImageSource } from '../../src/data/source.ts';
import { Trouble } from '../../src/data/trouble.ts';
import type { Instance } from '../../src/domain/instance.ts';

/** Columns, rows, slices. */
const SIZES: Record<string, readonly [number, number, number]> = {
  small: [40, 30, 20],
  /** A usual CT of the chest. */
  large: [512, 512, 200],
};
/** Millimetres. */
const SPACING = [1, 1, 2.5] as const;
const ROD = { column: 12, slice: 7, value: 3000 };
const INTERCEPT = -1024;

/**
 * Values: 20 × slice + column, in Hounsfield units with 1024 added as scanners store them; a rod along a column of the
 * images has 3000. The slices lie from the feet to the head, 2.5 mm from each other.
 */
export function syntheticSource(name: string): ImageSource & { fails: Set<number> } {
  const size = SIZES[name]!;
  const fails = new Set<number>();
  const none = () => Promise.reject(new Trouble('not-found', ''));
  return {
    fails,
    series: () => Promise.resolve(Array.from({ length: size[2] }, (_, at) => metadataOf(at, size))),
    frame(_at, { instance }) {
      const slice = Number(instance.split('.').at(-1));
      if (fails.has(slice)) return Promise.reject(new Trouble('server', '', { status: 500 }));
      const bytes = new Uint8Array(valuesOf(slice, size).buffer);
      return Promise.resolve({ bytes, transferSyntax: '1.2.840.10008.1.2.1' });
    },
    rendered: none,
    thumbnail: none,
    instances: () => ({ [Symbol.asyncIterator]: () => ({ next: none }) }),
    bulk: none,
  };
}

function valuesOf(slice: number, [columns, rows]: readonly [number, number, number]): Int16Array {
  const values = new Int16Array(columns * rows);
  for (let at = 0; at < values.length; at++) {
    const column = at % columns;
    const isRod = column === ROD.column && slice === ROD.slice;
    values[at] = (isRod ? ROD.value : 20 * slice + column) - INTERCEPT;
  }
  return values;
}

function metadataOf(at: number, [columns, rows]: readonly [number, number, number]): Instance {
  const values: Record<string, readonly unknown[]> = {
    '00080018': [`1.2.${at}`],
    '00080060': ['CT'],
    '00200013': [at + 1],
    '00200032': [-100, -50, SPACING[2] * at],
    '00200037': [1, 0, 0, 0, 1, 0],
    '00200052': ['1.2.3'],
    '00280002': [1],
    '00280004': ['MONOCHROME2'],
    '00280010': [rows],
    '00280011': [columns],
    '00280030': [SPACING[1], SPACING[0]],
    '00280100': [16],
    '00280101': [16],
    '00280102': [15],
    '00280103': [1],
    '00281050': [200],
    '00281051': [400],
    '00281052': [INTERCEPT],
    '00281053': [1],
  };
  return Object.fromEntries(Object.entries(values).map(([tag, Value]) => [tag, { vr: 'DS', Value }]));
}
