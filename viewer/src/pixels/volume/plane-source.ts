/** Planes of volumes as a source of images: a frame store asks it as it asks an archive. */
import type { FrameBytes, ImageSource } from '../../data/source.ts';
import { Trouble } from '../../data/trouble.ts';
import type { FrameName, ImageLocation } from '../../domain/study.ts';
import { gridOf, indexOf, slabRange, type PlaneOptions } from '../../domain/volume/volume-planes.ts';
import type { PlaneImage } from './reformat.ts';
import type { VoxelStore } from './voxel-store.ts';

const EXPLICIT_LITTLE_ENDIAN = '1.2.840.10008.1.2.1';

interface Plane {
  voxels: VoxelStore;
  /** @param index from 0 */
  image: (index: number) => PlaneImage;
}

export class PlaneSource implements Pick<ImageSource, 'frame'> {
  readonly #planes = new Map<string, Plane>();

  /** Makes the images of a plane known. @param key of its stack @returns a function that forgets them */
  add(key: string, voxels: VoxelStore, options: PlaneOptions): () => void {
    this.#planes.set(key, { voxels, image: (index) => planeImage(options, index) });
    return () => this.#planes.delete(key);
  }

  /** @throws Trouble `not-found` of a plane that is closed, `memory`, or the reason of the signal */
  async frame(_at: ImageLocation, { instance, frame }: FrameName, signal: AbortSignal): Promise<FrameBytes> {
    const plane = this.#planes.get(instance);
    if (!plane) throw new Trouble('not-found', 'the plane is closed');
    const values = await plane.voxels.plane(plane.image(frame - 1), signal);
    // Browsers run on machines of little endian.
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    return { bytes, transferSyntax: EXPLICIT_LITTLE_ENDIAN };
  }
}

function planeImage({ volume, plane, slab }: PlaneOptions, index: number): PlaneImage {
  const { right, down, through, columns, rows, spacing } = gridOf(volume, plane);
  const at = indexOf(volume, through, index);
  const { from, to } = slabRange(volume, { axis: through.axis, at, thickness: slab?.thickness ?? 0 });
  return {
    right,
    down,
    through: through.axis,
    from,
    to,
    mode: slab?.mode ?? 'mip',
    columns,
    rows,
    steps: [spacing / volume.spacing[right.axis], spacing / volume.spacing[down.axis]],
  };
}
