import { escaped } from './markup.ts';
import type { Channel, Waveform } from './waveform.ts';

/** Millimetres of paper: 25 mm per second, 10 mm per millivolt. */
const SPEED = 25;
const GAIN = 10;
const MARGIN = 10;
/** The calibration pulse before each lead: one millivolt, a fifth of a second. */
const PULSE = 5;
/** Longer recordings are cut here, with a note; more channels are left out. */
const MAX_SECONDS = 30;
const MAX_CHANNELS = 24;
/** Smallest visible distance of points on a line, in millimetres. */
const FINEST = 0.2;
/** Minimum millimetres for a lead above and below its zero line. */
const HALF_ROW = 7.5;

/** Millivolts of the units in which electrodes are measured. */
const MILLIVOLTS: Record<string, number> = { uV: 1e-3, mV: 1, V: 1e3 };

/** Draws an electrocardiogram, or any other waveform, as on paper: each lead is a line, on squares of 1 and 5 mm. */
export function waveformSvg({ frequency, channels }: Waveform, title: string): string {
  const drawn = channels.slice(0, MAX_CHANNELS);
  const samples = Math.max(...drawn.map(({ values }) => values.length), 0);
  const seconds = Math.min(samples / frequency, MAX_SECONDS);
  const left = MARGIN + 2 * PULSE;
  const width = Math.ceil(left + seconds * SPEED + MARGIN);
  let y = MARGIN + 5;
  const rows = drawn.map((channel) => {
    const row = lead(channel, frequency, left, y);
    y = row.bottom;
    return row.svg;
  });
  const height = Math.ceil(y + MARGIN);
  const short =
    samples / frequency > seconds ? `, first ${MAX_SECONDS} s of ${Math.round(samples / frequency)} s` : '';
  const legend = `${title} · 25 mm/s, 10 mm/mV${short}`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}mm" height="${height}mm" viewBox="0 0 ${width} ${height}" font-family="DejaVu Sans, sans-serif" font-size="3.5">
<path d="M0 0H${width}V${height}H0Z" fill="#fffafa"/>${grid({ width, height }, 1, '#f6cfcf', 0.1)}${grid({ width, height }, 5, '#eba9a9', 0.25)}
<text x="${MARGIN}" y="7" fill="#24292f">${escaped(legend)}</text>
<g fill="none" stroke="#111" stroke-width=".25" stroke-linejoin="bevel">${rows.map(({ line }) => line).join('')}</g>
<g fill="#111">${rows.map(({ label }) => label).join('')}</g></svg>
`;
}

/** Draws a grid as lines, not as a pattern: renderers take a hundred times as long to fill one. */
function grid(
  { width, height }: { width: number; height: number },
  every: number,
  stroke: string,
  strokeWidth: number,
): string {
  let path = '';
  for (let x = 0; x <= width; x += every) path += `M${x} 0V${height}`;
  for (let y = 0; y <= height; y += every) path += `M0 ${y}H${width}`;
  return `<path d="${path}" fill="none" stroke="${stroke}" stroke-width="${strokeWidth}"/>`;
}

function lead({ label, unit, values }: Channel, frequency: number, left: number, top: number) {
  const shown = values.subarray(0, Math.floor(MAX_SECONDS * frequency));
  const [low, high] = extremes(shown);
  const millivolts = MILLIVOLTS[unit];
  // A channel that is not a voltage is scaled to its row.
  const scale = millivolts === undefined ? (2 * HALF_ROW) / (high - low || 1) : millivolts * GAIN;
  const middle = millivolts === undefined ? (low + high) / 2 : 0;
  const above = Math.min(Math.max(HALF_ROW, (high - middle) * scale + 1), 60);
  const below = Math.min(Math.max(HALF_ROW, (middle - low) * scale + 1), 60);
  const zero = round(top + above);
  const bottom = top + above + below;
  const step = SPEED / frequency;
  const line = peaks(shown, Math.max(1, Math.floor(FINEST / step)))
    .map(([i, value]) => {
      const y = Math.min(Math.max(top + above - (value - middle) * scale, top), bottom);
      return `${round(left + i * step)} ${round(y)}`;
    })
    .join('L');
  const pulse =
    millivolts === undefined ? '' : `<path d="M${MARGIN} ${zero}h1v-${GAIN}h${PULSE - 2}v${GAIN}h1"/>`;
  const name = unit === '' || millivolts !== undefined ? label : `${label} (${unit})`;
  return {
    svg: {
      line: `${pulse}<path d="M${line}"/>`,
      label: `<text x="${left + 0.5}" y="${round(top + above - 4)}">${escaped(name)}</text>`,
    },
    bottom,
  };
}

/**
 * Keeps the lowest and the highest of every so many samples, in their order: the line, which is wider than both, loses
 * no spike.
 */
function peaks(values: Float64Array, every: number): [index: number, value: number][] {
  const points: [number, number][] = [];
  for (let start = 0; start < values.length; start += every) {
    const end = Math.min(start + every, values.length);
    let [low, high] = [start, start];
    for (let i = start; i < end; i++) {
      if (values[i]! < values[low]!) low = i;
      if (values[i]! > values[high]!) high = i;
    }
    points.push([Math.min(low, high), values[Math.min(low, high)]!]);
    if (low !== high) points.push([Math.max(low, high), values[Math.max(low, high)]!]);
  }
  return points;
}

function extremes(values: Float64Array): [low: number, high: number] {
  let [low, high] = [0, 0];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}

function round(millimetres: number): number {
  return Math.round(millimetres * 100) / 100;
}
