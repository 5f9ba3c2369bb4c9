/** The features of the page of a record, in the order of their buttons. They are loaded with it. */
import { mpr } from './features/mpr/feature.ts';
import { reference } from './features/reference/reference.ts';
import type { Feature } from './ui/feature.ts';

export const features: readonly Feature[] = [reference, mpr];
