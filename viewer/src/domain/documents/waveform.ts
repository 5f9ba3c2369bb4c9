/** Waveforms as values over time: electrocardiograms and other recordings (PS3.3 §C.10.9). */
import {
  readWaveformGroup,
  type ReadSample,
  type WaveformChannel,
  type WaveformGroup,
} from '../../../../schema/dicom/waveform.ts';
import { items } from '../../../../schema/dicom/dicom.ts';
import { number, text, type Attribute, type Instance } from '../instance.ts';
import { codeOf, type Code } from '../../../../schema/dicom/code.ts';
import { inlineBytes } from './inline-bytes.ts';

/** Channels that were sampled together. */
export interface Recording extends WaveformGroup {
  /** Such as `RHYTHM` or `MEDIAN BEAT`; undefined where the file does not say. */
  label?: string;
  channels: readonly Channel[];
}

export interface Channel extends WaveformChannel {
  /** Hz; what the device has filtered away is below `low`, above `high` and at `notch`. */
  filter: { low?: number; high?: number; notch?: number };
}

/** A note of the device, or of a person. */
export interface Note {
  text: string;
  /** Of a measurement. */
  name?: Code;
  unit?: string;
}

const GROUPS = '54000100';
const DATA = '54001010';

export function isWaveform(instance: Instance): boolean {
  return items(instance, GROUPS).length > 0;
}

/** Returns the samples of each multiplex group, as the metadata have them: inline or by address. */
export function samplesOf(instance: Instance): readonly (Attribute | undefined)[] {
  return items(instance, GROUPS).map((group) => group[DATA]);
}

/**
 * Reads a multiplex group.
 * @param at index of the group
 * @param bytes its samples
 * @returns undefined if it cannot be drawn, or has no sample
 */
export function readRecording(instance: Instance, at: number, bytes: Uint8Array): Recording | undefined {
  const group = items(instance, GROUPS)[at];
  const read = group && readWaveformGroup(group, bytes, (...how) => paddingOf(group['5400100A'], ...how));
  if (!read || read.count < 1) return undefined;
  const label = text(group, '003A0020');
  const definitions = items(group, '003A0200');
  const channels = read.channels.map((one, channel) => ({
    ...one,
    filter: filterOf(definitions[channel] ?? {}),
  }));
  return { ...read, ...(label && { label }), channels };
}

/** Returns the sample that stands for none, Waveform Padding Value (5400,100A); undefined if there is no such. */
function paddingOf(attribute: Attribute | undefined, read: ReadSample, size: number): number | undefined {
  const [value] = attribute?.Value ?? [];
  if (value !== undefined) return Number(value);
  const bytes = inlineBytes(attribute?.InlineBinary ?? '');
  return bytes && bytes.length >= size ? read(new DataView(bytes.buffer), 0) : undefined;
}

function filterOf(definition: Instance): Channel['filter'] {
  const filter = {
    low: number(definition, '003A0220'),
    high: number(definition, '003A0221'),
    notch: number(definition, '003A0222'),
  };
  return Object.fromEntries(
    // Zero is no filter.
    Object.entries(filter).filter(([, hertz]) => hertz !== undefined && hertz > 0),
  ) as Channel['filter'];
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
