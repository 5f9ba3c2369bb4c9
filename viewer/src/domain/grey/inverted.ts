import { text, type Instance } from '../instance.ts';

/** Returns true for images that are read black on white: those of PET, in which higher values are brighter as stored. */
export function startsInverted(metadata: Instance): boolean {
  return text(metadata, '00080060') === 'PT' && text(metadata, '00280004') === 'MONOCHROME2';
}
