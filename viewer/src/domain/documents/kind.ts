import type { Instance } from '../instance.ts';
import { isEncapsulated } from './encapsulated.ts';
import { isStructuredReport } from './sr.ts';
import { isVideo } from './video.ts';
import { isWaveform } from './waveform.ts';

/** The kind of an object without frames; `other` for one that has nothing to read or to draw. */
export type DocumentKind = 'report' | 'file' | 'waveform' | 'video' | 'other';

export function kindOf(instance: Instance): DocumentKind {
  if (isVideo(instance)) return 'video';
  if (isEncapsulated(instance)) return 'file';
  if (isWaveform(instance)) return 'waveform';
  return isStructuredReport(instance) ? 'report' : 'other';
}
