import { Trouble } from '../../data/trouble.ts';
import type { Orientation } from '../../domain/space/geometry.ts';
import type { Slab, Stack } from '../../domain/series/stacks.ts';
import { isNoVolume, volumeOf, type NoVolume, type VolumeGeometry } from '../../domain/volume/volume.ts';
import { nativePlane, PLANES } from '../../domain/volume/volume-planes.ts';
import { Cell } from '../../state/stage/cell.svelte.ts';
import type { CellImaging, OpenedVolume, VolumeProgress } from '../../state/stage/imaging.ts';
import type { Workspace } from '../../state/stage/workspace.svelte.ts';
import { onePer } from '../../state/browser/one-per.ts';

/** A cell that shows a plane of a volume. */
export class PlaneCell extends Cell {
  readonly mpr: Mpr;
  readonly plane: Orientation;
  slab = $state.raw<Slab>();

  constructor(mpr: Mpr, imaging: CellImaging, { plane, slab }: { plane: Orientation; slab?: Slab }) {
    super(imaging);
    this.mpr = mpr;
    this.plane = plane;
    this.slab = slab;
  }
}

/** Millimetres. */
const THICKNESSES = [3, 5, 10, 20, 30, 50, 100];
const USUAL_THICKNESS = 10;
/** The fourth cell: an overview through a thick slab. */
const OVERVIEW = { plane: 'coronal', slab: { mode: 'mip', thickness: 30 } } as const;

interface Source {
  cell: Cell;
  stack: Stack;
  geometry: VolumeGeometry;
  /** Index of the image that was shown. */
  at: number;
}

/** Planes through the volume of the active stack, in place of the cells of the workspace. */
export class Mpr {
  phase = $state<'off' | 'loading' | 'shown'>('off');
  progress = $state.raw<VolumeProgress>({ ready: 0, all: 0 });
  /** Why a cell has no volume. */
  refused = $state.raw<{ cell: Cell; reason: NoVolume }>();
  readonly #workspace: Workspace;
  #volume: OpenedVolume | undefined;
  #source: Source | undefined;
  #onEnd: (() => void) | undefined;

  constructor(workspace: Workspace) {
    this.#workspace = workspace;
  }

  /** The active plane; undefined while something else is shown. */
  get active(): PlaneCell | undefined {
    const { active } = this.#workspace;
    return active instanceof PlaneCell && this.phase === 'shown' ? active : undefined;
  }

  /** Loads the slices of the active stack, then shows three planes and a slab. Says why where there is no volume. */
  async open(): Promise<void> {
    const cell = this.#workspace.active;
    const { stack, wanted: at } = cell;
    if (!stack || this.phase !== 'off') return;
    const geometry = volumeOf(stack);
    this.refused = isNoVolume(geometry) ? { cell, reason: geometry } : undefined;
    if (isNoVolume(geometry)) return;
    const source: Source = { cell, stack, geometry, at };
    this.#source = source;
    this.phase = 'loading';
    this.progress = { ready: 0, all: stack.frames.length };
    const opening = this.#workspace.imaging.openVolume(stack, geometry);
    this.#workspace.replace(this.#cells(opening), '2x2', () => this.#ended());
    try {
      const volume = await opening;
      if (this.#source !== source) return volume.close();
      this.#volume = volume;
      volume.onProgress(() => this.#update());
      this.#update();
    } catch (cause) {
      if (this.#source !== source) return;
      const trouble = cause instanceof Trouble ? cause : new Trouble('offline', String(cause), { cause });
      this.progress = { ...this.progress, trouble: { trouble, image: 0 } };
    }
  }

  /** Shows the stack again, at the image where the planes meet. */
  close(): void {
    const source = this.#source;
    const acquired = source && this.#acquired(source);
    this.#workspace.restore();
    if (source && acquired !== undefined) source.cell.want(acquired);
  }

  /** Calls back once, when the cells of the workspace are back in whatever way. */
  onEnd(listener: () => void): void {
    this.#onEnd = listener;
  }

  /** Tries again what has failed. */
  again(): void {
    if (this.#volume) return this.#volume.again();
    this.close();
    void this.open();
  }

  /** Changes the slab of the active plane. */
  setSlab(change: (slab: Slab | undefined) => Slab | undefined): void {
    const cell = this.active;
    if (!cell || !this.#volume) return;
    cell.slab = change(cell.slab);
    cell.adopt(this.#volume.plane(cell.plane, cell.slab), { image: cell.wanted + 1 });
  }

  #cells(opening: Promise<OpenedVolume>): PlaneCell[] {
    const imaging: CellImaging = {
      images: this.#workspace.imaging.images,
      openSeries: () => Promise.reject(new Trouble('not-found', 'a plane has no series')),
      engine: async () => (await opening).imaging.engine(),
      retry: (frame) => void opening.then((volume) => volume.imaging.retry(frame)),
    };
    return [...PLANES.map((plane) => ({ plane })), OVERVIEW].map((of) => new PlaneCell(this, imaging, of));
  }

  #update(): void {
    const volume = this.#volume;
    if (!volume || this.phase !== 'loading') return;
    this.progress = volume.progress();
    if (this.progress.ready === this.progress.all) this.#show(volume, this.#source!);
  }

  #show(volume: OpenedVolume, { cell: from, geometry, at }: Source): void {
    this.phase = 'shown';
    const window = from.window ?? from.shown?.window;
    for (const cell of this.#workspace.cells) {
      if (!(cell instanceof PlaneCell)) continue;
      cell.study = from.study;
      cell.series = from.series;
      cell.window = window;
      const image = cell.plane === nativePlane(geometry) ? { image: at + 1 } : {};
      cell.adopt(volume.plane(cell.plane, cell.slab), image);
    }
    this.#workspace.crosshair.on = true;
  }

  /** Returns the index of the image on the plane in which the images were acquired: there the planes meet. */
  #acquired({ geometry }: Source): number | undefined {
    const plane = nativePlane(geometry);
    const cell = this.#workspace.cells.find(
      (one) => one instanceof PlaneCell && one.plane === plane && !one.slab,
    );
    return this.phase === 'shown' ? cell?.wanted : undefined;
  }

  #ended(): void {
    this.#volume?.close();
    this.#volume = this.#source = undefined;
    if (this.phase === 'shown') this.#workspace.crosshair.on = false;
    this.phase = 'off';
    this.#onEnd?.();
    this.#onEnd = undefined;
  }
}

/** Returns the next larger or smaller thickness. */
export function nextThickness(slab: Slab | undefined, by: 1 | -1): Slab {
  const { mode, thickness } = slab ?? { mode: 'mip', thickness: USUAL_THICKNESS };
  const fits =
    by > 0 ? THICKNESSES.find((one) => one > thickness) : THICKNESSES.findLast((one) => one < thickness);
  return { mode, thickness: fits ?? thickness };
}

/** Returns the slab with another mode; none if it has that mode. */
export function switchMode(slab: Slab | undefined, mode: Slab['mode']): Slab | undefined {
  if (slab?.mode === mode) return undefined;
  return { mode, thickness: slab?.thickness ?? USUAL_THICKNESS };
}

/** Returns the planes of a workspace; each has its own. */
export const mprOf = onePer((workspace: Workspace) => new Mpr(workspace));
