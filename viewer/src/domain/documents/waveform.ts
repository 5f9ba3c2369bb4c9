/** Waveforms as values over time: electrocardiograms and other recordings (PS3.3 §C.10.9). */
import { items, number, text, type Attribute, type Instance } from '../instance.ts';
import { codeOf, type Code } from './code.ts';
import { inlineBytes } from './inline-bytes.ts';

/** Channels that were sampled together. */
export interface Recording {
  /** Such as `RHYTHM` or `MEDIAN BEAT`; undefined where the file does not say. */
  label?: string;
  /** Hz. */
  frequency: number;
  /** Samples of each channel. */
  count: number;
  channels: readonly Channel[];
}

export interface Channel {
  /** Such as `II` or `aVR`; undefined where the file does not say. */
  label?: string;
  /** UCUM, such as `uV`, `mV` or `mm[Hg]`; empty where the file does not say. */
  unit: string;
  /** In `unit`; NaN where there is no sample. */
  values: Float64Array;
  /** Hz; what the device has filtered away is below `low`, above `high` and at `notch`. */
  filter: { low?: number; high?: number; notch?: number };
}

/** What the device, or a person, has noted. */
export interface Note {
  text: string;
  /** Of a measurement. */
  name?: Code;
  unit?: string;
}

type Read = (view: DataView, at: number) => number;

/** Waveform Sample Interpretation (5400,1006): bytes of a sample, and how it is read. PS3.3 §C.10.9.1.5 */
const SAMPLES: Readonly<Record<string, readonly [bytes: number, read: Read]>> = {
  SB: [1, (view, at) => view.getInt8(at)],
  UB: [1, (view, at) => view.getUint8(at)],
  SS: [2, (view, at) => view.getInt16(at, true)],
  US: [2, (view, at) => view.getUint16(at, true)],
  SL: [4, (view, at) => view.getInt32(at, true)],
  UL: [4, (view, at) => view.getUint32(at, true)],
};

const GROUPS = '54000100';
const DATA = '54001010';
const MOST_CHANNELS = 256;

export function isWaveform(instance: Instance): boolean {
  return items(instance, GROUPS).length > 0;
}

/** Returns the samples of each multiplex group, as the metadata have them: inline or by address. */
export function samplesOf(instance: Instance): readonly (Attribute | undefined)[] {
  return items(instance, GROUPS).map((group) => group[DATA]);
}

/**
 * Reads a multiplex group. A value is the sample × sensitivity × correction + baseline (PS3.3 §C.10.9.1.4).
 * @param at index of the group
 * @param bytes its samples, little endian, channel after channel for each moment
 * @returns undefined if it cannot be drawn: compressed sound, or numbers that contradict each other
 */
export function readRecording(instance: Instance, at: number, bytes: Uint8Array): Recording | undefined {
  const group = items(instance, GROUPS)[at];
  if (!group) return undefined;
  const frequency = number(group, '003A001A') ?? 0;
  const channels = number(group, '003A0005') ?? 0;
  const sample = SAMPLES[text(group, '54001006') ?? ''];
  if (!sample || !(frequency > 0) || !(channels >= 1 && channels <= MOST_CHANNELS)) return undefined;
  const [size, read] = sample;
  const count = Math.min(number(group, '003A0010') ?? Infinity, Math.floor(bytes.length / (size * channels)));
  if (count < 1) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const padding = paddingOf(group['5400100A'], read, size);
  const definitions = items(group, '003A0200');
  const label = text(group, '003A0020');
  return {
    ...(label && { label }),
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

/** Returns the sample that stands for none, Waveform Padding Value (5400,100A); undefined if there is no such. */
function paddingOf(attribute: Attribute | undefined, read: Read, size: number): number | undefined {
  const [value] = attribute?.Value ?? [];
  if (value !== undefined) return Number(value);
  const bytes = inlineBytes(attribute?.InlineBinary ?? '');
  return bytes && bytes.length >= size ? read(new DataView(bytes.buffer), 0) : undefined;
}

function definitionOf(definition: Instance) {
  const name = text(definition, '003A0203') ?? codeOf(definition, '003A0208')?.meaning;
  const label = name?.replace(/^Lead\s+|\s*\(.*\)$/gi, '');
  const filter = {
    low: number(definition, '003A0220'),
    high: number(definition, '003A0221'),
    notch: number(definition, '003A0222'),
  };
  return {
    ...(label && { label }),
    unit: codeOf(definition, '003A0211')?.value ?? '',
    scale: (number(definition, '003A0210') ?? 1) * (number(definition, '003A0212') ?? 1),
    offset: number(definition, '003A0213') ?? 0,
    filter: Object.fromEntries(
      // Zero is no filter.
      Object.entries(filter).filter(([, hertz]) => hertz !== undefined && hertz > 0),
    ) as Channel['filter'],
  };
}

/** Returns the notes of a recording, Waveform Annotation Sequence (0040,B020): statements, and measurements. */
export function notesOf(instance: Instance): Note[] {
  return items(instance, '0040B020').flatMap((note): Note[] => {
    const name = codeOf(note, '0040A043');
    const value = (note['0040A30A']?.Value ?? []).join(', ');
    const said = text(note, '00700006') ?? (value || codeOf(note, '0040A168')?.meaning);
    if (said === undefined || said === '') return [];
    const unit = codeOf(note, '004008EA')?.value;
    return [{ text: said, ...(name && { name }), ...(unit && unit !== '1' && { unit }) }];
  });
}

/** Millivolts of the units in which electrodes are measured. */
const MILLIVOLTS: Readonly<Record<string, number>> = { uV: 1e-3, mV: 1, V: 1e3 };

/** Returns how many millivolts one unit is; undefined for what is no voltage. */
export function millivoltsOf(unit: string): number | undefined {
  return MILLIVOLTS[unit];
}

/** Returns the lowest and the highest value; zeros if there is none. */
export function extremesOf(values: Float64Array): [low: number, high: number] {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? [low, high] : [0, 0];
}

/** Two moments of one channel, compared. */
export interface Distance {
  /** Always positive. */
  milliseconds: number;
  /** Of the later moment less the earlier one, in the channel's unit; NaN where there is no sample. */
  difference: number;
  /** Beats in a minute if the distance is that of two beats; undefined for no distance. */
  perMinute?: number;
}

/** @param moments in samples */
export function distanceOf(
  { values }: Channel,
  frequency: number,
  moments: readonly [number, number],
): Distance {
  const [from, to] = moments[0] <= moments[1] ? moments : [moments[1], moments[0]];
  const milliseconds = ((to - from) / frequency) * 1000;
  const difference = (values[to] ?? NaN) - (values[from] ?? NaN);
  return { milliseconds, difference, ...(milliseconds > 0 && { perMinute: 60_000 / milliseconds }) };
}
