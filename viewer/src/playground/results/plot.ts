/** Draws a chart with uPlot. It is loaded when the first chart is opened. */
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { axisWidth } from '../../ui/controls/plot-axis.ts';
import type { Chart } from './charts.ts';

/** CSS colours and font. */
export interface PlotStyle {
  quiet: string;
  line: string;
  accent: string;
  font: string;
}

/** Characters of a category below its bar; the table beside the chart has all. */
const LABEL = 16;

/** Draws a chart into an element. @returns a function that removes it */
export function drawChart(
  element: HTMLElement,
  chart: Chart,
  { size, style }: { size: { width: number; height: number }; style: PlotStyle },
): () => void {
  const values = chart.marks.map(({ value }) => value);
  const isTime = chart.kind === 'time';
  const xs = chart.marks.map(({ at }, index) => (isTime ? at! : index));
  const options = isTime ? timeOptions(chart, style) : barOptions(chart, size.width, style);
  const y = axisOf(style);
  const plot = new uPlot(
    {
      ...size,
      padding: [12, 24, 0, 0],
      legend: { show: false },
      cursor: { show: false },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), 'Etc/UTC'),
      ...options,
      axes: [
        options.axis,
        {
          ...y,
          size: (self, labels) => axisWidth(self, labels, style.font),
          // There are no half rows.
          values: (_plot, splits) =>
            splits.map((split) =>
              chart.kind === 'count' && !Number.isInteger(split) ? '' : split.toLocaleString('en'),
            ),
        },
      ],
    },
    [xs, values],
    element,
  );
  return () => plot.destroy();
}

type Drawn = Pick<uPlot.Options, 'scales' | 'series'> & { axis: uPlot.Axis };

function axisOf({ quiet, line, font }: PlotStyle): uPlot.Axis {
  return { stroke: quiet, font, grid: { stroke: line, width: 1 }, ticks: { show: false } };
}

/** Seconds beside the first and the last date: half a day, or more where years are shown. */
const MARGIN = 43_200;
/** Points that lie over each other unless they are small. */
const MANY = 300;

function timeOptions({ marks, isLine }: Chart, style: PlotStyle): Drawn {
  const [dates, values] = [marks.map(({ at }) => at!), marks.map(({ value }) => value)];
  const [first, last] = [Math.min(...dates), Math.max(...dates)];
  const margin = Math.max(MARGIN, (last - first) * 0.03);
  return {
    scales: {
      x: { time: true, range: [first - margin, last + margin] },
      // Of all values: by itself uPlot leaves out some of those that share the first or the last date.
      y: { range: () => uPlot.rangeNum(Math.min(...values), Math.max(...values), 0.1, true) },
    },
    series: [
      {},
      {
        stroke: style.accent,
        width: 2,
        points: { show: true, size: marks.length > MANY ? 4 : 8, fill: style.accent },
        ...(!isLine && { paths: () => null }),
      },
    ],
    axis: { ...axisOf(style), space: 84, size: 32 },
  };
}

function barOptions({ marks }: Chart, width: number, style: PlotStyle): Drawn {
  const labels = marks.map(({ label }) => (label.length > LABEL ? `${label.slice(0, LABEL - 1)}…` : label));
  const longest = Math.max(...labels.map((label) => label.length));
  // Wider than its bar, a label is turned. A character of this font has about 7 pixels.
  const isTurned = longest * 7 > width / labels.length - 24;
  return {
    scales: {
      x: { time: false, range: [-0.6, marks.length - 0.4] },
      y: { range: (_plot, low, high) => uPlot.rangeNum(Math.min(0, low), Math.max(0, high), 0.05, true) },
    },
    series: [
      {},
      { fill: style.accent, points: { show: false }, paths: uPlot.paths.bars!({ size: [0.7, 72] }) },
    ],
    axis: {
      ...axisOf(style),
      grid: { show: false },
      splits: marks.map((_, index) => index),
      values: labels,
      ...(isTurned ? { rotate: -45, size: longest * 5.5 + 24 } : { size: 32 }),
    },
  };
}
