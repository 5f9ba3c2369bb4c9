/** The features of the page of a record, in the order of their buttons. They are loaded with it. */
import { trends } from './features/trends/trends.ts';
import type { Feature } from './ui/feature.ts';

export const features: readonly Feature[] = [trends];
