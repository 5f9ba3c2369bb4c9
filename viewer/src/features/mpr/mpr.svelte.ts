import { Trouble } from '../../data/trouble.ts';
import type { Orientation } from '../../domain/space/geometry.ts';
import type { Slab, Stack } from '../../domain/series/stacks.ts';
import type { Series, Study } from '../../domain/study.ts';
import { loadingStep, WHOLE } from '../../domain/volume/coarse.ts';
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

  /** False for a coarser image of what is wanted: it is marked as such, and is no other place. */
  override get behind(): boolean {
    const before = this.shown?.stack.reformatted;
    const isCoarser = before?.coarse !== undefined && before.slab === this.stack?.reformatted?.slab;
    return super.behind && !(isCoarser && this.shown?.index === this.wanted);
  }
}

/** Millimetres. */
const THICKNESSES = [3, 5, 10, 20, 30, 50, 100];
const USUAL_THICKNESS = 10;
/** Slices that come late are shown by parts of all. */
const STEPS = 8;
/** The fourth cell: an overview through a thick slab. */
const OVERVIEW = { plane: 'coronal', slab: { mode: 'mip', thickness: 30 } } as const;

/** A stack of which planes are shown. */
export interface PlanesOf {
  stack: Stack;
  study?: Study | undefined;
  series?: Series | undefined;
  window?: Cell['window'];
  /** Index of the image at which planes begin. */
  at: number;
  /** Shows the stack, if one does. */
  cell?: Cell;
}

type Source = PlanesOf & { geometry: VolumeGeometry };

/** Planes through the volume of the active stack, in place of the cells of the workspace. */
export class Mpr {
  phase = $state<'off' | 'loading' | 'shown'>('off');
  progress = $state.raw<VolumeProgress>({ ready: 0, tried: 0, all: 0 });
  /** Why a cell has no volume. */
  refused = $state.raw<{ cell: Cell; reason: NoVolume }>();
  readonly #workspace: Workspace;
  #volume: OpenedVolume | undefined;
  #source: Source | undefined;
  #onEnd: (() => void) | undefined;
  /** The slices of which the planes are made. */
  #made = { step: 0, ready: 0 };

  constructor(workspace: Workspace) {
    this.#workspace = workspace;
  }

  /** The active plane; undefined while something else is shown. */
  get active(): PlaneCell | undefined {
    const { active } = this.#workspace;
    return active instanceof PlaneCell && this.phase === 'shown' ? active : undefined;
  }

  /** The place of the volume whose planes are open. */
  get geometry(): VolumeGeometry | undefined {
    return this.#source?.geometry;
  }

  /**
   * Loads the slices of a stack, that of the active cell if none is given. Shows three planes and a slab as soon as an eighth
   * of them is there, and makes them finer with the others. Says why where there is no volume.
   */
  async open(of = planesOf(this.#workspace.active)): Promise<void> {
    if (!of || this.phase !== 'off') return;
    const { stack, cell } = of;
    const geometry = volumeOf(stack);
    this.refused = isNoVolume(geometry) && cell ? { cell, reason: geometry } : undefined;
    if (isNoVolume(geometry)) return;
    const source: Source = { ...of, geometry };
    this.#source = source;
    this.phase = 'loading';
    this.#made = { step: 0, ready: 0 };
    this.progress = { ready: 0, tried: 0, all: stack.frames.length };
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
    if (source && acquired !== undefined) source.cell?.want(acquired);
  }

  /** Calls back once, when the cells of the workspace are back in whatever way. */
  onEnd(listener: () => void): void {
    this.#onEnd = listener;
  }

  /** Tries again what has failed. */
  again(): void {
    if (this.#volume) return this.#volume.again();
    const source = this.#source;
    this.close();
    void this.open(source);
  }

  /** Changes the slab of the active plane. */
  setSlab(change: (slab: Slab | undefined) => Slab | undefined): void {
    const cell = this.active;
    if (!cell || !this.#volume) return;
    cell.slab = change(cell.slab);
    this.#draw(this.#volume, cell, cell.wanted);
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
    if (!volume || this.phase === 'off') return;
    this.progress = volume.progress();
    const { ready, all } = this.progress;
    const step = loadingStep(this.progress);
    // Of slices that had failed, some at a time.
    const more = ready - this.#made.ready;
    const isFiner = step === WHOLE && more > 0 && (ready === all || more >= all / STEPS);
    if (step <= this.#made.step && !isFiner) return;
    this.#made = { step, ready };
    if (this.phase === 'loading') this.#show(volume, this.#source!);
    else for (const cell of this.#planes) this.#draw(volume, cell, cell.wanted);
  }

  get #planes(): readonly PlaneCell[] {
    return this.#workspace.cells.filter((cell) => cell instanceof PlaneCell);
  }

  #show(volume: OpenedVolume, { study, series, window, geometry, at }: Source): void {
    this.phase = 'shown';
    for (const cell of this.#planes) {
      Object.assign(cell, { study, series, window });
      this.#draw(volume, cell, cell.plane === nativePlane(geometry) ? at : undefined);
    }
    this.#workspace.crosshair.on = true;
  }

  /** @param index the middle if it is not given */
  #draw(volume: OpenedVolume, cell: PlaneCell, index: number | undefined): void {
    cell.adopt(volume.plane(cell.plane, cell.slab), index === undefined ? {} : { image: index + 1 });
  }

  /** Returns the index of the image on the plane in which the images were acquired: there the planes meet. */
  #acquired({ geometry }: Source): number | undefined {
    const plane = nativePlane(geometry);
    const cell = this.#planes.find((one) => one.plane === plane && !one.slab);
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

/** Returns the stack of a cell with what its planes take over; undefined if it has none. */
function planesOf(cell: Cell): PlanesOf | undefined {
  const { stack, study, series, wanted: at, shown } = cell;
  return stack && { cell, stack, study, series, at, window: cell.window ?? shown?.window };
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
