import type { Series, Study } from '../domain/study.ts';
import type { Layout } from './address.ts';
import { Cell, type Start } from './cell.svelte.ts';
import { Crosshair } from './crosshair.svelte.ts';
import type { Imaging } from './imaging.ts';

const CELLS: Record<Layout, number> = { '1x1': 1, '1x2': 2, '2x2': 4 };

/** The stage: a study, and a grid of cells that show its series. */
export class Workspace {
  study = $state.raw<Study>();
  cells = $state.raw<readonly Cell[]>([]);
  layout = $state<Layout>('1x1');
  /** Index of the cell that keys, tools and the strip act on. */
  at = $state(0);
  readonly crosshair = new Crosshair();
  readonly imaging: Imaging;
  /** Its own cells, while others are shown in their place. */
  #own = $state.raw<{ cells: readonly Cell[]; layout: Layout; at: number; ended: () => void }>();
  readonly #endProgress: () => void;

  constructor(imaging: Imaging) {
    this.imaging = imaging;
    this.cells = [new Cell(imaging)];
    this.#endProgress = imaging.onProgress(() => {
      for (const cell of this.#own?.cells ?? this.cells) cell.countReady();
    });
  }

  get active(): Cell {
    return this.cells[this.at] ?? this.cells[0]!;
  }

  /** The cell and the layout that the address names: images that are computed have none. */
  get addressed(): { cell: Cell; layout: Layout } {
    if (!this.#own) return { cell: this.active, layout: this.layout };
    return { cell: this.#own.cells[this.#own.at]!, layout: this.#own.layout };
  }

  /** Series of the study in the order of their numbers. */
  get series(): readonly Series[] {
    return inOrder(this.study);
  }

  /** Opens a study at a series, or at its longest: most studies also have localizers and single captures. */
  open(study: Study, start: Start & { series?: string } = {}): void {
    this.restore();
    this.study = study;
    this.at = 0;
    for (const cell of this.cells) cell.close();
    const series = inOrder(study).find(({ uid }) => uid === start.series) ?? longest(inOrder(study));
    if (series) void this.active.open(study, series, start);
  }

  /** Shows a series in the active cell. */
  show(series: Series): void {
    if (!this.study || this.active.series?.uid === series.uid) return;
    this.restore();
    void this.active.open(this.study, series);
  }

  /** Shows the series before or after the one in the active cell. */
  showNext(by: 1 | -1): void {
    const all = this.series;
    const next = all[all.findIndex(({ uid }) => uid === this.active.series?.uid) + by];
    if (next) this.show(next);
  }

  /** Returns the cell that shows a series. */
  cellOf(series: Series): Cell | undefined {
    return this.cells.find((cell) => cell.series?.uid === series.uid);
  }

  setLayout(layout: Layout): void {
    this.restore();
    this.layout = layout;
    const wanted = CELLS[layout];
    for (const cell of this.cells.slice(wanted)) cell.close();
    const added = Array.from(
      { length: Math.max(wanted - this.cells.length, 0) },
      () => new Cell(this.imaging),
    );
    this.cells = [...this.cells.slice(0, wanted), ...added];
    this.at = Math.min(this.at, wanted - 1);
  }

  /**
   * Shows other cells in place of its own, which keep what they have, until `restore` or until something else is opened.
   * @param cells as many as the layout has
   * @param ended called when its own cells are back
   */
  replace(cells: readonly Cell[], layout: Layout, ended: () => void): void {
    this.restore();
    this.#own = { cells: this.cells, layout: this.layout, at: this.at, ended };
    this.cells = cells;
    this.layout = layout;
    this.at = 0;
  }

  /** Shows its own cells again, and closes the others. */
  restore(): void {
    const own = this.#own;
    if (!own) return;
    for (const cell of this.cells) cell.close();
    this.#own = undefined;
    ({ cells: this.cells, layout: this.layout, at: this.at } = own);
    own.ended();
  }

  /** Empties the stage, for instance for another patient. */
  clear(): void {
    this.restore();
    for (const cell of this.cells) cell.close();
    this.study = undefined;
  }

  close(): void {
    this.clear();
    this.#endProgress();
  }
}

function inOrder(study: Study | undefined): Series[] {
  return [...(study?.series ?? [])].sort((a, b) => (a.number ?? Infinity) - (b.number ?? Infinity));
}

function longest(series: readonly Series[]): Series | undefined {
  return series.reduce<Series | undefined>(
    (best, one) => ((one.numberOfInstances ?? 0) > (best?.numberOfInstances ?? 0) ? one : best),
    series[0],
  );
}
