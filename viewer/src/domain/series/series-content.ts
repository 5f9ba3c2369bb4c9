/** The content of a series, by its modality (PS3.3 §C.7.3.1.1.1): not everything in a study is an image. */
import type { Series, Study } from '../study.ts';

/** `clip`: images, or films of many. */
export type SeriesContent = 'image' | 'clip' | 'document' | 'recording' | 'segmentation';

const CONTENT: Record<string, SeriesContent> = {
  ...all('document', 'SR DOC KO PR PLAN RTPLAN RTSTRUCT RTRECORD REG FID SMR ASMT RWV TEXTUREMAP STAIN'),
  ...all('recording', 'ECG HD EPS EEG EMG EOG RESP AU POS'),
  ...all('clip', 'US XA RF IVUS ES IVOCT BDUS OPT'),
  SEG: 'segmentation',
};

function all(content: SeriesContent, modalities: string): Record<string, SeriesContent> {
  return Object.fromEntries(modalities.split(' ').map((modality) => [modality, content]));
}

/** Returns what the instances of a series are; images where the modality says nothing else. */
export function contentOf(modality: string): SeriesContent {
  return CONTENT[modality] ?? 'image';
}

/** Returns false for a series that by its modality has no images. */
export function hasImages({ modality }: Pick<Series, 'modality'>): boolean {
  const content = contentOf(modality);
  return content !== 'document' && content !== 'recording';
}

/** Of Video Endoscopic, Microscopic and Photographic Images (PS3.3 §A.32.5 to §A.32.7), and of single images too. */
const OF_VIDEOS: ReadonlySet<string> = new Set(['ES', 'GM', 'XC']);

/** Returns true for a series whose objects may be videos, of which a server draws no picture. */
export function mayBeVideo({ modality }: Pick<Series, 'modality'>): boolean {
  return OF_VIDEOS.has(modality);
}

/**
 * Counts the instances of a study by what they are. What the study has more than its series is of the first
 * series without a number. Undefined where no number is known.
 */
export function countsOf(
  study: Pick<Study, 'numberOfInstances' | 'series'>,
): Partial<Record<SeriesContent, number>> | undefined {
  const counts: Partial<Record<SeriesContent, number>> = {};
  let known = 0;
  for (const { modality, numberOfInstances } of study.series) {
    if (numberOfInstances === undefined) continue;
    const content = contentOf(modality);
    counts[content] = (counts[content] ?? 0) + numberOfInstances;
    known += numberOfInstances;
  }
  const rest = (study.numberOfInstances ?? known) - known;
  if (rest > 0) {
    const unknown = study.series.find((one) => one.numberOfInstances === undefined);
    const of = contentOf(unknown?.modality ?? '');
    counts[of] = (counts[of] ?? 0) + rest;
  }
  return Object.keys(counts).length > 0 ? counts : undefined;
}
