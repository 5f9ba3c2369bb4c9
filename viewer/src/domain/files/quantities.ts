/** Numbers of a measurement with their codes (PS3.16): reports, FHIR and captions have the same. */
import type { Measurement } from '../measure/measurement.ts';
import type { Size } from '../measure/sizes.ts';
import { dcm, sct, type Coded } from './content.ts';

export interface Quantity {
  name: Coded;
  /** Mean, minimum and the like. */
  derivation?: Coded;
  value: number;
  /** UCUM. */
  unit: Coded;
}

const ucum = (value: string, meaning: string): Coded => [value, 'UCUM', meaning];
/** Returns a code of our own, where no standard has one (PS3.16 §8.2: private schemes begin with 99). */
const own = (value: string, meaning: string): Coded => [value, '99SIG', meaning];

type LengthUnit = Extract<Size, { what: 'length' }>['unit'];

/** Units; what is measured at the detector of a projection is not pooled with millimetres of the patient. */
const LENGTH_UNITS: Record<LengthUnit, Coded> = {
  mm: ucum('mm', 'millimeter'),
  'detector-mm': ucum('mm{detector}', 'millimeter at the detector'),
  pixel: ucum('{pixels}', 'pixels'),
};
const AREA_UNITS: Record<LengthUnit, Coded> = {
  mm: ucum('mm2', 'square millimeter'),
  'detector-mm': ucum('mm2{detector}', 'square millimeter at the detector'),
  pixel: ucum('{pixels}', 'square pixels'),
};

export const DERIVATIONS = {
  mean: sct('373098007', 'Mean'),
  deviation: sct('386136009', 'Standard Deviation'),
  minimum: sct('255605001', 'Minimum'),
  maximum: sct('56851009', 'Maximum'),
} as const satisfies Record<string, Coded>;

const HOUNSFIELD = "[hnsf'U]";
export const ATTENUATION: Coded = dcm('112031', 'Attenuation Coefficient');
const PIXEL_VALUE = own('pixel-value', 'Pixel value');
export const PIXEL_COUNT: Coded = own('pixel-count', 'Number of pixels');

/** Returns the numbers of a measurement, that of its size first; none for one that has no number. */
export function quantitiesOf({ size, values }: Pick<Measurement, 'size' | 'values'>): Quantity[] {
  return [...(size ? sizesOf(size) : []), ...(values ? statisticsOf(values) : [])];
}

function sizesOf(size: Size): Quantity[] {
  switch (size.what) {
    case 'length':
      return [{ name: sct('410668003', 'Length'), value: size.value, unit: LENGTH_UNITS[size.unit] }];
    case 'diameters':
      return [
        { name: sct('103339001', 'Long Axis'), value: size.value, unit: LENGTH_UNITS[size.unit] },
        { name: sct('103340004', 'Short Axis'), value: size.short, unit: LENGTH_UNITS[size.unit] },
      ];
    case 'area':
      return [{ name: sct('42798000', 'Area'), value: size.value, unit: AREA_UNITS[size.unit] }];
    case 'angle':
      return [{ name: sct('1483009', 'Angle'), value: size.value, unit: ucum('deg', 'degree') }];
  }
}

function statisticsOf(values: NonNullable<Measurement['values']>): Quantity[] {
  if ('none' in values) return [];
  const isHounsfield = values.unit === 'HU';
  const [name, unit] = isHounsfield
    ? [ATTENUATION, ucum(HOUNSFIELD, 'Hounsfield unit')]
    : [PIXEL_VALUE, ucum('1', 'no units')];
  const { count, mean } = values.statistics;
  if (count === 1) return [{ name, value: mean, unit }];
  const derived = (['mean', 'deviation', 'minimum', 'maximum'] as const).map((what) => ({
    name,
    derivation: DERIVATIONS[what],
    value: values.statistics[what],
    unit,
  }));
  return [...derived, { name: PIXEL_COUNT, value: count, unit: LENGTH_UNITS.pixel }];
}

/** The words for an arrow that has no note. */
const NO_NOTE = 'Arrow without a note';

/** Returns what an arrow says; undefined for other measurements. */
export function noteOf({ kind, note }: Pick<Measurement, 'kind' | 'note'>): string | undefined {
  return kind === 'arrow' ? note || NO_NOTE : undefined;
}

/** Returns the note that a file has; undefined for none. */
export function noteFrom(words: string | undefined): string | undefined {
  return words === NO_NOTE ? undefined : words;
}

/** True for a measurement that has something to write: a number, or a note. */
export function isWritable(measurement: Measurement): boolean {
  return noteOf(measurement) !== undefined || quantitiesOf(measurement).length > 0;
}

/** Returns a measurement as a line beside its figure: `12.3 mm`, `mean 35.2 HU`. */
export function captionOf(measurement: Measurement): string {
  const note = noteOf(measurement);
  if (note !== undefined) return measurement.note ?? '';
  return quantitiesOf(measurement).map(lineOf).join('\n');
}

function lineOf({ name, derivation, value, unit }: Quantity): string {
  const number = value.toFixed(1);
  if (unit[0] === 'deg') return `${number}°`;
  if (name === PIXEL_COUNT) return `${value} ${unit[2]}`;
  return [derivation?.[2], number, shortUnit(unit)].filter(Boolean).join(' ');
}

function shortUnit([code, , meaning]: Coded): string {
  if (code === '1') return '';
  if (code === HOUNSFIELD) return 'HU';
  return code.includes('{') ? meaning : code.replace('2', '²');
}
