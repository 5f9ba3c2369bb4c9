import { Measurements } from '../../state/measurements.svelte.ts';
import type { Page } from '../../ui/context.ts';

const known = new WeakMap<Page, Measurements>();

/** Returns the measurements of a page. */
export function measurementsOf(page: Page): Measurements {
  const measurements = known.get(page) ?? new Measurements(page.workspace.pointer);
  known.set(page, measurements);
  return measurements;
}
