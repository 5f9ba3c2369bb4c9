/** The features of the page of a record, in the order of their buttons. They are loaded with it. */
import { documents } from './features/documents/documents.ts';
import { reports } from './features/reports/reports.ts';
import { tags } from './features/tags/tags.ts';
import { trends } from './features/trends/trends.ts';
import type { Feature } from './ui/feature.ts';

export const features: readonly Feature[] = [documents, reports, tags, trends];
