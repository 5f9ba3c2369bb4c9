/** Holds the voxels of a volume apart from the page, and computes images of it. */
import type { SampleGrid } from '../../domain/volume/volume-planes.ts';
import { Slices } from './missing-slices.ts';
import { reformat, type PlaneImage, type Voxels } from './reformat.ts';
import { sample } from './sample.ts';

/** A question: an image of a plane, or values at points that are given in voxels. */
export type Computed = { image: PlaneImage } | { grid: SampleGrid };

export type ToWorker =
  | { do: 'begin'; size: readonly [number, number, number]; signed: boolean }
  | { do: 'slice'; at: number; values: Voxels }
  | { do: 'compute'; what: Computed };

/** Values by rows; undefined if they cannot be computed. */
export interface FromWorker {
  values?: Voxels | Float32Array;
  error?: string;
}

const page = globalThis as {
  onmessage: (event: MessageEvent<ToWorker>) => void;
  postMessage(answer: FromWorker, transfer?: Transferable[]): void;
};

let size: readonly [number, number, number] = [0, 0, 0];
let voxels: Voxels = new Int16Array(0);
let slices = new Slices(0);
let failure: string | undefined;

page.onmessage = ({ data }) => {
  switch (data.do) {
    case 'begin':
      return begin(data);
    case 'slice':
      if (failure !== undefined) return;
      voxels.set(data.values, data.at * size[0] * size[1]);
      return slices.add(data.at);
    case 'compute':
      return answer(data.what);
  }
};

function begin({ size: wanted, signed }: Extract<ToWorker, { do: 'begin' }>): void {
  size = wanted;
  const count = size[0] * size[1] * size[2];
  try {
    slices = new Slices(size[2]);
    voxels = signed ? new Int16Array(count) : new Uint16Array(count);
  } catch (error) {
    // There is not enough memory.
    failure = String(error);
  }
}

function answer(what: Computed): void {
  if (failure !== undefined) return page.postMessage({ error: failure });
  const volume = { voxels, size };
  slices.fill(volume);
  const values = 'image' in what ? reformat(volume, what.image) : sample(volume, what.grid);
  // A slice as it was acquired is a part of the volume, and stays there.
  const own = values.buffer === voxels.buffer ? values.slice() : values;
  page.postMessage({ values: own }, [own.buffer]);
}
