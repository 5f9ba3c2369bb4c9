import { placeOf, type ImageReference } from '../domain/image-reference.ts';
import type { Stack } from '../domain/stacks.ts';
import type { Series, Study } from '../domain/study.ts';
import type { Layout } from './address.ts';
import { Cell, type Start } from './cell.svelte.ts';
import type { Imaging } from './imaging.ts';

const CELLS: Record<Layout, number> = { '1x1': 1, '1x2': 2, '2x2': 4 };

/** The stage: a study, and a grid of cells that show its series. */
export class Workspace {
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

  /** Series of the study in the order of their numbers. */
  get series(): readonly Series[] {
    return inOrder(this.study);
  }

  /** Opens a study at a series, or at its longest: most studies also have localizers and single captures. */
  open(study: Study, start: Start & { series?: string } = {}): void {
    this.study = study;
    this.at = 0;
    for (const cell of this.cells) cell.close();
    const series = inOrder(study).find(({ uid }) => uid === start.series) ?? longest(inOrder(study));
    if (series) void this.active.open(study, series, start);
  }

  /** Shows a series in the active cell. */
  show(series: Series): void {
    if (this.study && this.active.series?.uid !== series.uid) void this.active.open(this.study, series);
  }

  /**
   * Shows an image that a report or a document names: where its series is open already, else in the active cell. An image of
   * another study, and one that a document names, stand beside what is shown if there is another cell.
   * @param from the cell of the document
   */
  showImage(study: Study, reference: ImageReference, from?: Cell): void {
    const find = (stacks: readonly Stack[]) => placeOf(reference, stacks);
    const start = { find, ...(reference.instance !== undefined && { document: reference.instance }) };
    const series = inOrder(study).find(({ uid }) => uid === reference.series) ?? longest(inOrder(study));
    if (!series) return;
    const open = this.cellOf(series);
    if (open && (open.stacks.length > 0 || open.instances.length > 0)) {
      this.at = this.cells.indexOf(open);
      const place = find(open.stacks);
      if (place) open.show(place);
      else open.document = reference.instance;
      return;
    }
    const isSame = study.uid === this.study?.uid;
    const left = from ?? (isSame ? undefined : this.active);
    const beside = left && this.cells.find((cell) => cell !== left);
    if (!isSame && !beside) return this.open(study, { ...start, series: series.uid });
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

  setLayout(layout: Layout): void {
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

  /** Empties the stage, for instance for another patient. */
  clear(): void {
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
