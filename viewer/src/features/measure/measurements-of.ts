import { Measurements } from '../../state/measurements.svelte.ts';
import type { Page } from '../../ui/context.ts';
import { onePer } from '../../state/one-per.ts';

/** Returns the measurements of a page. */
export const measurementsOf = onePer((page: Page) => new Measurements(page.workspace.pointer));
