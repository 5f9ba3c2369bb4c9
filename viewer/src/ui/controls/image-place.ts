import type { KeyImage } from '../../domain/series/key-image.ts';
import type { Study } from '../../domain/study.ts';
import { m } from '../../messages/compiled/messages.js';
import { dayOf } from '../../messages/dates.ts';

/** Says on which image of the record a key image is: `12 Mar 2026, series 3, image 14`. */
export function imagePlace({ image, number }: KeyImage, studies: readonly Study[]): string {
  const study = studies.find(({ uid }) => uid === image.study);
  const series = study?.series.find(({ uid }) => uid === image.series);
  const day = study?.started && dayOf(study.started);
  const place = m.measurePlace({ series: series?.number ?? '?', image: number });
  return [day, place].filter(Boolean).join(', ');
}
