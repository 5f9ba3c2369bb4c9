/** A result of the timeline opens its course: a chart for each unit with the usual range, what was done at the time, and a table. */
import type { Feature } from '../../ui/feature.ts';
import { openTrendOf } from './open-trend.svelte.ts';
import TrendSheet from './TrendSheet.svelte';

export const trends: Feature = {
  result: (result, page) => openTrendOf(page).show(result),
  dialog: TrendSheet,
};
