import type { ImagePoint } from '../../domain/space/geometry.ts';
import { nearestImage, patientPoint, rectangleOf } from '../../domain/volume/reference-lines.ts';
import type { Vector } from '../../domain/space/vectors.ts';
import type { Cell } from './cell.svelte.ts';
import type { Pointer } from './pointer.ts';

/** A point of the patient that all cells of one frame of reference show. */
export class Crosshair {
  at = $state.raw<{ point: Vector; frameOfReference: string }>();
  #on = $state(false);
  readonly #pointer: Pointer;

  constructor(pointer: Pointer) {
    this.#pointer = pointer;
  }

  /** True while pointing at an image sets it. */
  get on(): boolean {
    return this.#on;
  }

  set on(on: boolean) {
    this.#on = on;
    if (on) this.#pointer.take(this.#end);
  }

  readonly #end = (): void => {
    this.#on = false;
  };

  /** Sets it to a point of the image on the glass of a cell, and brings the other cells to the image nearest to it. */
  set(from: Cell, point: ImagePoint, cells: readonly Cell[]): void {
    const here = from.shown && rectangleOf(from.shown.image.metadata);
    if (!here) return;
    const at = { point: patientPoint(here, point), frameOfReference: here.frameOfReference };
    this.at = at;
    for (const cell of cells) {
      if (cell === from || !cell.stack) continue;
      const index = nearestImage(cell.stack, at.point, at.frameOfReference);
      if (index !== undefined && index !== cell.wanted) cell.want(index);
    }
  }
}
