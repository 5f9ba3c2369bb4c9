import { items, number, text, type DicomJson } from '../../../../schema/dicom/dicom.ts';
import { lookUp, lookupTable, type LookupTable } from './lut.ts';

/** The formulas of windows. `picture.ts` chooses the window of an image and applies it. */

/** VOI LUT functions, PS3.3 §C.11.2.1.2 and §C.11.2.1.3; in PS3.18 they are written with hyphens. */
export type WindowFunction = 'linear' | 'linear-exact' | 'sigmoid';

/** Centre and width in the units of the modality transformation. */
export interface Window {
  center: number;
  width: number;
  shape: WindowFunction;
}

/** Stored value → value of the modality, or value → shade from 0 to 255. */
export type Transform = (value: number) => number;

/** Returns the function from a value to its shade in a window, 0 to 255. */
export function windowed({ center, width, shape }: Window): Transform {
  if (shape === 'sigmoid') return (x) => 255 / (1 + Math.exp((-4 * (x - center)) / width));
  const exact = shape === 'linear-exact';
  // The linear function refers to the centres of whole values: half a value less, and one less wide.
  const [middle, span] = exact ? [center, width] : [center - 0.5, width - 1];
  return (x) => {
    if (x <= middle - span / 2) return 0;
    return x > middle + span / 2 ? 255 : ((x - middle) / span + 0.5) * 255;
  };
}

/** Returns the first valid window of the object, PS3.3 §C.11.2.1.2: one with a width of zero is not valid. */
export function ownWindow(attributes: DicomJson): Window | undefined {
  const centers = attributes['00281050']?.Value ?? [];
  const widths = attributes['00281051']?.Value ?? [];
  const named = text(attributes, '00281056')?.toLowerCase().replace('_', '-');
  const shape = named === 'sigmoid' || named === 'linear-exact' ? named : 'linear';
  for (const [i, each] of centers.entries()) {
    const [center, width] = [Number(each ?? NaN), Number(widths[i] ?? NaN)];
    if (Number.isFinite(center) && isWidth(width, shape)) return { center, width, shape };
  }
  return undefined;
}

/** Returns whether a function allows this width: linear from 1, the others above 0. */
export function isWidth(width: number, shape: WindowFunction): boolean {
  return Number.isFinite(width) && (shape === 'linear' ? width >= 1 : width > 0);
}

/** Returns the first VOI LUT, PS3.3 §C.11.2.1.1, as shades. */
export function voiLut(attributes: DicomJson, signed: boolean): Transform | undefined {
  const table = tableOf(attributes, '00283010', signed);
  if (!table) return undefined;
  const scale = 255 / (2 ** table.bits - 1);
  return (x) => Math.min(255, lookUp(table, x) * scale);
}

/**
 * Returns the modality transformation of stored values: modality LUT, rescale, or dose grid scaling (PS3.3 §C.11.1,
 * §C.8.8.3.3).
 */
export function modality(attributes: DicomJson, signed: boolean): Transform | undefined {
  const table = tableOf(attributes, '00283000', signed);
  if (table) return (x) => lookUp(table, x);
  const slope = number(attributes, '00281053') ?? number(attributes, '3004000E') ?? 1;
  const intercept = number(attributes, '00281052') ?? 0;
  // A slope of zero would make all pixels equal.
  if (slope === 0 || (slope === 1 && intercept === 0)) return undefined;
  return (x) => x * slope + intercept;
}

function tableOf(attributes: DicomJson, sequence: string, signed: boolean): LookupTable | undefined {
  const [item] = items(attributes, sequence);
  return item && lookupTable(item['00283002'], item['00283006'], signed);
}
