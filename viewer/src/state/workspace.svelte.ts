import type { Series, Study } from '../domain/study.ts';
import type { Layout } from './address.ts';
import { Cell, type Start } from './cell.svelte.ts';
import type { Imaging } from './imaging.ts';

const CELLS: Record<Layout, number> = { '1x1': 1, '1x2': 2, '2x2': 4 };

/** Where a series is shown. */
export interface Place {
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
  readonly imaging: Imaging;
  readonly #endProgress: () => void;

  constructor(imaging: Imaging) {
    this.imaging = imaging;
    this.cells = [new Cell(imaging)];
    this.#endProgress = imaging.onProgress(() => {
      for (const cell of this.cells) cell.countReady();
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

  /** The cell and the layout that the address names: the active cell, or one that shows the study that was opened. */
  get addressed(): { cell: Cell; layout: Layout } {
    const { active } = this;
    const cell = this.#isOwn(active) ? active : (this.cells.find((one) => this.#isOwn(one)) ?? active);
    return { cell, layout: this.layout };
  }

  /** The cell of another study than the one that was opened. */
  get besideCell(): Cell | undefined {
    return this.cells.find((cell) => cell.study !== undefined && !this.#isOwn(cell));
  }

  /** Opens a study at a series, or at its longest: most studies also have localizers and single captures. */
  open(study: Study, start: Start & { series?: string } = {}): void {
    this.study = study;
    this.at = 0;
    for (const cell of this.cells) cell.close();
    const series = inOrder(study).find(({ uid }) => uid === start.series) ?? longest(inOrder(study));
    if (series) void this.active.open(study, series, start);
  }

  /** Shows a series. The last cell of the study that was opened is not given to another one: that is shown beside it. */
  show(series: Series, { study = this.activeStudy, cell = this.active }: Place = {}): void {
    if (!study) return;
    const isLast = this.#isOwn(cell) && this.cells.filter((one) => this.#isOwn(one)).length === 1;
    if (isLast && study.uid !== this.study?.uid) return this.showBeside(study, series);
    this.at = Math.max(this.cells.indexOf(cell), 0);
    if (cell.series?.uid !== series.uid) void cell.open(study, series);
  }

  /** Shows a series of another study to the right of the one that was opened, whose cell stays the active one. */
  showBeside(study: Study, series: Series, start: Start = {}): void {
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
    const { cell } = this.addressed;
    for (const one of this.cells) if (!this.#isOwn(one)) one.close();
    const used = this.cells.filter(({ study }) => study !== undefined).length;
    if (used <= 1) this.setLayout('1x1');
    else this.at = this.cells.indexOf(cell);
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
    const wanted = CELLS[layout];
    const { active, cells, addressed } = this;
    const first = cells.indexOf(addressed.cell) < wanted ? cells : [addressed.cell, ...cells];
    const kept = [...new Set(first)].slice(0, wanted);
    for (const cell of cells) if (!kept.includes(cell)) cell.close();
    while (kept.length < wanted) kept.push(new Cell(this.imaging));
    this.layout = layout;
    this.cells = kept;
    this.at = Math.max(kept.indexOf(kept.includes(active) ? active : addressed.cell), 0);
  }

  /** Empties the stage, for instance for another patient. */
  clear(): void {
    for (const cell of this.cells) cell.close();
    this.study = undefined;
  }

  close(): void {
    this.clear();
    this.#endProgress();
  }

  /** True for a cell that shows the study that was opened. */
  #isOwn({ study }: Cell): boolean {
    return study !== undefined && study.uid === this.study?.uid;
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
