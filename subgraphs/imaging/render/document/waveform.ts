import { items, type DicomJson } from '../../../../schema/dicom/dicom.ts';
import { readWaveformGroup, type WaveformChannel } from '../../../../schema/dicom/waveform.ts';
import { Fault } from '../../../../schema/fault/fault.ts';
import { binary } from '../image/lut.ts';

/** One channel, with the name under which it is drawn. */
export interface Channel extends WaveformChannel {
  label: string;
}

export interface Waveform {
  /** Hz. */
  frequency: number;
  channels: readonly Channel[];
}

/** Maximum bytes of samples. */
export const MAX_SAMPLES = 16 * 1024 * 1024;

/** Returns the URL of the samples of the first multiplex group, if they are bulk data. */
export function samplesAddress(instance: DicomJson): string | undefined {
  return items(instance, '54000100')[0]?.['54001010']?.BulkDataURI;
}

/**
 * Reads the first multiplex group of an object.
 * @param samples bytes from `samplesAddress`
 * @throws Fault `not_found` if there is none that can be drawn
 */
export function firstWaveform(instance: DicomJson, samples: Uint8Array): Waveform {
  const [group = {}] = items(instance, '54000100');
  const data = group['54001010'];
  const bytes = data && (data.BulkDataURI ? samples : binary(data));
  const read = bytes && readWaveformGroup(group, bytes);
  if (!read) throw new Fault('not_found', 'The object has no waveform that can be drawn.');
  const channels = read.channels.map((one, at) => ({ ...one, label: one.label ?? `Channel ${at + 1}` }));
  return { frequency: read.frequency, channels };
}
