import { nearestImage, patientPoint, rectangleOf, type ImagePoint } from '../domain/reference-lines.ts';
import type { Vector } from '../domain/vectors.ts';
import type { Cell } from './cell.svelte.ts';

/** A point of the patient that all cells of one frame of reference show. */
export class Crosshair {
  /** True while pointing at an image sets it. */
  on = $state(false);
  at = $state.raw<{ point: Vector; frameOfReference: string }>();

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
