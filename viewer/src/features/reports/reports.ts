/** Says on an image that a report names it. The reports themselves are a panel of the stage. */
import type { Feature } from '../../ui/feature.ts';
import ReportMark from './ReportMark.svelte';

export const reports: Feature = { overlay: ReportMark };
