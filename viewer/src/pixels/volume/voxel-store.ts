/** The voxels of one volume, in a worker. */
import { Trouble } from '../../data/trouble.ts';
import type { PlaneImage, Voxels } from './reformat.ts';
import type { SampleGrid } from '../../domain/volume/volume-planes.ts';
import type { Computed, FromWorker, ToWorker } from './volume-worker.ts';

interface Asked {
  what: Computed;
  signal: AbortSignal;
  resolve: (values: Voxels | Float32Array) => void;
  reject: (reason: unknown) => void;
}

export class VoxelStore {
  readonly #worker: Worker;
  #waiting: Asked[] = [];
  #current: Asked | undefined;
  #failure: Trouble | undefined;

  /** @param size voxels along each axis @param signed true for values below zero */
  constructor(size: readonly [number, number, number], signed: boolean) {
    this.#worker = new Worker(new URL('./volume-worker.ts', import.meta.url), { type: 'module' });
    this.#worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#answered(data);
    this.#worker.onerror = () => this.#fail(new Trouble('memory', 'the worker of the volume has failed'));
    this.#tell({ do: 'begin', size, signed });
  }

  /** Sets the values of a slice. They are moved: the caller has them no longer. */
  setSlice(at: number, values: Voxels): void {
    this.#tell({ do: 'slice', at, values }, [values.buffer]);
  }

  /**
   * Computes an image of a plane; slices that are not there have the values of the nearest one. One image is computed at a
   * time, in the order in which they are asked for.
   * @throws Trouble `memory`, or the reason of the signal
   */
  plane(image: PlaneImage, signal: AbortSignal): Promise<Voxels | Float32Array> {
    return this.#compute({ image }, signal);
  }

  /** Returns stored values at points that are given in voxels, by rows; NaN outside. @throws as `plane` */
  sample(grid: SampleGrid, signal: AbortSignal): Promise<Voxels | Float32Array> {
    return this.#compute({ grid }, signal);
  }

  close(): void {
    this.#worker.terminate();
    this.#fail(new Trouble('not-found', 'the volume is closed'));
  }

  #compute(what: Computed, signal: AbortSignal): Promise<Voxels | Float32Array> {
    if (this.#failure) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ what, signal, resolve, reject });
      this.#next();
    });
  }

  #tell(message: ToWorker, transfer: Transferable[] = []): void {
    this.#worker.postMessage(message, transfer);
  }

  #next(): void {
    if (this.#current) return;
    const next = this.#waiting.shift();
    if (!next) return;
    if (next.signal.aborted) {
      next.reject(next.signal.reason);
      return this.#next();
    }
    this.#current = next;
    this.#tell({ do: 'compute', what: next.what });
  }

  #answered({ values, error }: FromWorker): void {
    const current = this.#current;
    this.#current = undefined;
    if (values) current?.resolve(values);
    else this.#fail(new Trouble('memory', error ?? ''), current);
    this.#next();
  }

  #fail(trouble: Trouble, current = this.#current): void {
    this.#failure = trouble;
    current?.reject(trouble);
    for (const { reject } of this.#waiting) reject(trouble);
    this.#current = undefined;
    this.#waiting = [];
  }
}
