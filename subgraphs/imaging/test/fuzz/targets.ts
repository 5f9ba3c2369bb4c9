import { codecs } from './codecs.ts';
import { dicomWeb } from './dicom-web.ts';
import { dimseConnection } from './dimse.ts';
import { http } from './http.ts';
import { multipart } from './multipart.ts';
import { part10 } from './part10.ts';
import { render } from './render.ts';
import type { Target } from './target.ts';

export const TARGETS: readonly Target[] = [
  part10,
  multipart,
  codecs,
  render,
  http,
  dicomWeb,
  dimseConnection,
];
