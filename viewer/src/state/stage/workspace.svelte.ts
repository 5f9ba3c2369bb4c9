import {
  inOrder,
  longest,
  PLACES,
  type Hanging,
  type Hung,
  type Layout,
} from '../../domain/series/hanging.ts';
import { placeOf, placeWhere, type ImageReference } from '../../domain/series/image-reference.ts';
import type { Stack } from '../../domain/series/stacks.ts';
import type { Series, Study } from '../../domain/study.ts';
import { Cell, type Start } from './cell.svelte.ts';
import { Crosshair } from './crosshair.svelte.ts';
import type { Imaging } from './imaging.ts';
import { Pointer } from './pointer.ts';

/** A place to show a series. */
export interface Spot {
  /** Of the series; the study of the active cell if it is not given. */
  study?: Study;
  /** The active cell if it is not given. */
  cell?: Cell | undefined;
}

/** The stage: a study, and a grid of cells that show its series, or those of another study of the patient beside them. */
export class Workspace {
  /** The study that was opened. Each cell knows its own: it may be another one. */
  study = $state.raw<Study>();
  cells = $state.raw<readonly Cell[]>([]);
  layout = $state<Layout>('1x1');
  /** Index of the cell that keys, tools and the strip act on. */
  at = $state(0);
  /** False while the texts on images are hidden; orientation and patient stay. */
  texts = $state(true);
  readonly pointer = new Pointer();
  readonly crosshair = new Crosshair(this.pointer);
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

  /** The study of the active cell; while that is empty, the one that was opened. */
  get activeStudy(): Study | undefined {
    return this.active.study ?? this.study;
  }

  /** Series of the active cell's study in the order of their numbers. */
  get series(): readonly Series[] {
    return inOrder(this.activeStudy);
  }

  /**
   * The cell and the layout that the address names: the active cell, or one that shows the study that was opened. Cells that
   * are shown in place of its own have no address.
   */
  get addressed(): { cell: Cell; layout: Layout } {
    const { cells, layout, at } = this.#own ?? this;
    const active = cells[at] ?? cells[0]!;
    const cell = this.#isOpened(active) ? active : (cells.find((one) => this.#isOpened(one)) ?? active);
    return { cell, layout };
  }

  /** The cell of another study than the one that was opened. */
  get besideCell(): Cell | undefined {
    const { cells } = this.#own ?? this;
    return cells.find((cell) => cell.study !== undefined && !this.#isOpened(cell));
  }

  /**
   * Opens a study as it is hung.
   * @param start a series that is to be shown in any case: in its own place if it has one, else in the first
   */
  open(study: Study, hanging: Hanging, start: Start & { series?: string } = {}): void {
    this.restore();
    this.study = study;
    for (const cell of this.cells) cell.close();
    this.setLayout(hanging.layout);
    const { series, ...at } = start;
    const named = series === undefined ? undefined : study.series.find(({ uid }) => uid === series);
    const place = hanging.cells.findIndex((hung) => hung && hung.series === named);
    this.at = Math.max(place, 0);
    for (const [index, cell] of this.cells.entries()) {
      const hung = hanging.cells[index];
      if (named && index === this.at) void cell.open(study, named, at);
      else if (hung)
        void cell.open(hung.study, hung.series, { ...startOf(hung), ...(index === this.at && at) });
    }
  }

  /** Shows a series. The last cell of the study that was opened is not given to another one: that is shown beside it. */
  show(series: Series, { study = this.activeStudy, cell = this.active }: Spot = {}): void {
    if (!study) return;
    this.restore();
    const isLast = this.#isOpened(cell) && this.cells.filter((one) => this.#isOpened(one)).length === 1;
    if (isLast && study.uid !== this.study?.uid) return this.showBeside(study, series);
    this.at = Math.max(this.cells.indexOf(cell), 0);
    if (cell.series?.uid !== series.uid) void cell.open(study, series);
  }

  /** Shows a series of another study to the right of the one that was opened, whose cell stays the active one. */
  showBeside(study: Study, series: Series, start: Start = {}): void {
    this.restore();
    if (this.layout === '1x1') this.setLayout('1x2');
    const { cell } = this.addressed;
    const others = this.cells.filter((one) => one !== cell);
    const target = this.besideCell ?? others.find((one) => one.study === undefined) ?? others.at(-1)!;
    if (this.cells.indexOf(target) < this.cells.indexOf(cell))
      this.cells = this.cells.map((one) => (one === cell ? target : one === target ? cell : one));
    this.at = this.cells.indexOf(cell);
    if (target.series?.uid !== series.uid) void target.open(study, series, start);
  }

  /** Shows only the study that was opened, in as many cells as it has. */
  closeBeside(): void {
    this.restore();
    const { cell } = this.addressed;
    for (const one of this.cells) if (!this.#isOpened(one)) one.close();
    const used = this.cells.filter(({ study }) => study !== undefined).length;
    if (used <= 1) this.setLayout('1x1');
    else this.at = this.cells.indexOf(cell);
  }

  /**
   * Shows an image that a report or a document names: where its series is open already, else in the active cell. An image of
   * another study, and one that a document names, stand beside what is shown if there is another cell.
   * @param from the cell of the document
   */
  showImage(study: Study, reference: ImageReference, from?: Cell): void {
    const find = (stacks: readonly Stack[]) => placeOf(reference, stacks);
    const start = { find, document: reference.instance, point: reference.point };
    const series = inOrder(study).find(({ uid }) => uid === reference.series) ?? longest(inOrder(study));
    if (!series) return;
    this.restore();
    const open = this.cellOf(series);
    if (open && (open.stacks.length > 0 || open.instances.length > 0)) {
      this.at = this.cells.indexOf(open);
      const place = find(open.stacks);
      if (place) open.show(place);
      else open.document = reference.instance;
      open.pointAt(place && reference.point);
      return;
    }
    const isSame = study.uid === this.study?.uid;
    const left = from ?? (isSame ? undefined : this.active);
    const beside = left && this.cells.find((cell) => cell !== left);
    if (!isSame && !beside)
      return this.open(study, { layout: '1x1', cells: [] }, { ...start, series: series.uid });
    const cell = beside ?? this.active;
    this.at = this.cells.indexOf(cell);
    void cell.open(study, series, start);
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

  /** Divides the stage. Where cells go, the one that the address names stays. */
  setLayout(layout: Layout): void {
    this.restore();
    const wanted = PLACES[layout];
    const { active, cells, addressed } = this;
    const first = cells.indexOf(addressed.cell) < wanted ? cells : [addressed.cell, ...cells];
    const kept = [...new Set(first)].slice(0, wanted);
    for (const cell of cells) if (!kept.includes(cell)) cell.close();
    while (kept.length < wanted) kept.push(new Cell(this.imaging));
    this.layout = layout;
    this.cells = kept;
    this.at = Math.max(kept.indexOf(kept.includes(active) ? active : addressed.cell), 0);
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

  /** True for a cell that shows the study that was opened. */
  #isOpened({ study }: Cell): boolean {
    return study !== undefined && study.uid === this.study?.uid;
  }
}

/** Returns the first image of a series that is hung. */
function startOf({ image, prefers }: Hung): Start {
  return {
    image,
    ...(prefers && { find: (stacks) => placeWhere(stacks, ({ metadata }) => prefers(metadata)) }),
  };
}
