/** Shows images as a presentation state says, and as they were shown before. */
import type { Look } from '../../domain/overlays/overlay.ts';
import type { Series } from '../../domain/study.ts';
import { zoomWithin, type Cell, type Setting } from '../../state/stage/cell.svelte.ts';

/** CSS pixels. */
interface Glass {
  width: number;
  height: number;
}

/** The look of one cell: it keeps what was set before, and gives it back. */
export class CellLook {
  readonly #cell: Cell;
  #before: { series: Series | undefined; setting: Setting } | undefined;
  /** The look that is on, as text: equal looks of one image and the next change nothing. */
  #on: string | undefined;

  constructor(cell: Cell) {
    this.#cell = cell;
  }

  /** @param look undefined for what was before; what a person has changed of a look goes with it */
  show(look: Look | undefined, glass: Glass): void {
    const wanted = look && JSON.stringify([look, glass]);
    if (wanted === this.#on) return;
    this.#on = wanted;
    const cell = this.#cell;
    if (look) {
      this.#before ??= { series: cell.series, setting: cell.setting };
      showLook(cell, look, glass);
      return;
    }
    const before = this.#before;
    this.#before = undefined;
    // Of another series nothing has been set here.
    if (before && before.series === cell.series) cell.setting = before.setting;
  }
}

function showLook(cell: Cell, look: Look, { width, height }: Glass): void {
  const { rotation, flipped, inverted, window, area, magnification } = look;
  cell.setting = { window, inverted, camera: { zoom: 1, pan: [0, 0], rotation, flipped } };
  if (!area) return;
  // On the glass the area has its place and its size of the whole image, which is fitted in.
  const [one, other] = [cell.view?.toGlass(area.least), cell.view?.toGlass(area.most)];
  if (!one || !other) return;
  const size = [Math.abs(one[0] - other[0]), Math.abs(one[1] - other[1])] as const;
  const columns = area.most[0] - area.least[0];
  const across = rotation % 180 === 0 ? size[0] : size[1];
  const wanted = magnification
    ? (magnification * columns) / across
    : Math.min(width / size[0], height / size[1]);
  if (!Number.isFinite(wanted)) return;
  const zoom = zoomWithin(wanted);
  const pan = [width / 2 - (one[0] + other[0]) / 2, height / 2 - (one[1] + other[1]) / 2] as const;
  cell.setCamera(() => ({ zoom, pan: [zoom * pan[0], zoom * pan[1]] }));
}
