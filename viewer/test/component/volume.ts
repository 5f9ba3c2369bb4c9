/** A volume without voxels: the test says which slices are there. */
import type { Trouble } from '../../src/data/trouble.ts';
import type { Orientation } from '../../src/domain/space/geometry.ts';
import type { Slab, Stack } from '../../src/domain/series/stacks.ts';
import type { VolumeGeometry } from '../../src/domain/volume/volume.ts';
import { loadingOrder } from '../../src/domain/volume/coarse.ts';
import { planeStack, type SampleGrid } from '../../src/domain/volume/volume-planes.ts';
import type { Engine } from '../../src/engine/port.ts';
import type { CellImaging, OpenedVolume, VolumeProgress } from '../../src/state/stage/imaging.ts';

export class FakeVolume implements OpenedVolume {
  readonly imaging: CellImaging;
  closed = false;
  triedAgain = 0;
  /** Its value at a place in the patient. */
  value = (_x: number, _y: number, _z: number): number => NaN;
  readonly #of: { stack: Stack; geometry: VolumeGeometry };
  readonly #listeners = new Set<() => void>();
  #progress: VolumeProgress;

  constructor({ engine, ...of }: { stack: Stack; geometry: VolumeGeometry; engine: Engine }) {
    this.#of = of;
    this.#progress = { ready: 0, tried: 0, all: of.stack.frames.length };
    const none = () => Promise.reject(new Error('a volume has images only'));
    const noFiles = () => ({ [Symbol.asyncIterator]: () => ({ next: none }) });
    this.imaging = {
      images: { frame: none, rendered: none, thumbnail: none, instances: noFiles, bulk: none },
      openSeries: none,
      engine: () => Promise.resolve(engine),
      retry: () => undefined,
    };
  }

  progress(): VolumeProgress {
    return this.#progress;
  }

  onProgress(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  plane(plane: Orientation, slab?: Slab) {
    const { stack: source, geometry: volume } = this.#of;
    const { ready, all } = this.#progress;
    const missing = loadingOrder(all)
      .slice(ready)
      .sort((a, b) => a - b);
    const coarse = missing.length > 0 ? { ready, all, missing } : undefined;
    const stack = planeStack({ volume, key: 'volume', plane, slab, source, coarse });
    return {
      instances: [],
      stacks: [stack],
      ready: () => stack.frames.length,
      isReady: () => true,
      close: () => undefined,
    };
  }

  sample({ origin, steps, size }: SampleGrid): Promise<Float32Array> {
    const values = Float32Array.from({ length: size[0] * size[1] }, (_, at) => {
      const [column, row] = [at % size[0], Math.floor(at / size[0])];
      const place = (axis: 0 | 1 | 2) => origin[axis] + column * steps[0][axis] + row * steps[1][axis];
      return this.value(place(0), place(1), place(2));
    });
    return Promise.resolve(values);
  }

  again(): void {
    this.triedAgain++;
  }

  close(): void {
    this.closed = true;
  }

  /** So many slices are there; of the others one may be in trouble. */
  arrive(ready: number, trouble?: { trouble: Trouble; image: number }): void {
    this.#progress = {
      ready,
      tried: trouble ? ready + 1 : ready,
      all: this.#progress.all,
      ...(trouble && { trouble }),
    };
    for (const listener of this.#listeners) listener();
  }
}
