/** Reads a volume at points that are not its own: those of an image of another one. */
import type { SampleGrid } from '../../domain/volume/volume-planes.ts';
import type { Volume } from './reformat.ts';

/** A point that is farther from the outer voxels, in voxels, is outside. */
const EDGE = 0.5;

/**
 * Returns the values at points, by rows: each lies between the eight voxels around it.
 * @param grid in voxels
 * @returns stored values; NaN outside of the volume
 */
export function sample(volume: Volume, { origin, steps, size, mode }: SampleGrid): Float32Array {
  const [columns, rows, slices] = size;
  const [right, down, through] = steps;
  const values = new Float32Array(columns * rows);
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, at++) {
      let [greatest, sum, count] = [NaN, 0, 0];
      for (let slice = 0; slice < slices; slice++) {
        const value = valueAt(
          volume,
          origin[0] + column * right[0] + row * down[0] + slice * through[0],
          origin[1] + column * right[1] + row * down[1] + slice * through[1],
          origin[2] + column * right[2] + row * down[2] + slice * through[2],
        );
        if (Number.isNaN(value)) continue;
        if (!(greatest >= value)) greatest = value;
        sum += value;
        count++;
      }
      values[at] = mode === 'mip' ? greatest : sum / count;
    }
  }
  return values;
}

function valueAt({ voxels, size }: Volume, x: number, y: number, z: number): number {
  const [columns, rows, slices] = size;
  if (!isInside(x, columns) || !isInside(y, rows) || !isInside(z, slices)) return NaN;
  const [atX, atY, atZ] = [within(x, columns), within(y, rows), within(z, slices)];
  const [left, top, first] = [Math.floor(atX), Math.floor(atY), Math.floor(atZ)];
  const [right, down, through] = [atX - left, atY - top, atZ - first];
  const line = (at: number) => between(voxels[at]!, voxels[at + 1], right);
  const plane = (at: number) => between(line(at), down > 0 ? line(at + columns) : undefined, down);
  const start = (first * rows + top) * columns + left;
  return between(plane(start), through > 0 ? plane(start + rows * columns) : undefined, through);
}

function isInside(at: number, count: number): boolean {
  return at >= -EDGE && at <= count - 1 + EDGE;
}

function within(at: number, count: number): number {
  return Math.min(Math.max(at, 0), count - 1);
}

/** @param other is not read where `part` is 0: the last voxel of a line has none after it */
function between(one: number, other: number | undefined, part: number): number {
  return part > 0 ? one + part * (other! - one) : one;
}
