/** An electrocardiogram, or any other waveform, as on paper: a row for each channel, in millimetres. */
import { pathOf } from './trace.ts';
import { extremesOf, millivoltsOf, type Recording } from './waveform.ts';

export interface Scale {
  /** Millimetres of a second. */
  speed: number;
  /** Millimetres of a millivolt. */
  gain: number;
  /** The part that is drawn, in samples. */
  from: number;
  to: number;
}

export interface PaperRow {
  /** Index of the channel. */
  channel: number;
  path: string;
  /** The calibration pulse of one millivolt; undefined for what is no voltage. */
  pulse?: string;
  top: number;
  bottom: number;
  /** The place of zero, or the middle of values that are no voltage. */
  zero: number;
  /** Of what is no voltage: its values fill the row. */
  range?: readonly [low: number, high: number];
}

export interface Paper {
  width: number;
  height: number;
  /** The place of the first sample. */
  left: number;
  /** Millimetres of a sample. */
  step: number;
  rows: readonly PaperRow[];
}

const MARGIN = 5;
/** The pulse lasts a fifth of a second at 25 mm/s. */
const PULSE = 5;
const HALF_ROW = 7.5;
/** A row is never taller above or below its zero: an artefact would take the whole screen. */
const MOST_HALF = 50;
/** More channels than a screen can hold are still drawn: the paper grows. */
const ROW_GAP = 1;

/** Lays out a part of a recording. */
export function layOut({ frequency, channels }: Recording, { speed, gain, from, to }: Scale): Paper {
  const step = speed / frequency;
  const left = MARGIN + PULSE + 3;
  let y = MARGIN;
  const rows = channels.map(({ values, unit }, channel): PaperRow => {
    const part = values.subarray(from, to);
    const millivolts = millivoltsOf(unit);
    const [low, high] = extremesOf(part);
    const isVoltage = millivolts !== undefined;
    const scale = isVoltage ? millivolts * gain : (2 * HALF_ROW) / (high - low || 1);
    const middle = isVoltage ? 0 : (low + high) / 2;
    const half = (reach: number, least: number) =>
      Math.min(Math.max(least, reach * scale + ROW_GAP), MOST_HALF);
    const top = y;
    const zero = top + half(high - middle, isVoltage ? Math.max(HALF_ROW, gain + ROW_GAP) : HALF_ROW);
    const bottom = (y = zero + half(middle - low, HALF_ROW));
    const path = pathOf(part, { step, scale, zero, middle });
    if (!isVoltage) return { channel, path, top, bottom, zero, range: [low, high] };
    const pulse = `M${MARGIN} ${zero}h1v${-gain}h${PULSE - 2}v${gain}h1`;
    return { channel, path, pulse, top, bottom, zero };
  });
  const width = Math.ceil(left + (to - from) * step + MARGIN);
  return { width, height: Math.ceil(y + MARGIN), left, step, rows };
}
