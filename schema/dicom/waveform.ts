import { items, number, text, type DicomValues } from './dicom.ts';
import { plainText } from './plain-text.ts';

/** Waveforms as values over time: electrocardiograms and other recordings, PS3.3 §C.10.9. */

/** Channels that were sampled together, a multiplex group. */
export interface WaveformGroup {
  /** Hz. */
  frequency: number;
  /** Samples of each channel. */
  count: number;
  channels: readonly WaveformChannel[];
}

export interface WaveformChannel {
  /** Such as `II` or `aVR`; undefined where the file does not say. */
  label?: string;
  /** UCUM, such as `uV`, `mV` or `mm[Hg]`; empty where the file does not say. */
  unit: string;
  /** In `unit`; NaN where there is no sample. */
  values: Float64Array;
}

/** Reads a sample. @param at byte */
export type ReadSample = (view: DataView, at: number) => number;

/** Waveform Sample Interpretation (5400,1006): bytes of a sample, and how it is read, PS3.3 §C.10.9.1.5. */
const SAMPLES: Readonly<Record<string, readonly [bytes: number, read: ReadSample]>> = {
  SB: [1, (view, at) => view.getInt8(at)],
  UB: [1, (view, at) => view.getUint8(at)],
  SS: [2, (view, at) => view.getInt16(at, true)],
  US: [2, (view, at) => view.getUint16(at, true)],
  SL: [4, (view, at) => view.getInt32(at, true)],
  UL: [4, (view, at) => view.getUint32(at, true)],
};
const MOST_CHANNELS = 256;

/**
 * Reads an item of Waveform Sequence (5400,0100). A value is the sample × sensitivity × correction + baseline
 * (PS3.3 §C.10.9.1.4).
 * @param bytes its samples, little endian, channel after channel for each moment
 * @param paddingOf returns the sample that stands for none; by default every sample is a value
 * @returns undefined if it cannot be drawn: compressed sound, or numbers that contradict each other
 */
export function readWaveformGroup(
  group: DicomValues,
  bytes: Uint8Array,
  paddingOf?: (read: ReadSample, size: number) => number | undefined,
): WaveformGroup | undefined {
  const frequency = number(group, '003A001A') ?? 0;
  const channels = number(group, '003A0005') ?? 0;
  const sample = SAMPLES[text(group, '54001006') ?? ''];
  if (!sample || !(frequency > 0) || !(channels >= 1 && channels <= MOST_CHANNELS)) return undefined;
  const [size, read] = sample;
  const count = Math.min(number(group, '003A0010') ?? Infinity, Math.floor(bytes.length / (size * channels)));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const padding = paddingOf?.(read, size);
  const definitions = items(group, '003A0200');
  return {
    frequency,
    count,
    channels: Array.from({ length: channels }, (_, channel) => {
      const { scale, offset, ...about } = definitionOf(definitions[channel] ?? {});
      const values = Float64Array.from({ length: count }, (_one, moment) => {
        const value = read(view, (moment * channels + channel) * size);
        return value === padding ? NaN : value * scale + offset;
      });
      return { ...about, values };
    }),
  };
}

function definitionOf(definition: DicomValues) {
  const [source = {}] = items(definition, '003A0208');
  const [units = {}] = items(definition, '003A0211');
  const name = plainText(text(definition, '003A0203')) ?? plainText(text(source, '00080104'));
  const label = name?.replace(/^Lead\s+|\s*\(.*\)$/gi, '');
  return {
    ...(label && { label }),
    unit: plainText(text(units, '00080100')) ?? '',
    scale: (number(definition, '003A0210') ?? 1) * (number(definition, '003A0212') ?? 1),
    offset: number(definition, '003A0213') ?? 0,
  };
}
