import type { Contents } from '../domain/series/film-timing.ts';
import { contentOf, countsOf, type SeriesContent } from '../domain/series/series-content.ts';
import type { Series, Study } from '../domain/study.ts';
import { m } from '../messages/compiled/messages.js';

const COUNTED: Record<SeriesContent, (counted: { count: number }) => string> = {
  image: m.images,
  clip: m.imagesOrFilms,
  document: m.documents,
  recording: m.recordings,
  segmentation: m.segmentations,
};

/** Returns what a series has: `96 frames, 8 s`, `24 images`, `1 document`. @param contents of the series, once it was opened */
export function seriesContent(
  { modality, numberOfInstances }: Series,
  contents: Contents | undefined,
): string {
  const [film, ...others] = contents?.films ?? [];
  if (contents && film) {
    if (others.length === 0 && contents.images === 0) return filmWords(film);
    const films = m.films({ count: others.length + 1 });
    return contents.images > 0 ? `${films}, ${m.images({ count: contents.images })}` : films;
  }
  if (contents && contents.images > 0) return m.images({ count: contents.images });
  return numberOfInstances === undefined
    ? m.imagesUnknown()
    : COUNTED[contentOf(modality)]({ count: numberOfInstances });
}

function filmWords({ frames, seconds }: { frames: number; seconds: number }): string {
  const rounded = seconds < 10 ? Math.round(seconds * 10) / 10 : Math.round(seconds);
  return m.film({ frames, seconds: String(rounded) });
}

/** Returns what studies have: `281 images, 1 document`; undefined where no number is known. */
export function studyContent(studies: readonly Study[]): string | undefined {
  const sums = new Map<SeriesContent, number>();
  for (const study of studies) {
    for (const [content, count] of Object.entries(countsOf(study) ?? {}) as [SeriesContent, number][])
      sums.set(content, (sums.get(content) ?? 0) + count);
  }
  const words = Object.keys(COUNTED).flatMap((content) => {
    const count = sums.get(content as SeriesContent);
    return count ? [COUNTED[content as SeriesContent]({ count })] : [];
  });
  return words.length > 0 ? words.join(', ') : undefined;
}
