import { number, text, type DicomJson } from '../../../../schema/dicom/dicom.ts';
import { Fault } from '../../../../schema/fault/fault.ts';
import { items, string } from '../../dicom/dicom-text.ts';
import { binary } from '../image/lut.ts';

/** Reads waveforms as values, PS3.3 §C.10.9. */

/** One channel of a multiplex group. */
export interface Channel {
  label: string;
  /** UCUM code, `uV` or `mV` of an ECG. */
  unit: string;
  values: Float64Array;
}

export interface Waveform {
  /** Hz. */
  frequency: number;
  channels: Channel[];
}

type Reader = (view: DataView, at: number) => number;

/** Waveform Sample Interpretation (5400,1006), PS3.3 §C.10.9.1.5, and bytes of a sample. */
const SAMPLES: Record<string, readonly [bytes: number, read: Reader]> = {
  SB: [1, (view, at) => view.getInt8(at)],
  UB: [1, (view, at) => view.getUint8(at)],
  SS: [2, (view, at) => view.getInt16(at, true)],
  US: [2, (view, at) => view.getUint16(at, true)],
  SL: [4, (view, at) => view.getInt32(at, true)],
  UL: [4, (view, at) => view.getUint32(at, true)],
};

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
  const frequency = number(group, '003A001A');
  const count = number(group, '003A0005');
  const sample = SAMPLES[text(group, '54001006') ?? ''];
  if (!data || !frequency || frequency < 0 || !count || count > 256 || !sample) throw undrawable();
  const bytes = data.BulkDataURI ? samples : binary(data);
  if (!bytes) throw undrawable();
  const [size, value] = sample;
  const length = Math.min(number(group, '003A0010') ?? Infinity, Math.floor(bytes.length / (size * count)));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const definitions = items(group, '003A0200');
  const channels = Array.from({ length: count }, (_, channel): Channel => {
    const { label, unit, scale, offset } = definitionOf(definitions[channel] ?? {}, channel);
    const values = Float64Array.from(
      { length },
      (_, i) => value(view, (i * count + channel) * size) * scale + offset,
    );
    return { label, unit, values };
  });
  return { frequency, channels };
}

/**
 * Reads the definition of a channel, PS3.3 §C.10.9.1.4: a value is the sample × sensitivity × correction + baseline.
 */
function definitionOf(definition: DicomJson, channel: number) {
  const [source = {}] = items(definition, '003A0208');
  const [units = {}] = items(definition, '003A0211');
  const named = string(definition, '003A0203') ?? string(source, '00080104');
  return {
    label: named?.replace(/^Lead\s+|\s*\(.*\)$/gi, '') ?? `Channel ${channel + 1}`,
    unit: string(units, '00080100') ?? '',
    scale: (number(definition, '003A0210') ?? 1) * (number(definition, '003A0212') ?? 1),
    offset: number(definition, '003A0213') ?? 0,
  };
}

function undrawable(): Fault {
  return new Fault('not_found', 'The object has no waveform that can be drawn.');
}
