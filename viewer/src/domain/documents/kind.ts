import type { Instance } from '../instance.ts';
import { isEncapsulated } from './encapsulated.ts';
import { isStructuredReport } from './sr.ts';
import { isWaveform } from './waveform.ts';

/** What an object without images is; `other` for what has nothing to read or to draw. */
export type DocumentKind = 'report' | 'file' | 'waveform' | 'other';

export function kindOf(instance: Instance): DocumentKind {
  if (isEncapsulated(instance)) return 'file';
  if (isWaveform(instance)) return 'waveform';
  return isStructuredReport(instance) ? 'report' : 'other';
}
