/** The features of the page of a record, in the order of their buttons. They are loaded with it. */
import { cineFeature } from './features/cine/cine.ts';
import { compare } from './features/compare/feature.ts';
import { documents } from './features/documents/documents.ts';
import { download } from './features/download/download.ts';
import { measure } from './features/measure/measure.ts';
import { mpr } from './features/mpr/feature.ts';
import { overlayPlanesFeature } from './features/overlay-planes/overlay-planes.ts';
import { reference } from './features/reference/reference.ts';
import { reports } from './features/reports/reports.ts';
import { tags } from './features/tags/tags.ts';
import { trends } from './features/trends/trends.ts';
import { windowFeature } from './features/window/window.ts';
import type { Feature } from './ui/feature.ts';

export const features: readonly Feature[] = [
  windowFeature,
  measure,
  cineFeature,
  compare,
  reference,
  mpr,
  overlayPlanesFeature,
  documents,
  reports,
  tags,
  trends,
  download,
];
