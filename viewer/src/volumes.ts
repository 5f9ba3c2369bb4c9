import type { ImageSource } from './data/source.ts';
import { Trouble } from './data/trouble.ts';
import type { Orientation } from './domain/space/geometry.ts';
import type { Slab, Stack } from './domain/series/stacks.ts';
import type { FrameId, ImageLocation } from './domain/study.ts';
import type { VolumeGeometry } from './domain/volume/volume.ts';
import { inVoxels, planeStack, volumeRescale, type SampleGrid } from './domain/volume/volume-planes.ts';
import { createEngine } from './engine/cornerstone/engine.ts';
import { isSigned, loadSlices } from './engine/cornerstone/volume.ts';
import { FrameStore } from './pixels/frame-store.ts';
import { PlaneSource } from './pixels/volume/plane-source.ts';
import { VoxelStore } from './pixels/volume/voxel-store.ts';
import type { CellImaging, Imaging, OpenedVolume, VolumeProgress } from './state/stage/imaging.ts';

/** Images of planes that are kept: some around each plane that is shown. Computing one takes milliseconds. */
const PLANE_BYTES = 24 * 1024 * 1024;
/** One is computed while another is on its way. */
const PLANE_REQUESTS = 2;
const COMPUTED: ImageLocation = { dicomweb: 'volume:' };

/**
 * Returns what opens volumes. Their planes are images like others: a frame store of their own asks for them, and an engine
 * of their own draws them. So all that holds for images holds for planes: window, camera, reading ahead, failures.
 * @param slices has the images that volumes are made of
 */
export function volumesOf(slices: FrameStore): Imaging['openVolume'] {
  const source = new PlaneSource();
  const planes = new FrameStore(asImageSource(source), {
    maxBytes: PLANE_BYTES,
    maxRequests: PLANE_REQUESTS,
  });
  const engine = createEngine(planes);
  let opened = 0;
  const imaging: CellImaging = {
    images: asImageSource(source),
    openSeries: () => Promise.reject(new Trouble('not-found', 'a volume has no series')),
    engine: () => Promise.resolve(engine),
    retry: (frame) => planes.retry(frame),
  };
  return (stack, geometry) => {
    const key = `volume-${++opened}`;
    return Promise.resolve(new Volume({ key, stack, geometry }, { slices, planes, source, imaging }));
  };
}

interface Parts {
  slices: FrameStore;
  planes: FrameStore;
  source: PlaneSource;
  imaging: CellImaging;
}

class Volume implements OpenedVolume {
  readonly imaging: CellImaging;
  readonly #of: { key: string; stack: Stack; geometry: VolumeGeometry };
  readonly #parts: Parts;
  readonly #voxels: VoxelStore;
  readonly #listeners = new Set<() => void>();
  readonly #failed = new Map<FrameId, Trouble>();
  readonly #endLoading: () => void;
  /** Indexes of slices that are not there, ascending. */
  #missing: readonly number[];

  constructor(of: { key: string; stack: Stack; geometry: VolumeGeometry }, parts: Parts) {
    this.imaging = parts.imaging;
    this.#of = of;
    this.#parts = parts;
    this.#missing = [...of.stack.frames.keys()];
    this.#voxels = new VoxelStore(of.geometry.size, isSigned(of.stack));
    this.#endLoading = loadSlices(of.stack, parts.slices, {
      onSlice: (at, values) => {
        this.#voxels.setSlice(at, values);
        this.#failed.delete(of.stack.frames[at]!.id);
        this.#missing = this.#missing.filter((one) => one !== at);
        this.#tell();
      },
      onTrouble: (frame, trouble) => {
        this.#failed.set(frame, trouble);
        this.#tell();
      },
    });
  }

  progress(): VolumeProgress {
    const { frames } = this.#of.stack;
    const [first] = this.#failed;
    const ready = frames.length - this.#missing.length;
    const counts = { ready, tried: ready + this.#failed.size, all: frames.length };
    if (!first) return counts;
    const [frame, trouble] = first;
    return { ...counts, trouble: { trouble, image: frames.findIndex(({ id }) => id === frame) + 1 } };
  }

  onProgress(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  plane(plane: Orientation, slab?: Slab) {
    const { key, stack, geometry: volume } = this.#of;
    const missing = this.#missing;
    const all = stack.frames.length;
    const coarse = missing.length > 0 ? { ready: all - missing.length, all, missing } : undefined;
    const options = { volume, key, plane, slab, source: stack, coarse };
    const images = planeStack(options);
    const { planes, source } = this.#parts;
    const ends = [source.add(images.key, this.#voxels, options), planes.add(images, COMPUTED)];
    return {
      instances: [],
      stacks: [images],
      ready: () => images.frames.length,
      isReady: () => true,
      close: () => ends.forEach((end) => end()),
    };
  }

  async sample(grid: SampleGrid, signal: AbortSignal): Promise<Float32Array> {
    const { stack, geometry } = this.#of;
    const { slope, intercept } = volumeRescale(stack);
    const values = await this.#voxels.sample(inVoxels(geometry, grid), signal);
    return Float32Array.from(values, (value) => value * slope + intercept);
  }

  again(): void {
    const failed = [...this.#failed.keys()];
    this.#failed.clear();
    for (const frame of failed) this.#parts.slices.retry(frame);
    this.#tell();
  }

  close(): void {
    this.#endLoading();
    this.#listeners.clear();
    this.#voxels.close();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** A volume has images, and nothing else that a source gives. */
function asImageSource(source: PlaneSource): ImageSource {
  const none = () => Promise.reject(new Trouble('not-found', 'a volume has images only'));
  return {
    frame: (at, name, signal) => source.frame(at, name, signal),
    series: none,
    rendered: none,
    thumbnail: none,
    instances: () => ({ [Symbol.asyncIterator]: () => ({ next: none }) }),
    bulk: none,
  };
}
