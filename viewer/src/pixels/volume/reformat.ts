/** Computes images of planes through a volume. Pure, and exact: values between two voxels of a line are interpolated. */
import type { Direction } from '../../domain/volume/volume-planes.ts';

export type Voxels = Int16Array | Uint16Array;

/** Stored values: along a row first, then along a column, then through the slices. */
export interface Volume {
  voxels: Voxels;
  size: readonly [number, number, number];
}

/** One image of a plane. */
export interface PlaneImage {
  right: Direction;
  down: Direction;
  through: 0 | 1 | 2;
  /** Slices along `through`, of which it shows the greatest value or the mean; one slice without a slab. */
  from: number;
  to: number;
  mode: 'mip' | 'average';
  columns: number;
  rows: number;
  /** Voxels from pixel to pixel, to the right and down. */
  steps: readonly [number, number];
}

/** Returns the stored values of a plane's image, by rows. */
export function reformat(volume: Volume, image: PlaneImage): Voxels {
  const slab = image.from === image.to ? sliceOf(volume, image) : slabOf(volume, image);
  return resample(volume, slab, image);
}

/** Returns a slice by its voxels: rows are the plane's `down` axis, columns its `right` axis. */
function sliceOf({ voxels, size }: Volume, { right, down, through, from }: PlaneImage): Voxels {
  const strides = stridesOf(size);
  const [columns, rows] = [size[right.axis], size[down.axis]];
  const start = from * strides[through];
  // A slice as it was acquired is there already.
  if (right.axis === 0 && down.axis === 1) return voxels.subarray(start, start + columns * rows);
  const slice = like(voxels, columns * rows);
  const [across, downwards] = [strides[right.axis], strides[down.axis]];
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0, from = start + row * downwards; column < columns; column++, from += across)
      slice[at++] = voxels[from]!;
  }
  return slice;
}

/** As `sliceOf`, of several slices. It reads the voxels in the order in which they lie in memory. */
function slabOf({ voxels, size }: Volume, { right, down, through, from, to, mode }: PlaneImage): Voxels {
  const strides = stridesOf(size);
  const columns = size[right.axis];
  const count = columns * size[down.axis];
  const into = [0, 0, 0];
  into[right.axis] = 1;
  into[down.axis] = columns;
  const first = [0, 0, 0];
  const last = [size[0] - 1, size[1] - 1, size[2] - 1];
  first[through] = from;
  last[through] = to;
  const slab = mode === 'mip' ? like(voxels, count).fill(lowest(voxels)) : new Float64Array(count);
  const isSum = mode === 'average';
  for (let z = first[2]!; z <= last[2]!; z++) {
    for (let y = first[1]!; y <= last[1]!; y++) {
      let source = z * strides[2] + y * strides[1] + first[0]!;
      let target = z * into[2]! + y * into[1]! + first[0]! * into[0]!;
      for (let x = first[0]!; x <= last[0]!; x++, source++, target += into[0]!) {
        const value = voxels[source]!;
        if (isSum) slab[target]! += value;
        else if (value > slab[target]!) slab[target] = value;
      }
    }
  }
  if (!isSum) return slab as Voxels;
  const mean = like(voxels, count);
  for (let at = 0; at < count; at++) mean[at] = Math.round(slab[at]! / (to - from + 1));
  return mean;
}

/** The place of a line of pixels among the voxels: the voxel before each pixel, the one after, and how near that is. */
interface Line {
  before: Int32Array;
  after: Int32Array;
  weight: Float64Array;
}

function resample(volume: Volume, slab: Voxels, image: PlaneImage): Voxels {
  const { right, down, columns, rows, steps } = image;
  const width = volume.size[right.axis];
  const across = lineOf(columns, { voxels: width, step: steps[0], sign: right.sign });
  const downwards = lineOf(rows, { voxels: volume.size[down.axis], step: steps[1], sign: down.sign });
  const pixels = like(slab, columns * rows);
  for (let row = 0, at = 0; row < rows; row++) {
    const [upper, lower] = [downwards.before[row]! * width, downwards.after[row]! * width];
    const down = downwards.weight[row]!;
    for (let column = 0; column < columns; column++) {
      const [left, right] = [across.before[column]!, across.after[column]!];
      const weight = across.weight[column]!;
      let value = slab[upper + left]!;
      if (weight > 0) value += weight * (slab[upper + right]! - value);
      if (down > 0) {
        let below = slab[lower + left]!;
        if (weight > 0) below += weight * (slab[lower + right]! - below);
        value += down * (below - value);
      }
      pixels[at++] = Math.round(value);
    }
  }
  return pixels;
}

function lineOf(count: number, { voxels, step, sign }: { voxels: number; step: number; sign: 1 | -1 }): Line {
  const line = {
    before: new Int32Array(count),
    after: new Int32Array(count),
    weight: new Float64Array(count),
  };
  for (let at = 0; at < count; at++) {
    const place = Math.min(at * step, voxels - 1);
    const before = Math.floor(place);
    // Rounding of a step that is one voxel is no place between two.
    const weight = place - before < 1e-6 ? 0 : place - before;
    const after = Math.min(before + 1, voxels - 1);
    line.before[at] = sign > 0 ? before : voxels - 1 - before;
    line.after[at] = sign > 0 ? after : voxels - 1 - after;
    line.weight[at] = weight;
  }
  return line;
}

function stridesOf([columns, rows]: Volume['size']): readonly [number, number, number] {
  return [1, columns, columns * rows];
}

function like(voxels: Voxels, length: number): Voxels {
  return voxels instanceof Int16Array ? new Int16Array(length) : new Uint16Array(length);
}

function lowest(voxels: Voxels): number {
  return voxels instanceof Int16Array ? -32_768 : 0;
}
