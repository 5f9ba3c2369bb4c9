import type uPlot from 'uplot';

/** Returns the width of a vertical axis: the pixels of the page that its longest label needs. @param font of CSS */
export function axisWidth({ ctx }: uPlot, labels: readonly string[] | null, font: string): number {
  ctx.save();
  ctx.font = font;
  const widest = Math.max(...(labels ?? ['']).map((label) => ctx.measureText(label).width));
  ctx.restore();
  return Math.ceil(widest) + 16;
}
