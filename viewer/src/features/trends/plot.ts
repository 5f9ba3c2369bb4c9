/** Draws a trend with uPlot. It is loaded when the first trend is opened. */
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { axisWidth } from '../../ui/controls/plot-axis.ts';
import type { Flag } from '../../messages/plain/codes.ts';
import type { TimeRange } from './time.ts';

export interface PlotRow {
  /** Seconds since 1970; ascending in a plot. */
  at: number;
  /** One for each line. */
  points: readonly ({ value: number; flag: Flag | undefined } | undefined)[];
}

/** CSS colours. */
export interface PlotColours {
  ink: string;
  quiet: string;
  line: string;
  accent: string;
  band: string;
  flagged: string;
  ground: string;
}

interface UsualRange {
  low?: number;
  high?: number;
}

/** Between the axes. */
export interface PlotArea {
  left: number;
  width: number;
  bottom: number;
}

export interface PlotOptions {
  /** At least one; the first has as many points as there are lines. */
  rows: readonly PlotRow[];
  /** The usual ranges; open where a limit is missing. */
  usual: readonly UsualRange[];
  range: TimeRange;
  colours: PlotColours;
  /** CSS font of the axes. */
  font: string;
  /** BCP 47. */
  language: string;
  /** The pointer came near a row. */
  onRead(index: number): void;
  /** A part of the time was chosen with the pointer; undefined: all of it, by a double click. */
  onRange(range: TimeRange | undefined): void;
  /** The area of the values, in pixels of the page within the element. */
  onLaid(area: PlotArea): void;
}

/** Pixels of the page. */
const RADIUS = 4.5;
const FLAGGED_RADIUS = 6.5;
/** Of the second line. */
const DASH = [6, 4];

export class Plot {
  readonly #plot: uPlot;
  readonly #options: PlotOptions;
  #read: number | undefined;

  constructor(element: HTMLElement, size: { width: number; height: number }, options: PlotOptions) {
    this.#options = options;
    const { rows, range } = options;
    const data: uPlot.AlignedData = [
      rows.map(({ at }) => at),
      ...rows[0]!.points.map((_, line) => rows.map(({ points }) => points[line]?.value ?? null)),
    ];
    this.#plot = new uPlot(this.#uPlotOptions(size), data, element);
    this.setRange(range);
  }

  setSize(size: { width: number; height: number }): void {
    this.#plot.setSize(size);
  }

  setRange({ from, to }: TimeRange): void {
    this.#plot.setScale('x', { min: from, max: to });
  }

  /** Marks the row that is read. */
  setRead(index: number): void {
    this.#read = index;
    this.#plot.redraw(false);
  }

  close(): void {
    this.#plot.destroy();
  }

  #uPlotOptions(size: { width: number; height: number }): uPlot.Options {
    const { colours, usual, rows, onRead, onRange, onLaid, font } = this.#options;
    // What is usual is on the chart with the values.
    const all = [
      ...rows.flatMap(({ points }) => points.flatMap((point) => point?.value ?? [])),
      ...usual.flatMap(({ low, high }) => [low ?? [], high ?? []].flat()),
    ];
    const line = { stroke: colours.accent, width: 2, spanGaps: true, points: { show: false } };
    const axis = {
      stroke: colours.quiet,
      font,
      grid: { stroke: colours.line, width: 1 },
      ticks: { show: false },
    };
    return {
      ...size,
      padding: [10, 28, 0, 0],
      legend: { show: false },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), 'Etc/UTC'),
      cursor: { y: false, points: { show: false }, drag: { x: true, y: false, setScale: false } },
      scales: {
        x: { time: true },
        y: { range: () => uPlot.rangeNum(Math.min(...all), Math.max(...all), 0.12, true) },
      },
      axes: [
        {
          ...axis, // Pixels between labels: years are shorter than days, and a phone has room for little else.
          space: size.width < 480 ? 60 : 84,
          size: 32,
          values: (...[, splits, , , step]) => this.#dates(splits, step),
        },
        {
          ...axis,
          size: (plot, labels) => axisWidth(plot, labels, font),
          values: (_plot, splits) => splits.map((one) => one.toLocaleString(this.#options.language)),
        },
      ],
      series: [{}, ...rows[0]!.points.map((_, index) => (index === 0 ? line : { ...line, dash: DASH }))],
      hooks: {
        drawClear: [(plot) => usual.forEach((one) => this.#drawUsual(plot, one))],
        draw: [
          (plot) => {
            this.#drawPoints(plot);
            const [ratio, { left, top, width, height }] = [devicePixelRatio, plot.bbox];
            onLaid({ left: left / ratio, width: width / ratio, bottom: (top + height) / ratio });
          },
        ],
        setCursor: [({ cursor: { idx, left = -1 } }) => left >= 0 && typeof idx === 'number' && onRead(idx)],
        setSelect: [
          (plot) => {
            const { left, width } = plot.select;
            if (width > 0) onRange({ from: plot.posToVal(left, 'x'), to: plot.posToVal(left + width, 'x') });
            plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          },
        ],
        ready: [(plot) => plot.over.addEventListener('dblclick', () => onRange(undefined))],
      },
    };
  }

  /** Dates as exact as their distance on the axis. @param step seconds */
  #dates(splits: readonly number[], step: number): string[] {
    const days = step / 86_400;
    const parts: Intl.DateTimeFormatOptions =
      days >= 360
        ? { year: 'numeric' }
        : days >= 28
          ? { month: 'short', year: 'numeric' }
          : days >= 1
            ? { day: 'numeric', month: 'short', year: '2-digit' }
            : { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' };
    const format = new Intl.DateTimeFormat(this.#options.language, { ...parts, timeZone: 'UTC' });
    return splits.map((seconds) => format.format(seconds * 1000));
  }

  #drawUsual({ ctx, bbox, valToPos }: uPlot, usual: UsualRange): void {
    const { colours } = this.#options;
    if (usual.low === undefined && usual.high === undefined) return;
    const inside = (y: number) => Math.min(Math.max(y, bbox.top), bbox.top + bbox.height);
    const top = usual.high === undefined ? bbox.top : inside(valToPos(usual.high, 'y', true));
    const bottom = usual.low === undefined ? bbox.top + bbox.height : inside(valToPos(usual.low, 'y', true));
    ctx.save();
    ctx.fillStyle = colours.band;
    ctx.fillRect(bbox.left, top, bbox.width, bottom - top);
    // Its limits are seen without colours too.
    ctx.strokeStyle = colours.quiet;
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
    for (const y of [usual.high === undefined ? [] : top, usual.low === undefined ? [] : bottom].flat()) {
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
    }
    ctx.restore();
  }

  #drawPoints({ ctx, bbox, valToPos }: uPlot): void {
    const { rows, colours } = this.#options;
    ctx.save();
    ctx.lineWidth = 2 * devicePixelRatio;
    // The line before may have been dashed.
    ctx.setLineDash([]);
    rows.forEach(({ at, points }, index) => {
      const x = valToPos(at, 'x', true);
      if (x < bbox.left - 1 || x > bbox.left + bbox.width + 1) return;
      points.forEach((point, line) => {
        if (!point) return;
        const y = valToPos(point.value, 'y', true);
        const shape = shapeOf(point.flag ?? (line === 0 ? 'circle' : 'square'), x, y);
        ctx.fillStyle = ctx.strokeStyle = point.flag ? colours.flagged : colours.accent;
        // Points of the second line are hollow, whatever their shape.
        if (line > 0) ctx.fillStyle = colours.ground;
        ctx.fill(shape);
        if (line > 0) ctx.stroke(shape);
        if (index !== this.#read) return;
        ctx.strokeStyle = colours.ink;
        ctx.beginPath();
        ctx.arc(x, y, (FLAGGED_RADIUS + 4) * devicePixelRatio, 0, 2 * Math.PI);
        ctx.stroke();
      });
    });
    ctx.restore();
  }
}

/** A circle or a square for a usual value; up for high, down for low, a diamond for any other flag. */
function shapeOf(shape: Flag | 'circle' | 'square', x: number, y: number): Path2D {
  const r = (shape === 'circle' || shape === 'square' ? RADIUS : FLAGGED_RADIUS) * devicePixelRatio;
  const path = new Path2D();
  if (shape === 'circle') {
    path.arc(x, y, r, 0, 2 * Math.PI);
    return path;
  }
  const corners = {
    high: [
      [0, -r],
      [r, r * 0.8],
      [-r, r * 0.8],
    ],
    low: [
      [0, r],
      [r, -r * 0.8],
      [-r, -r * 0.8],
    ],
    abnormal: [
      [0, -r],
      [r, 0],
      [0, r],
      [-r, 0],
    ],
    square: [
      [-r, -r],
      [r, -r],
      [r, r],
      [-r, r],
    ],
  }[shape] as [number, number][];
  for (const [dx, dy] of corners) path.lineTo(x + dx, y + dy);
  path.closePath();
  return path;
}
