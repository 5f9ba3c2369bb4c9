/** The features of the page of a record, in the order of their buttons. They are loaded with it. */
import { download } from './features/download/download.ts';
import { measure } from './features/measure/measure.ts';
import type { Feature } from './ui/feature.ts';

export const features: readonly Feature[] = [measure, download];
