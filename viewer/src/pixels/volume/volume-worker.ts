/** Holds the voxels of a volume apart from the page, and computes images of it. */
import { reformat, type PlaneImage, type Voxels } from './reformat.ts';

export type ToWorker =
  | { do: 'begin'; size: readonly [number, number, number]; signed: boolean }
  | { do: 'slice'; at: number; values: Voxels }
  | { do: 'plane'; image: PlaneImage };

/** The values of a plane's image; undefined if it cannot be computed. */
export interface FromWorker {
  values?: Voxels;
  error?: string;
}

const page = globalThis as {
  onmessage: (event: MessageEvent<ToWorker>) => void;
  postMessage(answer: FromWorker, transfer?: Transferable[]): void;
};

let size: readonly [number, number, number] = [0, 0, 0];
let voxels: Voxels = new Int16Array(0);
let failure: string | undefined;

page.onmessage = ({ data }) => {
  switch (data.do) {
    case 'begin':
      return begin(data);
    case 'slice':
      if (failure === undefined) voxels.set(data.values, data.at * size[0] * size[1]);
      return;
    case 'plane':
      return answer(data.image);
  }
};

function begin({ size: wanted, signed }: Extract<ToWorker, { do: 'begin' }>): void {
  size = wanted;
  const count = size[0] * size[1] * size[2];
  try {
    voxels = signed ? new Int16Array(count) : new Uint16Array(count);
  } catch (error) {
    // There is not enough memory.
    failure = String(error);
  }
}

function answer(image: PlaneImage): void {
  if (failure !== undefined) return page.postMessage({ error: failure });
  const values = reformat({ voxels, size }, image);
  // A slice as it was acquired is a part of the volume, and stays there.
  const own = values.buffer === voxels.buffer ? values.slice() : values;
  page.postMessage({ values: own }, [own.buffer]);
}
