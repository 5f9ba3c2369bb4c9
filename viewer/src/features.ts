/** The features of the page of a record, in the order of their buttons. They are loaded with it. */
import { accessLog } from './features/access-log/access-log.ts';
import { adjust } from './features/adjust/adjust.ts';
import { cineFeature } from './features/cine/cine.ts';
import { compare } from './features/compare/feature.ts';
import { documents } from './features/documents/documents.ts';
import { download } from './features/download/download.ts';
import { files } from './features/files/files.ts';
import { keyImages } from './features/key-images/key-images.ts';
import { layout } from './features/layout/layout.ts';
import { measure } from './features/measure/measure.ts';
import { mpr } from './features/mpr/feature.ts';
import { fusion } from './features/mpr/fusion/feature.ts';
import { drawnOverlays, overlays } from './features/overlays/overlays.ts';
import { takeAlong } from './features/package/package.ts';
import { overlayPlanesFeature } from './features/overlay-planes/overlay-planes.ts';
import { protocol } from './features/protocol/protocol.ts';
import { print } from './features/print/print.ts';
import { reference } from './features/reference/reference.ts';
import { reports } from './features/reports/reports.ts';
import { share } from './features/share/share.ts';
import { tags } from './features/tags/tags.ts';
import { trends } from './features/trends/trends.ts';
import { videoExport } from './features/video-export/video-export.ts';
import { windowFeature } from './features/window/window.ts';
import type { Feature } from './ui/feature.ts';

export const features: readonly Feature[] = [
  drawnOverlays,
  windowFeature,
  measure,
  keyImages,
  adjust,
  compare,
  layout,
  cineFeature,
  reference,
  mpr,
  fusion,
  overlayPlanesFeature,
  overlays,
  documents,
  reports,
  tags,
  trends,
  download,
  videoExport,
  protocol,
  accessLog,
  print,
  files,
  takeAlong,
  share,
];
