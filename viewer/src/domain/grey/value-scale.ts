/** The meaning of the values of an image, for measurements and labels. */
import { number, text, type Instance } from '../instance.ts';
import { suvOf } from './suv.ts';

/** A rescaled value (PS3.3 §C.11.1) times `factor` is in `unit`. */
export interface ValueScale {
  factor: number;
  /** As it is written beside a number; undefined for values without a unit, such as those of an MR. */
  unit: 'HU' | 'SUV' | 'Bq/ml' | undefined;
}

/** Returns the scale of an image's values. @param instances of its series; a PET needs all for its SUV */
export function valueScaleOf(metadata: Instance, instances: readonly Instance[]): ValueScale {
  const modality = text(metadata, '00080060');
  const type = text(metadata, '00281054');
  if (
    type === 'HU' ||
    (modality === 'CT' && type === undefined && number(metadata, '00281052') !== undefined)
  )
    return { factor: 1, unit: 'HU' };
  const suv = suvOf(instances.length > 0 ? instances : [metadata]);
  if (suv?.factor !== undefined) return { factor: suv.factor, unit: 'SUV' };
  const isActivity = modality === 'PT' && text(metadata, '00541001') === 'BQML';
  return { factor: 1, unit: isActivity ? 'Bq/ml' : undefined };
}
