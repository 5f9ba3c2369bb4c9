/** A result of the timeline opens its course: a chart for each unit with the usual range, what was done at the time, and a table. */
import type { Result } from '../../domain/record/record.ts';
import { codesOf } from '../../domain/record/trend-codes.ts';
import { m } from '../../messages/compiled/messages.js';
import { nameFor } from '../../messages/plain/names.ts';
import type { Page } from '../../ui/context.ts';
import type { Feature, Printed } from '../../ui/feature.ts';
import { openTrendOf, trendsOf } from './open-trend.svelte.ts';
import TrendSheet from './TrendSheet.svelte';

export const trends: Feature = {
  result: (result, page) => openTrendOf(page).show(result),
  printed(page) {
    const results = (page.record.record?.timeline ?? []).flatMap((entry) => entry.results);
    const numbers = results.filter((one) => (one.measures ?? []).length > 0 && codesOf(one).size > 0);
    // The same is measured again and again.
    const once = new Map(numbers.map((one) => [[...codesOf(one).keys()].join(' '), one]));
    return [...once]
      .map(([codes, result]) => printedTrend(codes, result, page))
      .toSorted((a, b) => a.name.localeCompare(b.name));
  },
  dialog: TrendSheet,
};

function printedTrend(codes: string, result: Result, { record, records, preferences }: Page): Printed {
  return {
    id: `trend ${codes}`,
    name: nameFor(result.concept, preferences.wording),
    group: m.trendTitle(),
    async load(signal) {
      const patient = record.record!.person.id;
      const [all, { default: PrintedTrend }] = await Promise.all([
        trendsOf(records, { patient, result }, signal),
        import('./PrintedTrend.svelte'),
      ]);
      return (internals) => PrintedTrend(internals, { trends: all });
    },
  };
}
