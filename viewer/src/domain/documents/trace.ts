/** A channel as a line on paper: millimetres, from the left and from the top. */

/** Smallest visible distance of points on a line. */
const FINEST_MM = 0.2;

export interface Paper {
  /** Millimetres of a sample. */
  step: number;
  /** Millimetres of a unit of the channel. */
  scale: number;
  /** Millimetres from the top where the value `middle` is. */
  zero: number;
  /** The value that is drawn at `zero`. */
  middle: number;
}

/**
 * Returns the path of an SVG. Where samples lie closer than can be seen, the lowest and the highest of them are drawn, so
 * that no peak is lost. There is a gap where there is no sample.
 */
export function pathOf(values: Float64Array, { step, scale, zero, middle }: Paper): string {
  const stride = Math.max(1, Math.floor(FINEST_MM / step));
  const points: string[] = [];
  let begins = true;
  const draw = (at: number) => {
    const value = values[at]!;
    points.push(`${begins ? 'M' : 'L'}${rounded(at * step)} ${rounded(zero - (value - middle) * scale)}`);
    begins = false;
  };
  for (let start = 0; start < values.length; start += stride) {
    const [low, high] = extremesFrom(values, start, stride);
    if (low === undefined) begins = true;
    else if (low === high) draw(low);
    else for (const at of low < high! ? [low, high!] : [high!, low]) draw(at);
  }
  return points.join('');
}

/** Returns the indices of the lowest and the highest of some values; undefined if there are none. */
function extremesFrom(values: Float64Array, start: number, count: number): [number?, number?] {
  let low: number | undefined;
  let high: number | undefined;
  for (let at = start; at < Math.min(start + count, values.length); at++) {
    const value = values[at]!;
    if (Number.isNaN(value)) continue;
    if (low === undefined || value < values[low]!) low = at;
    if (high === undefined || value > values[high]!) high = at;
  }
  return [low, high];
}

const rounded = (millimetres: number): number => Math.round(millimetres * 100) / 100;
