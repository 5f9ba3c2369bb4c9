import { Measurements } from '../../state/stage/measurements.svelte.ts';
import type { Page } from '../../ui/context.ts';
import { onePer } from '../../state/browser/one-per.ts';

/** Returns the measurements of a page. */
export const measurementsOf = onePer((page: Page) => new Measurements(page.workspace.pointer));
