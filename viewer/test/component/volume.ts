/** A volume without voxels: the test says which slices are there. */
import type { Trouble } from '../../src/data/trouble.ts';
import type { Orientation } from '../../src/domain/space/geometry.ts';
import type { Slab, Stack } from '../../src/domain/series/stacks.ts';
import type { VolumeGeometry } from '../../src/domain/volume/volume.ts';
import { planeStack } from '../../src/domain/volume/volume-planes.ts';
import type { Engine } from '../../src/engine/port.ts';
import type { CellImaging, OpenedVolume, VolumeProgress } from '../../src/state/stage/imaging.ts';

export class FakeVolume implements OpenedVolume {
  readonly imaging: CellImaging;
  closed = false;
  triedAgain = 0;
  readonly #of: { stack: Stack; geometry: VolumeGeometry };
  readonly #listeners = new Set<() => void>();
  #progress: VolumeProgress;

  constructor({ engine, ...of }: { stack: Stack; geometry: VolumeGeometry; engine: Engine }) {
    this.#of = of;
    this.#progress = { ready: 0, all: of.stack.frames.length };
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
    const stack = planeStack({ volume, key: 'volume', plane, slab, source });
    return {
      instances: [],
      stacks: [stack],
      ready: () => stack.frames.length,
      isReady: () => true,
      close: () => undefined,
    };
  }

  again(): void {
    this.triedAgain++;
  }

  close(): void {
    this.closed = true;
  }

  /** So many slices are there; one of the others may be in trouble. */
  arrive(ready: number, trouble?: { trouble: Trouble; image: number }): void {
    this.#progress = { ready, all: this.#progress.all, ...(trouble && { trouble }) };
    for (const listener of this.#listeners) listener();
  }
}
