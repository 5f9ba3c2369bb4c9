/** Measurements in words. */
import { isComplete } from '../../domain/measure/kinds.ts';
import type { Measurement } from '../../domain/measure/measurement.ts';
import type { Scale } from '../../domain/measure/scale.ts';
import type { Size } from '../../domain/measure/sizes.ts';
import type { Values } from '../../domain/measure/values.ts';
import { getLocale } from '../../messages/compiled/runtime.js';
import { m } from '../../messages/compiled/messages.js';
import { KIND_NAMES } from '../../ui/controls/kind-names.ts';

const LENGTHS: Record<Scale['unit'], (value: { value: string }) => string> = {
  mm: m.sizeMm,
  'detector-mm': m.sizeMmDetector,
  pixel: m.sizePixels,
};
const AREAS: typeof LENGTHS = { mm: m.areaMm, 'detector-mm': m.areaMmDetector, pixel: m.areaPixels };
const NONE = { colour: m.valuesColour, unknown: m.valuesUnknown, outside: m.valuesOutside };

/** Formats a number with so many digits after its point. */
function digits(value: number, count: number): string {
  return value.toLocaleString(getLocale(), { minimumFractionDigits: count, maximumFractionDigits: count });
}

/** Formats a value of pixels: small ones have more digits after the point. */
function plain(value: number): string {
  const size = Math.abs(value);
  // Without it a rounded negative number is "-0".
  const shown = value === 0 ? 0 : value;
  return shown.toLocaleString(getLocale(), { maximumFractionDigits: size < 1 ? 4 : size < 10 ? 2 : 1 });
}

function sizeLine(size: Size): string {
  if (size.what === 'angle') return m.sizeDegrees({ value: digits(size.value, 1) });
  const words = (size.what === 'area' ? AREAS : LENGTHS)[size.unit];
  const value = digits(size.value, 1);
  return words({ value: size.what === 'diameters' ? `${value} × ${digits(size.short, 1)}` : value });
}

function valueLines(values: Values): string[] {
  if ('none' in values) return [NONE[values.none]()];
  const { statistics, unit } = values;
  const withUnit = (value: string) => (unit === undefined ? value : `${value} ${unit}`);
  const { count, mean, deviation, minimum, maximum } = statistics;
  if (count === 1) return [withUnit(m.valueOne({ value: plain(mean) }))];
  return [
    withUnit(m.valuesMean({ mean: plain(mean), deviation: plain(deviation) })),
    withUnit(m.valuesRange({ minimum: plain(minimum), maximum: plain(maximum) })),
    m.valuesCount({ count }),
  ];
}

/** Returns what a measurement says, a line for each part. */
export function linesOf({ kind, points, size, values, note }: Measurement): string[] {
  if (kind === 'arrow') return note ? [note] : [];
  if (kind === 'freehand' && isComplete(kind, points.length) && !size) return [m.sizeCrossed()];
  if ((kind === 'angle' || kind === 'cobb') && isComplete(kind, points.length) && !size)
    return [m.sizeNone()];
  return [...(size ? [sizeLine(size)] : []), ...(values ? valueLines(values) : [])];
}

/** Returns a measurement as one line of text. */
export function sentenceOf(measurement: Measurement): string {
  return [KIND_NAMES[measurement.kind](), linesOf(measurement).join('; ')].filter(Boolean).join(': ');
}

/** Says on which image a measurement is. */
export function placeOf({ place: { series, image } }: Measurement): string {
  return m.measurePlace({ series: series ?? '?', image });
}
